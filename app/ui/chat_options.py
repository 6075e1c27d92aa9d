"""How a conversation is answered: instructions, temperature, length, and by whom."""

from __future__ import annotations

from PySide6.QtCore import QRegularExpression, Qt
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.api.shapes import ConversationOptions, ModelOffer
from app.ui import theme as looks
from app.ui.controls import Explained, button, label
from app.ui.setting_fields import FIELD_PIXELS, PlainNumber, indent
from app.ui.translations import tr

WIDTH = 600
SEED = QRegularExpression("[0-9]{0,17}")
"""What can be written as a seed; nothing is taken that would be left out when it is saved."""
SPARE_PIXELS = 80
"""What a title bar and panels may take of a screen's height."""


class ChatOptions(QDialog):
    """A dialog over one conversation's options; `options` gives what was chosen."""

    def __init__(
        self, parent: QWidget, options: ConversationOptions, offers: list[ModelOffer]
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("How this chat is answered"))
        self.setMinimumWidth(WIDTH)
        self.system = QPlainTextEdit(options.system)
        self.system.setPlaceholderText(tr("For example: answer in short sentences."))
        self.system.setTabChangesFocus(True)
        self.system.setFixedHeight(84)
        self.model = QComboBox()
        self.temperature = self._number(options.temperature, 0.0, 10.0, 0.1)
        self.top_p = self._number(options.top_p, 0.01, 1.0, 0.05)
        self.length = QSpinBox()
        self.length.setRange(1, 1 << 20)
        self.length.setGroupSeparatorShown(True)
        self.length.setValue(options.max_tokens)
        indent(self.length)
        self.length.setSuffix(" " + tr("tokens"))
        self.seed = QLineEdit("" if options.seed is None else str(options.seed))
        self.seed.setPlaceholderText(tr("another one each time"))
        self.seed.setValidator(QRegularExpressionValidator(SEED, self.seed))
        self.alone = QCheckBox(tr("Only this computer"))
        self.alone.setChecked(options.alone)
        self.over_swarm = QCheckBox(tr("Prefer other computers"))
        self.over_swarm.setChecked(options.over_swarm)
        self._model_words = label("", "muted", wrap=True)
        self.show_offers(offers, options.model)
        self._build()

    def show_offers(self, offers: list[ModelOffer], wanted: str | None) -> None:
        """Offer these models, `wanted` in front; None, or one that is gone, is the usual one."""
        chosen = next((offer.title for offer in offers if offer.chosen), "")
        self.model.clear()
        self.model.addItem(tr("The one chosen here") if chosen else tr("Potluck's own guide"), None)
        for offer in offers:
            self.model.addItem(offer.title, offer.name)
        self.model.setCurrentIndex(max(0, self.model.findData(wanted)))
        if chosen:
            usual = tr("Under Models, {model} is chosen.").format(model=chosen)
        else:
            usual = tr("Under Models none is chosen; until one is, the small guide answers.")
        words = f"{tr('Who writes the answers.')} {usual}"
        self._model_words.setText(words)
        self._name(self.model, tr("Model"), words)

    @staticmethod
    def _number(value: float, least: float, most: float, step: float) -> QDoubleSpinBox:
        made = PlainNumber()
        made.setRange(least, most)
        made.setSingleStep(step)
        made.setDecimals(2)
        made.setValue(value)
        indent(made)
        return made

    def _build(self) -> None:
        inside = QWidget()
        inside.setProperty("look", "page")
        column = QVBoxLayout(inside)
        column.setContentsMargins(looks.WIDE, looks.WIDE, looks.WIDE, looks.SMALL)
        column.setSpacing(looks.MEDIUM)
        grid = QGridLayout()
        grid.setHorizontalSpacing(looks.WIDE)
        grid.setVerticalSpacing(looks.MEDIUM)
        grid.setColumnStretch(0, 1)
        rows: tuple[tuple[str, str, QWidget], ...] = (
            (tr("Model"), "", self.model),
            (
                tr("Temperature"),
                tr("0 always takes the likeliest word; 1 is livelier and errs more."),
                self.temperature,
            ),
            (
                tr("Top p"),
                tr("How many of the likelier words may be chosen from; 1 means all of them."),
                self.top_p,
            ),
            (
                tr("Longest answer"),
                tr("Where it is cut off. A token is a short word, or a part of a longer one."),
                self.length,
            ),
            (
                tr("Seed"),
                tr("With a number here, the same question gets the same answer again."),
                self.seed,
            ),
        )
        title = label(tr("Instructions"))
        title.setBuddy(self.system)
        self._name(self.system, tr("Instructions"), tr("What every answer keeps to."))
        column.addWidget(title)
        column.addWidget(self.system)
        for number, (name, words, field) in enumerate(rows):
            field.setFixedWidth(FIELD_PIXELS)
            if words:
                self._name(field, name, words)
            texts = QVBoxLayout()
            texts.setSpacing(0)
            title = label(name)
            title.setBuddy(field)
            texts.addWidget(title)
            texts.addWidget(label(words, "muted", wrap=True) if words else self._model_words)
            grid.addLayout(texts, number, 0)
            grid.addWidget(field, number, 1)
        column.addLayout(grid)
        column.addWidget(
            Explained(
                self.alone,
                tr(
                    "Nobody else can read along. Only models that fit here whole can answer so, "
                    "at the speed of this computer."
                ),
            )
        )
        column.addWidget(
            Explained(
                self.over_swarm,
                tr(
                    "Even when this computer is faster by itself. It still answers alone when "
                    "nobody else can, and may when it shares every layer."
                ),
            )
        )
        scrolling = QScrollArea()
        scrolling.setWidget(inside)
        scrolling.setWidgetResizable(True)
        scrolling.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scrolling.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        row = QHBoxLayout()
        row.setContentsMargins(looks.WIDE, looks.SMALL, looks.WIDE, looks.LARGE)
        row.setSpacing(looks.MEDIUM)
        row.addStretch(1)
        row.addWidget(button(tr("Cancel"), self.reject))
        save = button(tr("Save"), self.accept, "primary")
        save.setDefault(True)
        row.addWidget(save)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(scrolling, 1)
        outer.addLayout(row)
        # All of it where the screen is high enough; else it scrolls.
        wanted = column.totalHeightForWidth(WIDTH) + row.sizeHint().height()
        self.resize(WIDTH, min(wanted, self.screen().availableGeometry().height() - SPARE_PIXELS))

    @staticmethod
    def _name(field: QWidget, name: str, words: str) -> None:
        field.setAccessibleName(name)
        field.setAccessibleDescription(words)

    def options(self) -> ConversationOptions:
        """What stands in the dialog."""
        seed = self.seed.text().strip()
        return ConversationOptions(
            model=self.model.currentData(),
            system=self.system.toPlainText(),
            temperature=self.temperature.value(),
            top_p=self.top_p.value(),
            max_tokens=self.length.value(),
            seed=int(seed) if seed.isascii() and seed.isdigit() and len(seed) < 18 else None,
            alone=self.alone.isChecked(),
            over_swarm=self.over_swarm.isChecked(),
        )
