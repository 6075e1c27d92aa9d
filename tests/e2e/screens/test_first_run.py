"""The first run against a node that the window itself started: what was chosen is what happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from app.ui.desktop import Desktop
from tests.e2e.screens.conftest import Wait, desktop_for
from tests.helpers.desktop_node import DesktopNode

ALONE = "Ready to share all 8 layers of Potluck Guide; not connected to other computers yet"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[DesktopNode]:
    """A data folder that no node has used yet."""
    with DesktopNode(tmp_path / "fresh") as made:
        yield made


@pytest.fixture
def desktop(qapp, theme, fresh, wait, monkeypatch) -> Iterator[Desktop]:
    """A desktop that starts its node, and ends it when it quits."""
    asked: list[int] = []
    monkeypatch.setattr(QApplication, "quit", lambda *_: asked.append(1))
    made = desktop_for(qapp, theme, fresh.folder)
    wait(lambda: made.backend.is_connected and made.window.settings.fields)
    yield made
    made.quit()
    wait(lambda: asked)
    process = made.node._process
    assert process is not None
    assert process.wait(10) == 0
    assert fresh.told() == {}
    made.window.deleteLater()
    made.deleteLater()


def test_who_skips_it_shares_nothing_and_is_answered(
    desktop: Desktop, fresh: DesktopNode, wait: Wait
) -> None:
    window = desktop.window
    assert window.first_run.isVisible()
    assert fresh.status["consented"] is None
    window.first_run.skip.click()
    wait(lambda: fresh.status["consented"] is False)
    assert window.pages.currentWidget() is window.chat
    wait(lambda: not window.first_run.isVisible())

    chat = window.chat
    chat.composer.field.setPlainText("What is Potluck?")
    chat.composer.button.click()
    wait(lambda: chat.transcript.messages and chat.transcript.messages[-1].line.text())
    line = chat.transcript.messages[-1].line.text()
    assert "Answered by this computer" in line
    assert "nobody else could read it" in line

    status = fresh.status
    assert (status["state"], status["sharing_wanted"]) == ("idle", False)
    assert status["model"] is None
    assert "worker_pid" not in fresh.told()
    assert window.dashboard.state.begin.isVisibleTo(window.dashboard)


def test_who_agrees_shares_within_what_was_chosen(
    desktop: Desktop, fresh: DesktopNode, wait: Wait
) -> None:
    window, run = desktop.window, desktop.window.first_run
    run.next.click()
    run._amount.button(0).click()
    run.next.click()
    assert fresh.status["state"] == "idle"
    assert fresh.setting("disk_quota_bytes") != 5 * 10**9
    run.next.click()
    wait(lambda: fresh.status["state"] == "sharing")
    assert window.pages.currentWidget() is window.dashboard
    wait(lambda: window.dashboard.state.headline.text() == ALONE)
    assert desktop.tray.headline.text() == ALONE
    wait(lambda: "worker_pid" in fresh.told())
    kept = (fresh.folder / "settings.toml").read_text()
    assert "cpu_percent_in_use = 15\n" in kept
    assert "disk_quota_bytes = 5000000000\n" in kept

    # The settings show what was chosen on the way, in the same words.
    window.go("settings")
    fields = window.settings.fields
    wait(lambda: fields["cpu_percent_in_use"].widget.value() == 15)
    assert fields["disk_quota_bytes"].widget.text() == "5 GB"
    assert not fields["start_at_login"].widget.isChecked()
    assert not desktop._autostart.is_on()
