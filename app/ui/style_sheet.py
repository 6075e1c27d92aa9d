"""The style sheet, with the colours left open; `app/ui/theme.py` fills them in.

Widgets say what they are with the property `look`; nothing here names a single widget.
"""

from __future__ import annotations

from string import Template
from typing import Final

STYLE_SHEET: Final = Template("""
QWidget { color: $text; }
QMainWindow, QDialog, QWidget[look="page"] { background: $window; }
QToolTip { background: $surface; color: $text; border: 1px solid $line; padding: 4px 6px; }
QBalloonTip { background: $surface; color: $text; }
QBalloonTip QPushButton { border: none; padding: 0; background: transparent; }
QLabel { background: transparent; }
QLabel[look="title"] { font-size: 15pt; font-weight: 600; }
QLabel[look="strong"] { font-weight: 600; }
QLabel[look="muted"] { color: $muted; }
QLabel[look="figure"] { font-size: 15pt; font-weight: 600; }
QLabel[look="trouble"] { color: $danger; }

QFrame[look="card"] { background: $surface; border: 1px solid $line; border-radius: 10px; }
QFrame[look="side"] { background: $sunken; border: none; }
QFrame[look="list"] { background: $window; border: none; border-right: 1px solid $line; }
QFrame[look="bar"] { background: $window; border: none; border-bottom: 1px solid $line; }
QFrame[look="question"] { background: $accent_soft; border: none; border-radius: 12px; }
QFrame[look="warning"] { background: $warning_soft; border: none; border-radius: 8px; }
QFrame[look="danger"] { background: $danger_soft; border: none; border-radius: 8px; }
QFrame[look="warning"] QLabel { color: $text; }
QFrame[look="danger"] QLabel { color: $text; }
QFrame[look="line"] { background: $line; border: none; max-height: 1px; min-height: 1px; }

QPushButton { background: $surface; border: 1px solid $edge; border-radius: 7px;
    padding: 6px 14px; }
QPushButton:hover { background: $sunken; }
QPushButton:pressed { background: $line; }
QPushButton:focus { border: 2px solid $accent; padding: 5px 13px; }
QPushButton:disabled { color: $edge; border-color: $line; }
QPushButton[look="primary"] { background: $accent; border-color: $accent; color: $on_accent;
    font-weight: 600; }
QPushButton[look="primary"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[look="primary"]:focus { border: 2px solid $text; }
QPushButton[look="primary"]:disabled { background: $line; border-color: $line; color: $muted; }
QPushButton[look="quiet"] { background: transparent; border: 1px solid transparent;
    color: $accent; }
QPushButton[look="quiet"]:hover { background: $sunken; }
QPushButton[look="quiet"]:focus { border: 2px solid $accent; }
QPushButton[look="link"] { background: transparent; border: none; color: $accent;
    padding: 6px 0; text-align: left; }
QPushButton[look="link"]:hover { color: $accent_hover; }
QPushButton[look="link"]:focus { text-decoration: underline; padding: 6px 0; }
QPushButton[look="danger"] { color: $danger; border-color: $danger; }
QPushButton::menu-indicator { image: none; width: 0; }

QToolButton { background: transparent; border: 1px solid transparent; border-radius: 6px;
    padding: 4px; color: $muted; }
QToolButton:hover { background: $sunken; }
QToolButton:pressed, QToolButton:checked { background: $line; }
QToolButton:focus { border: 1px solid $accent; }
QToolButton::menu-indicator { image: none; width: 0; }
QToolButton[look="send"] { background: $accent; border-radius: 16px; padding: 6px; }
QToolButton[look="send"]:hover { background: $accent_hover; }
QToolButton[look="send"]:disabled { background: $line; }
QToolButton[look="send"]:focus { border: 2px solid $text; }
QToolButton[look="place"] { color: $text; padding: 8px 10px; border-radius: 8px; }
QToolButton[look="place"]:hover { background: $line; }
QToolButton[look="place"]:checked { background: $surface; color: $accent; font-weight: 600; }
QToolButton[look="place"]:focus { border: 1px solid $accent; }

QLineEdit, QPlainTextEdit, QTextEdit { background: $surface; border: 1px solid $edge;
    border-radius: 7px; padding: 5px 8px; selection-background-color: $accent;
    selection-color: $on_accent; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus { border: 2px solid $accent;
    padding: 4px 7px; }
QLineEdit[look="fact"] { background: transparent; border: none; padding: 2px 0; }
QLineEdit[look="fact"]:focus { border: none; border-bottom: 1px solid $accent; padding: 2px 0; }
QTextBrowser[look="prose"] { background: transparent; border: none; padding: 0; }
QFrame[look="composer"] { background: $surface; border: 1px solid $edge; border-radius: 14px; }
QFrame[look="composer"] QPlainTextEdit { background: transparent; border: none; padding: 6px; }

QListWidget { background: transparent; border: none; outline: none; }
QListWidget::item { border-radius: 7px; padding: 8px 10px; margin: 1px 0; color: $text; }
QListWidget::item:hover { background: $sunken; }
QListWidget::item:selected { background: $accent_soft; color: $text; }
QListWidget::item:focus { border: 1px solid $accent; }

QTableWidget { background: transparent; border: none; gridline-color: transparent;
    selection-background-color: $accent_soft; selection-color: $text; outline: none; }
QTableWidget::item { padding: 4px 8px 4px 0; border: none; border-bottom: 1px solid $line; }
QHeaderView { background: transparent; }
QHeaderView::section { background: transparent; border: none; color: $muted;
    padding: 4px 8px 4px 3px; border-bottom: 1px solid $line; font-weight: 400; text-align: left; }

QProgressBar { background: $sunken; border: none; border-radius: 4px; max-height: 8px;
    min-height: 8px; }
QProgressBar::chunk { background: $accent; border-radius: 4px; }

QScrollArea { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: $edge; border-radius: 3px; margin: 3px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QCheckBox, QRadioButton { spacing: 8px; background: transparent; border: 2px solid transparent;
    border-radius: 6px; padding: 1px; }
QCheckBox:focus, QRadioButton:focus { border-color: $text; }
QCheckBox::indicator, QRadioButton::indicator, QMenu::indicator { width: 14px; height: 14px;
    border: 1px solid $edge; background: $surface; }
QCheckBox::indicator, QMenu::indicator { border-radius: 4px; }
QRadioButton::indicator { border-radius: 8px; }
QCheckBox::indicator:checked, QMenu::indicator:checked { background: $accent;
    border-color: $accent; image: url("$marks/mark-tick-$look.svg"); }
QRadioButton::indicator:checked { background: $accent; border-color: $accent;
    image: url("$marks/mark-dot-$look.svg"); }

QPlainTextEdit, QTextEdit { padding: 5px 5px; }
QPlainTextEdit:focus, QTextEdit:focus { padding: 4px 4px; }
QComboBox, QSpinBox, QDoubleSpinBox { background: $surface; border: 1px solid $edge;
    border-radius: 7px; padding: 5px 8px; selection-background-color: $accent;
    selection-color: $on_accent; }
QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus { border: 2px solid $accent;
    padding: 4px 7px; }
QComboBox { padding-left: 10px; }
QComboBox:focus { padding-left: 9px; }
QAbstractSpinBox > QLineEdit { border: none; background: transparent; padding: 0 2px; }
QComboBox::drop-down { border: none; width: 24px; subcontrol-origin: padding; }
QComboBox::down-arrow { image: url("$marks/mark-down-$look.svg"); width: 14px; height: 14px; }
QComboBox QAbstractItemView { background: $surface; border: 1px solid $line;
    selection-background-color: $accent_soft; selection-color: $text; outline: none; }
QSpinBox::up-button, QDoubleSpinBox::up-button { border: none; background: transparent;
    width: 22px; subcontrol-origin: border; subcontrol-position: top right; margin-top: 2px; }
QSpinBox::down-button, QDoubleSpinBox::down-button { border: none; background: transparent;
    width: 22px; subcontrol-origin: border; subcontrol-position: bottom right;
    margin-bottom: 2px; }
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow { image: url("$marks/mark-up-$look.svg");
    width: 12px; height: 12px; }
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow { image: url("$marks/mark-down-$look.svg");
    width: 12px; height: 12px; }

QMenu { background: $surface; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 6px 28px 6px 26px; border-radius: 5px; }
QMenu::item:selected { background: $accent_soft; color: $text; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }
QMenu::indicator { left: 7px; }
QSplitter::handle { background: $line; }
""")
