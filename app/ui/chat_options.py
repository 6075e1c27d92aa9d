"""How a conversation is answered: instructions, temperature, length, and by whom."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.api.shapes import ConversationOptions, ModelOffer
from app.ui import theme as looks
from app.ui.controls import button, label
from app.ui.setting_fields import PlainNumber, indent
from app.ui.translations import tr


class ChatOptions(QDialog):
    """A dialog over one conversation's options; `options` gives what was chosen."""

    def __init__(
        self, parent: QWidget, options: ConversationOptions, offers: list[ModelOffer]
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("How this chat is answered"))
        self.setMinimumWidth(480)
        self.system = QPlainTextEdit(options.system)
        self.system.setPlaceholderText(tr("For example: answer in short sentences."))
        self.system.setTabChangesFocus(True)
        self.system.setFixedHeight(96)
        self.model = QComboBox()
        self.model.addItem(tr("As this computer serves"), None)
        for offer in offers:
            self.model.addItem(offer.title, offer.name)
        self.model.setCurrentIndex(max(0, self.model.findData(options.model)))
        self.temperature = self._number(options.temperature, 0.0, 10.0, 0.1)
        self.top_p = self._number(options.top_p, 0.01, 1.0, 0.05)
        self.length = QSpinBox()
        self.length.setRange(1, 1 << 20)
        self.length.setValue(options.max_tokens)
        indent(self.length)
        self.length.setSuffix(" " + tr("tokens"))
        self.seed = QLineEdit("" if options.seed is None else str(options.seed))
        self.seed.setPlaceholderText(tr("another one each time"))
        self.alone = QCheckBox(tr("Only this computer: slower, but nobody else can read along"))
        self.alone.setChecked(options.alone)
        self._build()

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
        column = QVBoxLayout(self)
        column.setContentsMargins(looks.WIDE, looks.WIDE, looks.WIDE, looks.LARGE)
        column.setSpacing(looks.LARGE)
        form = QFormLayout()
        form.setHorizontalSpacing(looks.LARGE)
        form.setVerticalSpacing(looks.MEDIUM)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        rows: tuple[tuple[str, str, QWidget], ...] = (
            (tr("Instructions"), tr("What every answer keeps to."), self.system),
            (tr("Model"), "", self.model),
            (tr("Temperature"), tr("0 always takes the likeliest word."), self.temperature),
            (tr("Top p"), tr("How much of the likely words is considered."), self.top_p),
            (tr("Longest answer"), "", self.length),
            (tr("Seed"), tr("The same number gives the same answer."), self.seed),
        )
        for name, tip, field in rows:
            field.setAccessibleName(name)
            field.setAccessibleDescription(tip)
            field.setToolTip(tip)
            title = label(name)
            title.setToolTip(tip)
            title.setBuddy(field)
            form.addRow(title, field)
        column.addLayout(form)
        column.addWidget(self.alone)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(button(tr("Cancel"), self.reject))
        save = button(tr("Save"), self.accept, "primary")
        save.setDefault(True)
        row.addWidget(save)
        column.addLayout(row)

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
        )
