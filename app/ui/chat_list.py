"""The list of conversations: newest first, searchable, with a way to begin another."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QMessageBox,
    QVBoxLayout,
)

from app.api.shapes import ConversationHead
from app.ui import theme as looks
from app.ui import words
from app.ui.controls import IconButton, label, plain_box, plain_tip
from app.ui.rename_dialog import RenameDialog
from app.ui.theme import Theme
from app.ui.translations import tr

WIDTH = 236


class ConversationRows(QListWidget):
    """The rows themselves; Delete and F2 work on the one chosen."""

    delete_pressed = Signal()
    rename_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Delete removes, F2 renames."""
        if event.key() == Qt.Key.Key_Delete:
            self.delete_pressed.emit()
        elif event.key() == Qt.Key.Key_F2:
            self.rename_pressed.emit()
        else:
            super().keyPressEvent(event)


class ChatList(QFrame):
    """The list beside the chat; signals say what the person wants with which one."""

    chosen = Signal(str)
    new_wanted = Signal()
    delete_wanted = Signal(str)
    rename_wanted = Signal(str, str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("look", "list")
        self.setFixedWidth(WIDTH)
        self._heads: list[ConversationHead] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(looks.MEDIUM, looks.LARGE, looks.MEDIUM, looks.MEDIUM)
        column.setSpacing(looks.SMALL)
        top = QHBoxLayout()
        self._title = label("", "strong")
        top.addWidget(self._title, 1)
        self.new = IconButton(theme, "new", "", self.new_wanted.emit)
        top.addWidget(self.new)
        self.search = QLineEdit()
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self._fill())
        self.rows = ConversationRows()
        self.rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.rows.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.rows.customContextMenuRequested.connect(self._menu)
        self.rows.currentItemChanged.connect(self._changed)
        self.rows.delete_pressed.connect(self._delete)
        self.rows.rename_pressed.connect(self._rename)
        self.empty = label(tr("No chats yet."), "muted", wrap=True)
        column.addLayout(top)
        column.addWidget(self.search)
        column.addWidget(self.empty)
        column.addWidget(self.rows, 1)
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the language of now; what is chosen and searched for stays."""
        self._title.setText(tr("Chats"))
        self.new.rename(tr("New chat"))
        self.search.setPlaceholderText(tr("Search chats"))
        self.search.setAccessibleName(tr("Search chats"))
        self.rows.setAccessibleName(tr("Chats"))
        place = self.rows.verticalScrollBar().value()
        self._fill()
        self.rows.verticalScrollBar().setValue(place)

    def show_heads(self, heads: list[ConversationHead], current: str) -> None:
        """List these, with one of them chosen."""
        self._heads = heads
        self._fill(current)

    def select(self, key: str) -> None:
        """Mark the conversation in front, without asking for it again."""
        self.rows.blockSignals(True)
        self.rows.setCurrentItem(None)
        for row in range(self.rows.count()):
            if self.rows.item(row).data(Qt.ItemDataRole.UserRole) == key:
                self.rows.setCurrentRow(row)
        self.rows.blockSignals(False)

    def current(self) -> str:
        """The id of the one chosen; "" without one."""
        item = self.rows.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    def _fill(self, current: str | None = None) -> None:
        wanted = self.current() if current is None else current
        needle = self.search.text().casefold().strip()
        shown = [head for head in self._heads if needle in head.title.casefold()]
        self.rows.blockSignals(True)
        self.rows.clear()
        for head in shown:
            title = words.chat_title(head.title)
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, head.id)
            item.setToolTip(plain_tip(f"{title}\n{words.moment(head.changed_at)}"))
            self.rows.addItem(item)
            if head.id == wanted:
                self.rows.setCurrentItem(item)
        self.rows.blockSignals(False)
        self.empty.setText(tr("No chat has this in its name.") if needle else tr("No chats yet."))
        self.empty.setVisible(not shown)
        self.search.setVisible(len(self._heads) > 5 or bool(needle))

    def _changed(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(str(item.data(Qt.ItemDataRole.UserRole)))

    def _menu(self, where: QPoint) -> None:
        if self.rows.itemAt(where) is None:
            return
        menu = QMenu(self)
        menu.addAction(tr("Rename"), self._rename)
        menu.addAction(tr("Delete"), self._delete)
        menu.exec(self.rows.mapToGlobal(where))

    def _rename(self) -> None:
        item, key = self.rows.currentItem(), self.current()
        if item is None:
            return
        dialog = RenameDialog(self, item.text())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.named.connect(lambda name: self.rename_wanted.emit(key, name))
        dialog.open()

    def _delete(self) -> None:
        item, key = self.rows.currentItem(), self.current()
        if item is None:
            return
        box = plain_box(
            self,
            tr("Delete chat"),
            tr("Delete “{title}”?").format(title=item.text()),
            tr("It is removed from this computer and cannot be brought back."),
        )
        delete = box.addButton(tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton(tr("Keep"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.exec()
        if box.clickedButton() is delete:
            self.delete_wanted.emit(key)
