"""One message of a conversation: the words, what can be done with them, who answered."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from app.api.shapes import AnswerWaiting, MessageView
from app.ui import theme as looks
from app.ui import words
from app.ui.controls import Banner, IconButton, label
from app.ui.markdown_view import MarkdownView
from app.ui.sentences import told
from app.ui.theme import Theme
from app.ui.translations import tr

COPIED_MILLISECONDS = 1500
LEAST_PIXELS = 160


class Message(QFrame):
    """A message, of the person or of the model; `key` is None until the node has named it."""

    edit_wanted = Signal(object)
    again_wanted = Signal()

    def __init__(self, theme: Theme, role: str) -> None:
        super().__init__()
        self.role = role
        self.key: int | None = None
        self.mine = role == "user"
        self._stopped = ""
        if self.mine:
            self.setProperty("look", "question")
        self._view: MessageView | None = None
        column = QVBoxLayout(self)
        sides, right = (looks.LARGE, looks.SMALL) if self.mine else (0, 0)
        column.setContentsMargins(sides, looks.SMALL if self.mine else 0, right, looks.SMALL)
        column.setSpacing(looks.TINY)
        self.text = MarkdownView(theme, "", as_typed=self.mine)
        self.waiting = label("", "muted", wrap=True)
        self._waits_for: AnswerWaiting | None = None
        self.waiting.hide()
        self.trouble = Banner("danger")
        self.remark = label("", "muted", wrap=True)
        self.remark.hide()
        self.line = label("", "muted", wrap=True)
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.copy = IconButton(theme, "copy", "", self._copy)
        self.edit = IconButton(theme, "edit", "", self._edit)
        self.again = IconButton(theme, "again", "")
        self.again.clicked.connect(lambda: self.again_wanted.emit())
        self.again.hide()
        if not self.mine:
            self.edit.hide()
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        for one in (self.copy, self.edit, self.again):
            buttons.addWidget(one, 0, Qt.AlignmentFlag.AlignTop)
        row = QHBoxLayout()
        row.setSpacing(looks.MEDIUM)
        # A question is short: its buttons stand beside it, an answer's below.
        row.addWidget(self.text if self.mine else self.line, 1)
        # Where there is no line, as under an answer that was stopped, its room stays.
        row.addStretch(0)
        row.addLayout(buttons)
        if self.mine:
            column.addLayout(row)
        else:
            column.addWidget(self.text)
            column.addWidget(self.waiting)
        column.addWidget(self.trouble)
        column.addWidget(self.remark)
        if not self.mine:
            column.addLayout(row)
        self._copied = QTimer(self, singleShot=True, interval=COPIED_MILLISECONDS)
        self._copied.timeout.connect(lambda: self.copy.draw("copy"))
        self.retranslate()

    def retranslate(self) -> None:
        """Say in the language of now what is not the message itself."""
        name = tr("Your message") if self.mine else tr("Answer")
        self.setAccessibleName(name)
        self.text.setAccessibleName(name)
        self.text.retranslate()
        self._say_waiting()
        self.copy.rename(tr("Copy"))
        self.edit.rename(tr("Edit and send again"))
        self.again.rename(tr("Write this answer again"))
        if self._view is not None:
            self._say_of(self._view)

    def show_view(self, view: MessageView) -> None:
        """Show a message as the node keeps it."""
        self.key = view.id
        if view.state == "writing":
            self.begin_writing()
            self.add(view.content)
            return
        self.waiting.hide()
        self.copy.setEnabled(bool(view.content))
        if self.mine:
            self.ask(view.content)
        elif self.text.source != view.content:
            self.text.set_source(view.content)
        else:
            self.text.finish()
        self.text.setVisible(bool(view.content))
        self._view = view
        self._say_of(view)

    def _say_of(self, view: MessageView) -> None:
        """What stands under the message: what went wrong, a remark, who answered."""
        self.trouble.say(told(view.error, view.error_said) if view.state == "failed" else "")
        remark = told(view.remark, view.remark_said)
        if view.state == "stopped":
            remark = f"{tr('Stopped before the end.')} {remark}".strip()
        self.remark.setText(remark)
        self.remark.setVisible(bool(remark))
        self.line.setText("" if self.mine else words.answer_line(view))
        self.line.setVisible(bool(self.line.text()))

    def ask(self, text: str) -> None:
        """Show a question of the person, as wide as its words need."""
        self.text.set_source(text)
        beside = self.copy.sizeHint().width() + self.edit.sizeHint().width() + looks.HUGE
        edges = self.layout().contentsMargins()
        wide = self.text.natural_width() + beside + edges.left() + edges.right()
        self.setMaximumWidth(max(wide, LEAST_PIXELS))

    def begin_writing(self) -> None:
        """An answer is on its way."""
        self._view = self._waits_for = None
        self._say_waiting()
        self.text.set_source("")
        self.text.hide()
        self.line.setText("")
        self.waiting.show()
        self.copy.setEnabled(False)

    def add(self, text: str) -> None:
        """More of the answer."""
        if not text:
            return
        self.text.show()
        self.waiting.hide()
        self.text.append(text)

    def wait_for(self, what: AnswerWaiting) -> None:
        """Nothing comes for a moment: say why, below what there is, until something does."""
        self._waits_for = what if what.words else None
        self._say_waiting()
        self.waiting.setVisible(bool(what.words) or self.text.isHidden())

    def _say_waiting(self) -> None:
        # Who answers, this computer alone or helpers, is not known yet; a wait for
        # helpers says so itself.
        what = self._waits_for
        self.waiting.setText(
            tr("Preparing the answer") if what is None else told(what.words, what.said)
        )

    def fail(self, sentence: str) -> None:
        """The answer ends here, and why; what was written stays."""
        self._view = None
        self.waiting.hide()
        self.text.finish()
        self.copy.setEnabled(bool(self.text.source))
        self.trouble.say(sentence)

    def may_be_written_again(self, *, yes: bool) -> None:
        """Only the last answer can be."""
        self.again.setVisible(yes and not self.mine)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.source)
        self.copy.draw("done", "accent")
        self._copied.start()

    def _edit(self) -> None:
        self.edit_wanted.emit(self)
