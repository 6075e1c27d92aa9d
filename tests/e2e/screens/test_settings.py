"""The settings, the log and the tray's menu: each act reaches the node and is kept."""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction

from app.ui.controls import Banner
from app.ui.desktop import Desktop
from app.ui.logs_dialog import LogsDialog
from tests.e2e.screens.conftest import Wait
from tests.helpers.desktop_node import DesktopNode
from tests.helpers.laid_out import laid_out, row_of

pytestmark = pytest.mark.xdist_group("screens")


@pytest.fixture(autouse=True)
def _as_before(node: DesktopNode) -> Iterator[None]:
    """What a test set is set back."""
    before = {s["name"]: s["value"] for s in node.ask("GET", "/settings")["settings"]}
    yield
    after = {s["name"]: s["value"] for s in node.ask("GET", "/settings")["settings"]}
    changed = {name: value for name, value in before.items() if after[name] != value}
    if changed:
        node.ask("PATCH", "/settings", changed)


def in_file(node: DesktopNode) -> dict[str, Any]:
    """What the owner's file says."""
    return tomllib.loads((node.folder / "settings.toml").read_text())


def remarks(desktop: Desktop) -> list[str]:
    """The banners that stand at the top of the settings."""
    found = laid_out(desktop.window.settings._remarks)
    return [one.text.text() for one in found if isinstance(one, Banner)]


def test_a_limit_that_is_changed_holds_and_is_kept(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    window = desktop.window
    window.go("settings")
    window.settings.fields["cpu_percent_in_use"].widget.setValue(60)
    wait(lambda: node.setting("cpu_percent_in_use") == 60)
    assert in_file(node)["cpu_percent_in_use"] == 60
    limits = node.status["limits"]
    assert next(limit["asked"] for limit in limits if limit["name"] == "cpu") == 60
    figures = window.dashboard.limits._grid
    wait(lambda: row_of(figures, 0)[1].text().endswith("at most 60 %"))


def test_a_wrong_value_is_refused_in_one_line_and_changes_nothing(
    desktop: Desktop, node: DesktopNode, wait: Wait, qtbot
) -> None:
    page, row = desktop.window.settings, desktop.window.settings.rows["api"]
    desktop.window.go("settings")
    before, kept = node.setting("api"), in_file(node)
    field = page.fields["api"].widget
    field.setText("nowhere")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    wait(lambda: row.is_refused)
    said = row.trouble.text()
    assert said.startswith("Not taken. Write an address, a colon and a port")
    assert said.endswith(f"Until then it stays as it was: {before}.")
    assert "\n" not in said
    assert node.setting("api") == before
    assert in_file(node) == kept
    field.setText(before)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert not row.is_refused


def test_hours_are_painted_and_hours_that_allow_nothing_are_said(
    desktop: Desktop, node: DesktopNode, wait: Wait, qtbot
) -> None:
    window = desktop.window
    window.go("settings")
    grid = window.settings.fields["schedule"].widget
    wait(lambda: grid.isVisible())
    qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, pos=grid._box(0, 0).center().toPoint())
    wait(lambda: node.setting("schedule") == "mon 1-24; tue-sun 0-24")
    qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, pos=grid._box(0, 0).center().toPoint())
    wait(lambda: node.setting("schedule") == "")
    for _ in range(7):
        qtbot.keyClick(grid, Qt.Key.Key_Space, Qt.KeyboardModifier.ShiftModifier)
        qtbot.keyClick(grid, Qt.Key.Key_Down)
    wait(lambda: node.setting("schedule") == "never")
    sentence = "Your schedule allows no hour of the week, so sharing never starts."
    wait(lambda: sentence in remarks(desktop))
    wait(lambda: node.status["pause"] is not None)
    assert node.status["pause"]["reason"] == "schedule"
    wait(lambda: sentence in window.dashboard._warned)
    wait(lambda: desktop.tray.anyway.isVisible())


