"""The overview and the models, told by a real node with two neighbours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel, QMessageBox, QPushButton

from app.ui.desktop import Desktop
from app.ui.message_view import Message
from app.ui.models_page import OfferCard
from tests.e2e.screens.conftest import Neighbours, Wait, ask, change_options
from tests.helpers.desktop_node import DesktopNode
from tests.helpers.laid_out import row_of

pytestmark = [pytest.mark.usefixtures("sharing"), pytest.mark.xdist_group("screens")]

GUIDE_LAYERS = 8


def rows(desktop: Desktop) -> list[list[str]]:
    """What the table of helpers shows."""
    table = desktop.window.dashboard.helpers.table
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def test_it_shows_what_is_shared_and_who_else_does(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    page = desktop.window.dashboard
    half = "every layer is served, 4 layers by one computer only"
    # Who has only just come is a helper, but not ready yet.
    wait(lambda: page.model.note.text() == f"2 other helpers · {half}")
    wait(lambda: page.state.headline.text() == "Sharing 4 layers of Potluck Guide")
    assert page.helpers.table.rowCount() == 2
    assert page.state.pause.isVisible()
    assert page.model.name.text() == (
        "Potluck Guide: this computer serves the input and layers 1 to 4"
    )
    assert page.model.place.text() == (
        "Chats can fall back on this computer: some of its layers have only one other helper."
    )
    wait(lambda: page.coverage.rows == [("Potluck Guide", f"3 computers · {half}")])
    (told,) = [one for one in node.status["coverage"] if one["my_place"] != "none"]
    assert (told["my_place"], told["replicas"]) == ("second", [2] * 5 + [1] * 5)
    assert page.coverage.note.text().startswith("Nobody serves at the moment: ")
    # The first half is there twice: this computer and a helper.
    holders = node.status["model"]["holders"]
    assert sorted((h["start"], h["stop"], h["mine"]) for h in holders) == [
        (0, 5, False),
        (0, 5, True),
        (5, 10, False),
    ]
    assert len(page.model.strip._lanes) == 2
    said = page.model.strip.accessibleDescription()
    assert said.count("the input and layers 1 to 4") == 2
    assert "layers 5 to 8 and the output" in said
    assert said.endswith(half)
    assert {row[1] for row in rows(desktop)} == {
        "the input and layers 1 to 4",
        "layers 5 to 8 and the output",
    }


def test_the_helpers_of_an_answer_are_marked_with_their_delay(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    wait(lambda: len(rows(desktop)) == 2)
    answers, helpers = list[Message](), list[Any]()

    def is_helped() -> bool:
        desktop.window.chat.begin_new()
        desktop.window.go("chat")
        change_options(desktop, wait, over_swarm=True)
        answers.append(ask(desktop, wait, "What is Potluck?"))
        holders = node.status["model"]["holders"]
        helpers[:] = [h for h in holders if h["in_chain"] and not h["mine"]]
        return bool(helpers)

    # Who stood still in a test before may be starting anew; until then this computer is alone.
    wait(is_helped)
    answer = answers[-1]
    assert all(h["round_trip_seconds"] is not None for h in helpers)
    wait(lambda: sum(row[4] == "helped" for row in rows(desktop)) == len(helpers))
    for name, _, delay, speed, helped in rows(desktop):
        if helped == "helped":
            assert delay.endswith(" ms")
            assert name in answer.line.text()
        assert speed.endswith(" tokens/s")


@pytest.mark.usefixtures("resting")
def test_work_for_others_is_seen_in_the_graph_and_the_totals(
    desktop: Desktop, node: DesktopNode, neighbours: Neighbours, wait: Wait
) -> None:
    page = desktop.window.dashboard
    node.share(stop=10)
    wait(lambda: page.state.headline.text() == "Sharing all 8 layers of Potluck Guide")
    before = node.status["totals"]["tokens_ever"]
    told = answered(neighbours, wait)
    assert [part["peer_id"] for part in told["chain"]] == [node.status["peer_id"]]
    served = len(told["tokens"])
    assert served
    wait(lambda: node.status["totals"]["tokens_ever"] >= before + served)
    wait(lambda: max(values[0] for values in page.tokens.graph.values) > 0)
    # The speed goes down again and is seen to.
    wait(lambda: page.tokens.graph.values[-1] == (0.0,))
    wait(lambda: page.totals.figures[1].text() == f"{node.status['totals']['tokens_ever']:,}")
    limits = node.status["limits"]
    grid = page.limits._grid
    names = [row_of(grid, row)[0].text() for row in range(len(limits))]
    assert names == [limit["words"] for limit in limits]
    assert names[0] == "Processor while you use the computer"


def answered(neighbours: Neighbours, wait: Wait) -> Any:
    """What a stranger's program is told; the window goes on meanwhile."""
    asking = ("chat", "What is Potluck?", "--json", *neighbours.known)
    process = neighbours.processes.start(*asking)
    wait(lambda: process.poll() is not None)
    told, errors = process.communicate()
    assert process.returncode == 0, errors
    return json.loads(told)


