"""Node, tray and window together: starting, losing the node, quitting."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtNetwork import QNetworkReply
from PySide6.QtWidgets import QApplication

from app.ui.autostart import LinuxAutostart
from app.ui.desktop import Desktop
from app.ui.node_process import NodeProcess
from app.ui.translations import Language, tr

pytestmark = pytest.mark.real

WAIT_MILLISECONDS = 60_000


@pytest.fixture
def quits(qapp, monkeypatch) -> list[int]:
    asked: list[int] = []
    monkeypatch.setattr(QApplication, "quit", lambda *_: asked.append(1))
    return asked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def language(qapp) -> Iterator[Language]:
    made = Language(qapp)
    made.use("en")
    yield made
    made.use("en")


@pytest.fixture
def desktop(qtbot, qapp, theme, language, folder: Path, quits) -> Iterator[Desktop]:
    command = [sys.executable, "-m", "tests.helpers.fake_node_api", "--first-run"]
    folder.mkdir()
    made = Desktop(
        qapp,
        theme,
        language,
        folder,
        NodeProcess(folder, [*command, "--data-dir", str(folder)]),
        LinuxAutostart(["potluck", "--hidden"], folder / "autostart"),
    )

    def is_answered() -> bool:
        replies = made.backend.findChildren(QNetworkReply)
        return not any(r.isRunning() and not r.url().path().endswith("/events") for r in replies)

    made.start(hidden=False)
    qtbot.waitUntil(lambda: made.backend.is_connected, timeout=WAIT_MILLISECONDS)
    yield made
    # What pages have asked for, or the node tells, must not come when they are gone.
    qtbot.waitUntil(is_answered, timeout=WAIT_MILLISECONDS)
    made.quit()
    qtbot.waitUntil(lambda: bool(quits), timeout=WAIT_MILLISECONDS)
    process: Any = made.node._process
    assert process.wait(10) is not None
    made.window.deleteLater()
    made.deleteLater()


def consent(desktop: Desktop, qtbot, *, share: bool = True) -> None:
    window = desktop.window
    qtbot.waitUntil(lambda: window.first_run.isVisible())
    if share:
        for _ in range(3):
            window.first_run.next.click()
    else:
        window.first_run.skip.click()
    backend: Any = desktop.backend
    qtbot.waitUntil(lambda: backend.last.consented is not None)


def test_it_starts_a_node_asks_and_shares(desktop, qtbot) -> None:
    assert desktop.backend.last.consented is None
    consent(desktop, qtbot)
    qtbot.waitUntil(lambda: desktop.backend.last.state == "sharing")
    assert desktop.tray.headline.text() == "Sharing 14 layers of Qwen3 8B"
    assert desktop.window.pages.currentWidget() is desktop.window.dashboard


def test_who_only_chats_lands_in_the_chat(desktop, qtbot) -> None:
    consent(desktop, qtbot, share=False)
    assert desktop.window.pages.currentWidget() is desktop.window.chat
    assert desktop.backend.last.sharing_wanted is False


def test_a_node_that_is_killed_is_said_and_started_again(desktop, qtbot) -> None:
    consent(desktop, qtbot)
    said: list[str] = []
    desktop.node.restarting.connect(said.append)
    first = desktop.node._process
    first.kill()
    first.wait()
    qtbot.waitUntil(lambda: bool(said), timeout=WAIT_MILLISECONDS)
    assert desktop.window.dashboard.trouble.text.text().startswith("Potluck's node ended")
    qtbot.waitUntil(lambda: desktop.backend.is_connected, timeout=WAIT_MILLISECONDS)
    assert desktop.node._process is not first


def test_a_node_that_hangs_up_before_it_is_gone_is_started_again_too(
    desktop, qtbot, monkeypatch
) -> None:
    consent(desktop, qtbot)
    node = desktop.node
    first, runs, looks = node._process, node.is_running, [True]
    monkeypatch.setattr(node, "is_running", lambda: looks.pop() if looks else runs())
    first.kill()
    first.wait()
    qtbot.waitUntil(lambda: node._process is not first, timeout=WAIT_MILLISECONDS)
    qtbot.waitUntil(lambda: desktop.backend.is_connected, timeout=WAIT_MILLISECONDS)


def test_after_the_last_failure_the_overview_offers_another_try(desktop, qtbot) -> None:
    consent(desktop, qtbot)
    node, trouble = desktop.node, desktop.window.dashboard.trouble
    first, command = node._process, node._command
    node._command = ["/nothing/here"]
    first.kill()
    first.wait()
    qtbot.waitUntil(lambda: trouble.button.text() == "Try again", timeout=WAIT_MILLISECONDS)
    assert "/nothing/here could not be started" in trouble.text.text()
    trouble.button.click()
    assert "/nothing/here could not be started" in trouble.text.text()
    node._command = command
    trouble.button.click()
    assert trouble.button.isHidden()
    qtbot.waitUntil(lambda: desktop.backend.is_connected, timeout=WAIT_MILLISECONDS)
    assert trouble.isHidden()


def test_pausing_from_the_tray_reaches_the_window(desktop, qtbot) -> None:
    consent(desktop, qtbot)
    qtbot.waitUntil(lambda: desktop.backend.last.state == "sharing")
    desktop.tray.pause_menu.actions()[1].trigger()
    qtbot.waitUntil(lambda: desktop.window.dashboard.state.resume.isVisible())
    assert desktop.tray.headline.text() == "Paused by you (1 hour left)" or (
        "60 minutes left" in desktop.tray.headline.text()
    )


def test_start_at_login_follows_the_setting_but_never_the_first_look(desktop, qtbot) -> None:
    qtbot.waitUntil(lambda: desktop._login is not None)
    assert not desktop._autostart.is_on()
    for wanted in (True, False):
        desktop.window.settings._change("start_at_login", wanted)
        qtbot.waitUntil(lambda wanted=wanted: desktop._autostart.is_on() == wanted)


def test_the_look_follows_the_setting(desktop, qtbot, theme) -> None:
    qtbot.waitUntil(lambda: desktop._login is not None)
    desktop.window.settings._change("theme", "dark")
    qtbot.waitUntil(lambda: theme.dark)
    desktop.window.settings._change("theme", "light")
    qtbot.waitUntil(lambda: not theme.dark)


def test_quitting_ends_the_node_too(desktop, qtbot, quits, folder: Path) -> None:
    process = desktop.node._process
    desktop.quit()
    qtbot.waitUntil(lambda: bool(quits), timeout=WAIT_MILLISECONDS)
    assert process.poll() is not None
    assert not (folder / "node.json").exists()
    assert not desktop.window.isVisible()


def test_whoever_quits_before_the_node_was_started_starts_none(
    qapp, theme, language, folder: Path, quits
) -> None:
    folder.mkdir()
    node = NodeProcess(folder, ["must-not-be-started"])
    failed: list[str] = []
    node.failed.connect(failed.append)
    login = LinuxAutostart(["potluck", "--hidden"], folder / "autostart")
    made = Desktop(qapp, theme, language, folder, node, login)
    made.start(hidden=True)
    made.quit()
    qapp.processEvents()
    assert quits == [1]
    assert (failed, node._process) == ([], None)
    made.window.deleteLater()
    made.deleteLater()


def test_another_language_is_spoken_at_once(desktop, qtbot) -> None:
    consent(desktop, qtbot)
    window = desktop.window
    qtbot.waitUntil(lambda: bool(window.settings.fields))
    window.go("settings")
    box = window.settings.fields["language"].widget
    box.setCurrentIndex(box.findData("de"))
    box.activated.emit(box.currentIndex())
    qtbot.waitUntil(lambda: tr("Settings") == "Einstellungen")
    qtbot.waitUntil(lambda: window.places["settings"].text() == " Einstellungen")
    assert window.pages.currentWidget() is window.settings
    assert window.settings.fields["language"].widget.currentData() == "de"
    assert desktop.tray.headline.text() == "Teilt 14 Schichten von Qwen3 8B"
    assert desktop.tray.pause_menu.title() == "Pausieren"
    desktop.backend.change_settings({"language": "en"}, window.settings.show_view, lambda _: None)
    qtbot.waitUntil(lambda: window.places["settings"].text() == " Settings")
