"""The words on the screen, through Qt's translators.

English stands in the code; the other languages in `resources/translations`, whose
counterpart is `tools/translations.py`: it finds what is to be translated and compiles it.
All strings share one context, so that a word said in two places is translated once.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QCoreApplication, QLocale, QTranslator
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


def language_wanted(setting: str) -> str:
    """The language for a setting such as "system" or "de": one that we have."""
    code = QLocale.system().name() if setting in ("", "system", "auto") else setting
    short = code.split("_")[0].lower()
    return short if short in LANGUAGES else "en"


def install_language(application: QApplication, language: str) -> QTranslator | None:
    """Show everything in `language` from now on; None for English, which needs no translator.

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
