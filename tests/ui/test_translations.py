"""The second language is complete, and every sentence keeps its open places."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QLocale, Qt
from PySide6.QtWidgets import QApplication

from app.ui.translations import LANGUAGES, Language, counted, install_language, language_wanted, tr
from tools.translations import FOLDER, main, read_translations, wanted_strings


def test_german_says_everything() -> None:
    texts = read_translations(FOLDER / "potluck_de.ts")
    assert sorted(text for text in wanted_strings() if not texts.get(text)) == []


def test_no_translation_is_left_over() -> None:
    assert sorted(set(read_translations(FOLDER / "potluck_de.ts")) - wanted_strings()) == []
    assert main([]) == 0


def test_open_places_are_the_same_in_every_language() -> None:
    places = re.compile(r"\{\w+(?::\w+)?\}")
    for path in FOLDER.glob("*.ts"):
        for source, text in read_translations(path).items():
            assert sorted(places.findall(source)) == sorted(places.findall(text)), source


def test_german_is_spoken_from_the_compiled_file(qapp) -> None:
    translator = install_language(qapp, "de")
    assert translator is not None
    try:
        assert tr("Share anyway for 1 hour") == "Trotzdem 1 Stunde teilen"
        assert counted(2500, "{n} token", "{n} tokens") == "2.500 Tokens"
    finally:
        qapp.removeTranslator(translator)
    assert tr("Pause") == "Pause"


def test_every_string_is_in_the_compiled_file(qapp) -> None:
    translator = install_language(qapp, "de")
    try:
        texts = read_translations(FOLDER / "potluck_de.ts")
        assert {source for source, text in texts.items() if tr(source) != text} == set()
    finally:
        qapp.removeTranslator(translator)


def test_a_language_we_do_not_have_becomes_english() -> None:
    assert language_wanted("fr") == "en"
    assert language_wanted("de") == "de"
    assert language_wanted("system") in ("en", "de")


@pytest.fixture
def language(qapp: QApplication) -> Iterator[Language]:
    made = Language(qapp)
    made.use("en")
    yield made
    made.use("en")
    qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
    made.deleteLater()


def test_the_language_changes_there_and_back_and_says_so(language, qtbot) -> None:
    with qtbot.waitSignal(language.changed):
        language.use("de")
    assert (tr("Settings"), QLocale().toString(0.5)) == ("Einstellungen", "0,5")
    with qtbot.waitSignal(language.changed):
        language.use("en")
    assert (tr("Settings"), QLocale().toString(0.5)) == ("Settings", "0.5")


def test_the_same_language_again_changes_nothing(language, qtbot) -> None:
    with qtbot.assertNotEmitted(language.changed):
        language.use("en")


def test_the_direction_of_writing_follows_the_language(language, qapp, monkeypatch) -> None:
    monkeypatch.setitem(LANGUAGES, "ar", "Arabic")
    language.use("ar")
    assert qapp.layoutDirection() == Qt.LayoutDirection.RightToLeft
    assert tr("Settings") == "Settings"
    language.use("de")
    assert qapp.layoutDirection() == Qt.LayoutDirection.LeftToRight


def test_mirrored_writing_stays_mirrored(qapp) -> None:
    made = Language(qapp, mirrored=True)
    made.use("en")
    assert qapp.layoutDirection() == Qt.LayoutDirection.RightToLeft
    qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
    made.deleteLater()
