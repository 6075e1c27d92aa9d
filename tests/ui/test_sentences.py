"""What the node says, said in the person's language."""

from __future__ import annotations

import string
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QLocale

from app.api.shapes import ErrorBody
from app.layer_words import layers_among
from app.sentences import At, Said, say
from app.ui.sentences import error_words, headline, layers, told, told_all
from app.ui.translations import install_language
from app.wordings import WORDINGS
from tests.helpers.fake_node_data import snapshot_at_rest
from tools.translations import FOLDER, read_translations


@pytest.fixture
def german(qapp) -> Iterator[None]:
    translator = install_language(qapp, "de")
    yield
    qapp.removeTranslator(translator)
    QLocale.setDefault(QLocale("en_GB"))


def test_every_code_of_the_node_has_german_words_with_the_same_open_places() -> None:
    german = read_translations(FOLDER / "potluck_de.ts")
    for code, template in WORDINGS.items():
        words = german.get(template)
        assert words, code
        shown = [sorted(map(str, string.Formatter().parse(t))) for t in (template, words)]
        assert len([p for p in string.Formatter().parse(words) if p[1]]) == len(
            [p for p in string.Formatter().parse(template) if p[1]]
        ), shown


def test_english_is_what_the_node_said(qapp) -> None:
    assert told("The node's own words.", Said("battery")) == "The node's own words."


def test_layers_in_english(qapp) -> None:
    assert layers(0, 38, 38) == "all 36 layers"
    assert layers(0, 15, 38) == "the input and layers 1 to 14"
    assert layers(36, 38, 38) == "layer 36 and the output"
    assert layers(5, 5, 38) == "no layers"


def test_layers_in_german(german) -> None:
    assert layers(0, 38, 38) == "alle 36 Schichten"
    assert layers(0, 15, 38) == "die Eingabe und die Schichten 1 bis 14"
    assert layers(36, 38, 38) == "Schicht 36 und die Ausgabe"
    assert layers(5, 5, 38) == "keine Schichten"
    lacking = say("nobody_serves", units=layers_among([0, 3, 5, 6, 9], 9))
    shown = told(lacking.words, lacking.said)
    assert "hält gerade die Eingabe, die Schichten 3, 5-6 und die Ausgabe dieses Modells" in shown


def test_a_sentence_and_its_pieces_are_translated(german) -> None:
    sentence = say("sharing", layers=say("some_layers", count=1200), model="Qwen3 8B")
    assert told(sentence.words, sentence.said) == "Teilt 1.200 Schichten von Qwen3 8B"
    pause = say("by_hand", when=say("until_resumed"))
    assert told(pause.words, pause.said) == "Von Ihnen pausiert (bis Sie fortsetzen)"


def test_sizes_numbers_and_times_are_written_as_in_the_persons_country(german) -> None:
    disk = say("disk_full", free=1_500_000_000, folder="/x")
    assert "1,5 GB sind frei" in told(disk.words, disk.said)
    rest = say("in_use", minutes=2.5)
    assert "2,5 Minuten" in told(rest.words, rest.said)
    until = say("until", time=At(1_893_456_000.0, "Monday 8:00"))
    assert told(until.words, until.said).startswith("bis ")
    assert "Monday" not in told(until.words, until.said)


def test_labels_of_settings_are_translated_one_by_one(german) -> None:
    later = say("next_start", labels=["Language", "Upload"])
    assert (
        told(later.words, later.said)
        == "Gilt ab dem nächsten Start von Potluck: "
        + ", ".join(
            read_translations(FOLDER / "potluck_de.ts").get(label) or label
            for label in ("Language", "Upload")
        )
        + "."
    )


@pytest.mark.parametrize(
    "said",
    [
        None,
        Said(),
        Said("from_a_newer_node", {"a": 1}),
        Said("always_runs"),
        Said("disk_full", {"free": "much", "folder": "/x"}),
        Said("until", {"time": 1e300}),
        Said("by_hand", {"when": Said("of_a_newer_node")}),
    ],
)
def test_what_this_window_does_not_know_is_said_in_the_nodes_words(german, said) -> None:
    assert told("As the node said.", said) == "As the node said."


def test_pieces_without_end_are_not_followed(german) -> None:
    said = Said("by_hand")
    for _ in range(50):
        said = Said("by_hand", {"when": said})
    assert told("As the node said.", said) == "As the node said."


def test_several_keep_their_order_and_a_wrong_count_keeps_the_nodes_words(german) -> None:
    both = [say("no_hour"), say("limits_allow_nothing")]
    words = [one.words for one in both]
    assert told_all(words, [one.said for one in both])[0].startswith("Ihr Zeitplan")
    assert told_all(words, [both[0].said]) == words


def test_errors_and_the_headline_are_translated(german) -> None:
    error = say("prompt_empty")
    body = ErrorBody(code="invalid_value", words=error.words, said=error.said)
    assert error_words(body) == "Die Eingabe ist leer; nichts wurde gesendet."
    assert headline(snapshot_at_rest()) == "Teilt 14 Schichten von Qwen3 8B"
