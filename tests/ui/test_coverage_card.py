"""Every model that somebody serves; see app/ui/coverage_card.py."""

from __future__ import annotations

import msgspec
import pytest

from app.api.shapes import Coverage, Repairs
from app.ui.coverage_bar import CoverageBar
from app.ui.coverage_card import MAX_ROWS, CoverageCard
from tests.helpers.fake_node_data import coverage_at_rest

QWEN, GUIDE, LLAMA = coverage_at_rest()


@pytest.fixture
def card(qtbot, theme) -> CoverageCard:
    made = CoverageCard(theme)
    qtbot.addWidget(made)
    made.show()
    return made


def unserved(one: Coverage, title: str) -> Coverage:
    """The same model without anybody."""
    nobody = [0] * one.units
    return msgspec.structs.replace(one, title=title, replicas=nobody, computers=0, joins=False)


def test_models_that_nobody_serves_are_named_in_one_line(card) -> None:
    alone = [unserved(GUIDE, f"M{number}") for number in range(8)]
    card.show_coverage([QWEN, *alone], Repairs())
    assert [title for title, _ in card.rows] == ["Qwen3 8B"]
    assert card.note.text() == "Nobody serves at the moment: M0, M1, M2, M3, M4, M5, …"
    card.show_coverage([QWEN], Repairs())
    assert not card.note.isVisible()


def test_who_is_on_its_way_is_counted_apart(card) -> None:
    card.show_coverage([msgspec.structs.replace(unserved(GUIDE, "M"), coming=2)], Repairs())
    assert card.rows == [
        ("M", "0 computers · 2 more on their way · nobody serves it at the moment")
    ]


def test_many_models_are_counted_and_not_all_drawn(card) -> None:
    many = [msgspec.structs.replace(GUIDE, title=f"M{n}", computers=n + 1) for n in range(11)]
    card.show_coverage(many, Repairs())
    assert len(card.rows) == MAX_ROWS
    assert card.rows[0][0] == "M10"
    assert card.note.text() == "3 more models are served."


def test_each_bar_says_its_model_and_how_it_is_served(card, qapp) -> None:
    for models in ([GUIDE], [QWEN, LLAMA]):
        card.show_coverage(models, Repairs())
        qapp.processEvents()
    bars = [bar for bar in card.findChildren(CoverageBar) if bar.isVisible()]
    assert [(bar.accessibleName(), bar.accessibleDescription()) for bar in bars] == [
        ("Qwen3 8B", "every layer is served, 1 layer by one computer only"),
        ("Llama 3.3 70B", "20 layers are served by nobody"),
    ]


def test_repairs_are_counted_as_people_write_numbers(card) -> None:
    card.show_coverage([], Repairs(today=2, ever=1234))
    assert card.repairs.text() == "Helpers replaced in your chats: 2 today, 1,234 ever"
