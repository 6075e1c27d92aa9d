"""The models: what fits, what it would cost, and choosing one."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtWidgets import QPushButton

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
        "Fits: 14 of 38 layers; needed most: layers 1 to 14",
        "Fits whole",
        "Does not fit: not even one layer has room in memory.",
    ]


def test_it_says_what_to_expect() -> None:
    assert detail_words(OFFERS[0]) == (
        "5.0 GB in all · 1.8 GB to download · about 14.2 tokens/s"
        " · served by 23 computers · Apache-2.0 · in the catalogue"
    )
    assert "nothing to download · speed not measured yet · served by 1 computer" in detail_words(
        OFFERS[1]
    )


def test_one_is_chosen_and_the_page_shows_it(page, fake, wait, qtbot) -> None:
    page.refresh()
    wait(lambda: len(page.cards) == 3)
    take = page.cards[1].findChild(QPushButton)
    assert take.accessibleName() == "Share Potluck guide"
    with qtbot.waitSignal(page.chosen):
        take.click()
    assert ("choose", ChooseModelRequest(model="guide-7m")) in fake.node.asked
    wait(lambda: page.cards[1].offer.chosen)


def test_what_does_not_fit_cannot_be_chosen(page) -> None:
    page.show_offers(OFFERS)
    assert not page.cards[2].findChild(QPushButton).isEnabled()


def test_no_models_is_a_page_too(page) -> None:
    page.show_offers([])
    assert page.empty.isVisible()
    page.show_offers([msgspec.structs.replace(OFFERS[0], title="<b>x</b>")])
    assert not page.empty.isVisible()
