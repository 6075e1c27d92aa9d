"""The models: what fits, what it would cost, and choosing one."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtWidgets import QLabel, QMessageBox, QPushButton

from app.api.shapes import ChooseModelRequest
from app.ui.models_page import ModelsPage, detail_words, fit_words
from tests.helpers.fake_node_data import OFFERS


@pytest.fixture
def page(qtbot, theme, backend) -> ModelsPage:
    made = ModelsPage(theme, backend)
    qtbot.addWidget(made)
    made.show()
    return made


def test_it_says_whether_a_model_fits() -> None:
    assert [fit_words(offer) for offer in OFFERS] == [
        "Fits: 14 of 36 layers; needed most: layers 1 to 14",
        "Fits whole",
        "Does not fit: not even one layer has room in memory.",
    ]


def test_it_says_what_to_expect() -> None:
    assert detail_words(OFFERS[0]) == (
        "5.0 GB in all · 1.8 GB to download · about 14.2 tokens/s"
        " · served by 4 computers · licence Apache 2.0 · in the catalogue"
    )
    assert "nothing to download · speed not measured yet · served by 1 computer" in detail_words(
        OFFERS[1]
    )


def test_one_is_chosen_and_the_page_shows_it(page, fake, wait, qtbot) -> None:
    page.refresh()
    wait(lambda: len(page.cards) == 3)
    take = page.cards[1].findChild(QPushButton)
    assert take.accessibleName() == "Share Potluck guide"
    take.click()
    (box,) = page.findChildren(QMessageBox)
    assert box.text() == "Share Potluck guide instead of Qwen3 8B?"
    with qtbot.waitSignal(page.chosen):
        box.defaultButton().click()
    assert ("choose", ChooseModelRequest(model="guide-7m")) in fake.node.asked
    wait(lambda: page.cards[0].offer.name == "guide-7m")


def test_a_change_of_mind_changes_no_model(page, fake, wait) -> None:
    page.refresh()
    wait(lambda: len(page.cards) == 3)
    page.cards[1].findChild(QPushButton).click()
    (box,) = page.findChildren(QMessageBox)
    box.reject()
    assert fake.node.asked == []


def test_the_first_model_is_shared_without_a_question(page, fake, qtbot) -> None:
    page.show_offers([msgspec.structs.replace(OFFERS[1], chosen=False)])
    with qtbot.waitSignal(page.chosen):
        page.cards[0].findChild(QPushButton).click()


def test_the_chosen_one_comes_first_and_what_does_not_fit_last(page) -> None:
    page.show_offers(list(reversed(OFFERS)))
    assert [card.offer.name for card in page.cards] == ["qwen3-8b", "guide-7m", "llama-70b"]


def test_it_says_what_the_models_are_for_that_come_with_potluck(page) -> None:
    page.show_offers([msgspec.structs.replace(OFFERS[1], name="guide-draft-q8_0")])
    shown = [one.text() for one in page.cards[0].findChildren(QLabel)]
    assert any("guess ahead" in text for text in shown)


def test_what_does_not_fit_cannot_be_chosen(page) -> None:
    page.show_offers(OFFERS)
    assert not page.cards[2].findChild(QPushButton).isEnabled()


def test_no_models_is_a_page_too(page) -> None:
    page.show_offers([])
    assert page.empty.isVisible()
    page.show_offers([msgspec.structs.replace(OFFERS[0], title="<b>x</b>")])
    assert not page.empty.isVisible()


def test_a_model_is_added_from_its_file(page, fake, wait) -> None:
    page.take_file("/somewhere/good.json")
    wait(lambda: len(page.cards) == 3)
    assert fake.node.asked == [("add", "/somewhere/good.json")]
    assert not page.trouble.isVisible()
    assert page.add.text() == "Add a model…"


def test_a_file_that_is_no_model_is_refused_in_one_line(page, fake, wait) -> None:
    page.refresh()
    wait(lambda: len(page.cards) == 3)
    page.take_file("/somewhere/holiday.json")
    wait(page.trouble.isVisible)
    text = page.trouble.text.text()
    assert text.startswith("holiday.json was not taken: it is no list of a model's pieces")
    assert "\n" not in text
    assert len(page.cards) == 3
