"""The words on the screen, through Qt's translators.

English stands in the code; the other languages in `resources/translations`, whose
counterpart is `tools/translations.py`: it finds what is to be translated and compiles it.
All strings share one context, so that a word said in two places is translated once.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QCoreApplication, QLocale, QObject, Qt, QTranslator, Signal
from PySide6.QtWidgets import QApplication

from app.ui.resources import resources_folder

CONTEXT: Final = "Potluck"
LANGUAGES: Final = {"en": "English", "de": "Deutsch"}


def tr(text: str) -> str:
    """The text in the person's language; English where nobody has translated it yet."""
    return QCoreApplication.translate(CONTEXT, text) if text else ""


def counted(number: int, one: str, many: str) -> str:
    """`one` or `many` in the person's language, with {n} replaced by the number."""
    return tr(one if number == 1 else many).format(n=QLocale().toString(number))


def speaks_english() -> bool:
    """Whether the texts are shown as they stand in the code."""
    return QLocale().language() == QLocale.Language.English


def language_wanted(setting: str) -> str:
    """The language for a setting such as "system" or "de": one that we have."""
    code = QLocale.system().name() if setting in ("", "system", "auto") else setting
    short = code.split("_")[0].lower()
    return short if short in LANGUAGES else "en"


def install_language(application: QApplication, language: str) -> QTranslator | None:
    """Show what is made from now on in `language`; None for English, which needs no translator.

    The translator has to be kept alive by whoever asked. Qt's own texts (buttons of
    message boxes) are ours to set everywhere, so that no second catalogue is needed.
    """
    QLocale.setDefault(QLocale(language) if language != "en" else QLocale("en_GB"))
    if language == "en":
        return None
    translator = QTranslator(application)
    file = resources_folder() / "translations" / f"potluck_{language}.qm"
    if not translator.load(str(file)):
        return None
    application.installTranslator(translator)
    return translator


class Language(QObject):
    """The language of the window, which may change while it is open.

    `changed` comes when new texts are in the new language; what is shown already follows
    by `retranslate` of the tray and the window.

    Args:
        mirrored: write from right to left whatever the language, to try how that looks.
    """

    changed = Signal()

    def __init__(self, application: QApplication, *, mirrored: bool = False) -> None:
        super().__init__(application)
        self._application = application
        self._mirrored = mirrored
        self._translator: QTranslator | None = None
        self.code = ""

    def use(self, setting: str) -> None:
        """Speak the language of a setting such as "system" or "de" from now on."""
        code = language_wanted(setting)
        if code == self.code:
            return
        if self._translator is not None:
            self._application.removeTranslator(self._translator)
            self._translator.deleteLater()
        first, self.code = not self.code, code
        self._translator = install_language(self._application, code)
        direction = QLocale().textDirection()
        if self._mirrored:
            direction = Qt.LayoutDirection.RightToLeft
        self._application.setLayoutDirection(direction)
        if not first:
            self.changed.emit()
