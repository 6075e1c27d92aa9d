"""The overview says what is so, from the snapshot alone."""

from __future__ import annotations

import msgspec
import pytest

from app.api.shapes import Download, Pause
from app.ui.dashboard import Dashboard
from app.ui.pausing import Pausing
from tests.helpers.fake_node_data import model_at_rest, snapshot_at_rest
from tests.helpers.laid_out import laid_out, row_of
from tests.ui.conftest import unexpected

SHARING = snapshot_at_rest()


@pytest.fixture
def page(qtbot, theme, backend) -> Dashboard:
    made = Dashboard(theme, Pausing(backend, unexpected))
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    return made


def test_it_says_what_is_shared_and_with_whom(page) -> None:
    page.show_snapshot(SHARING)
    assert page.state.headline.text() == "Sharing 14 layers of Qwen3 8B"
    assert page.state.reason.text() == "Helping with 2 conversations now"
    assert page.model.name.text() == "Qwen3 8B: this computer serves layers 1 to 14"
    assert page.model.note.text() == (
        "4 other helpers · every layer is served, 1 layer by one computer only"
    )
    assert [figure.text() for figure in page.totals.figures] == ["12,480", "1,903,221", "6.4 GB"]
    assert page.totals.credits.text() == "Given 12,340 · Taken 2,100"
    assert "Only this computer counts it" in page.totals.credits.toolTip()
    assert "given 310, taken 90" in page.totals.credits.accessibleDescription()
    assert page.tokens.figure.text() == "14.2 tokens/s"
    assert page.network.figure.text() == "↑ 1.7 Mbit/s"


def test_it_says_what_this_computer_is_to_the_model(page) -> None:
    page.show_snapshot(SHARING)
    assert page.model.place.text() == (
        "Chats can fall back on this computer: some of its layers have only one other helper."
    )
    assert "hatched: nobody" in page.model.legend.text()
    page.show_snapshot(snapshot_at_rest(consented=False))
    assert not page.model.place.isVisible()


def test_it_says_what_this_computer_stands_by_for(page) -> None:
    page.show_snapshot(SHARING)
    assert not page.model.beside.isVisible()
    line = "Standing by for layers 20 to 24 of Qwen3 8B"
    model = msgspec.structs.replace(model_at_rest(), beside=line)
    page.show_snapshot(msgspec.structs.replace(SHARING, model=model))
    assert page.model.beside.text() == line
    assert page.model.beside.isVisible()


def test_every_model_that_somebody_serves_has_a_row(page) -> None:
    page.show_snapshot(SHARING)
    assert page.coverage.rows == [
        ("Qwen3 8B", "5 computers · every layer is served, 1 layer by one computer only"),
        ("Llama 3.3 70B", "4 computers · 20 layers are served by nobody"),
        ("Potluck guide", "2 computers · every layer is served by two or more"),
    ]
    assert page.coverage.repairs.text() == "Helpers replaced in your chats: 1 today, 23 ever"
    assert "the answer goes on" in page.coverage.repairs.accessibleDescription()


def test_a_pause_names_its_reason_and_its_way_out(page, fake, wait) -> None:
    pause = Pause(reason="battery", words="on battery", can_override=True)
    page.show_snapshot(
        msgspec.structs.replace(SHARING, state="paused", headline="Paused: on battery", pause=pause)
    )
    assert page.state.headline.text() == "Paused: on battery"
    assert page.state.reason.text() == "It goes on by itself when the reason is gone."
    assert page.state.anyway.isVisible()
    assert page.state.pause.isVisible()
    page.state.anyway.click()
    wait(lambda: ("share_anyway", 3600.0) in fake.node.asked)


def test_the_keyboard_stays_where_it_was_when_a_button_goes(page, qtbot) -> None:
    pause = Pause(reason="battery", words="on battery", can_override=True)
    page.show_snapshot(msgspec.structs.replace(SHARING, state="paused", pause=pause))
    with qtbot.waitActive(page):
        page.activateWindow()
    page.state.anyway.setFocus()
    page.show_snapshot(SHARING)
    assert page.state.pause.hasFocus()