def is_known_well(offers: Any) -> bool:
    """Whether the node has found both neighbours and measured its speed."""
    (guide,) = [one for one in offers if one["units"] == GUIDE_LAYERS + 2]
    return guide["served_by"] == 2 and guide["expected_tokens_per_second"] is not None


def test_models_say_whether_they_fit_and_what_they_take(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    # The page shows what was so when it was opened.
    wait(lambda: is_known_well(node.ask("GET", "/models")))
    desktop.window.go("models")
    names = {offer["name"] for offer in node.ask("GET", "/models")}
    wait(lambda: {card.offer.name for card in cards(desktop)} == names)
    wait(lambda: cards(desktop)[0].offer.served_by == 2)
    wait(lambda: cards(desktop)[0].offer.expected_tokens_per_second is not None)
    guide = cards(desktop)[0]
    assert [card.offer.chosen for card in cards(desktop)] == [True] + [False] * (len(names) - 1)
    texts = [label.text() for label in guide.findChildren(QLabel) if label.text()]
    assert texts[0] == "Potluck Guide"
    assert "Fits whole" in texts
    details = next(text for text in texts if " in all · " in text)
    assert details.startswith("7.8 MB in all · nothing to download · about ")
    assert " · served by 2 computers · " in details
    assert guide.findChild(QPushButton) is None
    assert guide.offer.units == GUIDE_LAYERS + 2


def test_another_model_is_chosen_after_a_question(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    window = desktop.window
    window.go("models")
    wait(lambda: len(cards(desktop)) > 1)
    other = cards(desktop)[-1]
    name = other.offer.name
    other.findChild(QPushButton).click()
    wait(lambda: window.models.findChildren(QMessageBox))
    (question,) = window.models.findChildren(QMessageBox)
    assert question.text() == f"Share {other.offer.title} instead of Potluck Guide?"
    assert node.status["model"]["name"] != name
    question.defaultButton().click()
    wait(lambda: node.status["model"]["name"] == name)
    wait(lambda: window.pages.currentWidget() is window.dashboard)
    wait(lambda: window.dashboard.state.headline.text().endswith(other.offer.title))
    wait(lambda: [c.offer.name for c in cards(desktop) if c.offer.chosen] == [name])


def cards(desktop: Desktop) -> list[OfferCard]:
    """The models that the page shows."""
    return desktop.window.models.cards


def test_about_tells_the_nodes_own_facts(desktop: Desktop, node: DesktopNode) -> None:
    facts, status = desktop.window.about.facts, node.status
    assert facts["peer_id"].text() == status["peer_id"]
    assert facts["listen"].text() == status["listen"]
    assert facts["identity"].text() == str(node.folder / "identity.key")
    assert facts["folder"].text() == str(node.folder)