def test_limits_that_allow_no_work_are_said(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    fields = desktop.window.settings.fields
    fields["cpu_percent_in_use"].widget.setValue(0)
    fields["cpu_percent_away"].widget.setValue(0)
    if fields["gpu_away"].widget.isChecked():
        fields["gpu_away"].widget.click()
    wait(lambda: any("allow no work at all" in said for said in remarks(desktop)))
    wait(lambda: node.status["state"] == "paused")
    assert "your limits allow no work" in node.status["headline"]


def test_the_log_is_shown_as_it_would_be_saved_and_names_nobody(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    page = desktop.window.settings
    node.ask("POST", "/pause", {"kind": "resume"})
    earlier = node.ask("GET", "/logs")["text"]
    page.logs_button.click()
    wait(lambda: page.findChildren(LogsDialog))
    (dialog,) = page.findChildren(LogsDialog)
    text = dialog.text.toPlainText()
    # Lines may come at any time: it is the log of the moment when it was asked for.
    later = node.ask("GET", "/logs")["text"]
    assert text.startswith(earlier)
    assert later.startswith(text)
    assert "Paused by you (until you resume)" in text
    status = node.status
    assert status["peer_id"] not in text
    assert "127.0.0.1" not in text
    assert str(node.folder) not in text
    dialog.reject()
    wait(lambda: not page.findChildren(LogsDialog))


# ── the tray's menu ──────────────────────────────────────────────────────────


def action(desktop: Desktop, text: str) -> QAction:
    """One of the ways to pause."""
    found = {one.text(): one for one in desktop.tray.pause_menu.actions()}
    return found[text]


@pytest.mark.usefixtures("sharing")
def test_a_quarter_of_an_hour_of_peace_from_the_tray(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    tray = desktop.tray
    wait(lambda: tray.headline.text() == "Sharing 4 layers of Potluck Guide")
    asked_at = time.time()
    action(desktop, "For 15 minutes").trigger()
    wait(lambda: node.status["state"] == "paused")
    pause = node.status["pause"]
    assert asked_at + 899 < pause["until"] < time.time() + 901
    wait(lambda: tray.resume.isVisible())
    end = time.strftime("%H:%M", time.localtime(pause["until"])).removeprefix("0")
    # Shortly before midnight it ends on another day, which is named.
    line = rf"Paused by you \(until ([A-Z][a-z]+day )?{end}, 15 minutes left\)"
    wait(lambda: re.fullmatch(line, tray.headline.text()))
    assert desktop.window.dashboard.state.resume.isVisible()
    wait(lambda: "worker_pid" not in node.told())
    tray.resume.trigger()
    wait(lambda: node.status["state"] == "sharing")
    wait(lambda: tray.headline.text() == "Sharing 4 layers of Potluck Guide")
    assert tray.pause_menu.menuAction().isVisible()


@pytest.mark.usefixtures("sharing")
def test_one_part_alone_is_paused_from_the_tray(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    ways = desktop.tray.ways
    ways.gpu.trigger()
    wait(lambda: node.status["gpu_paused"])
    wait(lambda: node.status["state"] == "sharing")
    wait(lambda: ways.gpu.isChecked() and not ways.cpu.isChecked())
    ways.gpu.trigger()
    wait(lambda: not node.status["gpu_paused"])
    wait(lambda: not ways.gpu.isChecked())


def test_the_slow_network_mode_from_the_tray(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    for on in (True, False):
        desktop.tray.slow.trigger()
        wait(partial(_slow_mode_is, desktop, node, on=on))


def _slow_mode_is(desktop: Desktop, node: DesktopNode, *, on: bool) -> bool:
    return node.status["slow_mode"] is on and desktop.tray.slow.isChecked() is on


@pytest.mark.usefixtures("sharing")
def test_an_automatic_pause_is_overruled_from_the_tray(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    tray = desktop.tray
    node.ask("PATCH", "/settings", {"schedule": "never"})
    wait(lambda: tray.anyway.isVisible())
    assert tray.headline.text().startswith("Paused: outside your hours")
    tray.anyway.trigger()
    wait(lambda: node.status["state"] == "sharing")
    wait(lambda: tray.headline.text().startswith("Sharing 4 layers of Potluck Guide ("))
    assert "sharing anyway" in tray.headline.text()
    assert tray.headline.text().count("(") == 1