def test_what_rests_is_not_said_to_be_served(page) -> None:
    model = msgspec.structs.replace(model_at_rest(), holders=[], chosen_start=0, chosen_stop=38)
    pause = Pause(reason="manual", words="Paused by you")
    page.show_snapshot(msgspec.structs.replace(SHARING, state="paused", pause=pause, model=model))
    assert page.model.name.text() == "Qwen3 8B: this computer would serve all 36 layers"
    assert page.model.note.text() == "0 other helpers · nobody serves it at the moment"


def test_before_consent_it_invites(page, fake, wait) -> None:
    page.show_snapshot(snapshot_at_rest(consented=False))
    assert "Chat works without sharing" in page.state.reason.text()
    page.state.begin.click()
    wait(lambda: fake.node.asked and fake.node.asked[0][0] == "consent")


def test_a_download_shows_how_far_it_is(page) -> None:
    page.show_snapshot(SHARING)
    assert not page.download.isVisible()
    download = Download(
        model="Qwen3 8B",
        done_bytes=500_000_000,
        total_bytes=2_000_000_000,
        bytes_per_second=5_000_000.0,
        origin="a helper",
    )
    page.show_snapshot(msgspec.structs.replace(SHARING, download=download))
    assert page.download.bar.value() == 250
    assert page.download.note.text() == (
        "500 MB of 2.0 GB · 40.0 Mbit/s · 5 minutes left · from a helper"
    )
    nothing = msgspec.structs.replace(download, total_bytes=0, done_bytes=0)
    page.show_snapshot(msgspec.structs.replace(SHARING, download=nothing))
    page.show_snapshot(SHARING)
    assert not page.download.isVisible()


def test_limits_show_what_is_measured_beside_what_was_asked(page) -> None:
    page.show_snapshot(SHARING)
    assert [cell.text() for cell in row_of(page.limits._grid, 0)] == [
        "Processor while you use the computer",
        "22 % now, at most 25 %",
        "4 threads with rests between batches",
    ]
    page.show_snapshot(msgspec.structs.replace(SHARING, limits=[]))
    assert page.limits._empty.isVisible()


def test_a_limit_that_cannot_be_measured_shows_only_what_was_asked(page) -> None:
    limit = msgspec.structs.replace(SHARING.limits[0], measured=None)
    page.show_snapshot(msgspec.structs.replace(SHARING, limits=[limit]))
    assert row_of(page.limits._grid, 0)[1].text() == "at most 25 %"


def test_without_a_model_it_says_how_to_get_one(page, qtbot) -> None:
    page.show_snapshot(msgspec.structs.replace(SHARING, model=None))
    assert page.model.name.text() == "No model chosen yet."
    assert not page.model.strip.isVisible()
    assert page.helpers.note.text() == "No model chosen yet."


def test_warnings_and_trouble_stand_at_the_top(page) -> None:
    page.show_snapshot(msgspec.structs.replace(SHARING, warnings=["The clock is off."]))
    assert laid_out(page._warnings)[0].text.text() == "The clock is off."
    page.show_trouble("No connection")
    assert page.trouble.isVisible()
    page.show_snapshot(SHARING)
    assert not page.trouble.isVisible()
    assert page._warnings.count() == 0


def test_while_the_node_is_away_nothing_is_said_to_be_shared_or_offered(page) -> None:
    page.show_snapshot(SHARING)
    assert page.state.pause.isVisible()
    shared = page.state.headline.text()
    page.show_trouble("No connection")
    assert page.state.headline.text() == "Not connected to Potluck's node"
    assert not page.state.reason.text()
    assert not page.state.pause.isVisible()
    page.show_snapshot(SHARING)
    assert page.state.headline.text() == shared
    assert page.state.pause.isVisible()


def test_a_state_that_shares_no_more_is_drawn_anew(page) -> None:
    page.show_snapshot(SHARING)
    before = page.state._picture.pixmap().cacheKey()
    page.show_snapshot(msgspec.structs.replace(SHARING, state="problem"))
    assert page.state._picture.pixmap().cacheKey() != before
