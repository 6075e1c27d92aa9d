"""The desktop program as a person meets it: a real screen, a real node, real neighbours.

Start, consent, share, chat with the guide over three nodes, pause from the tray's menu,
quit, and nothing is left running.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.api.shapes import API_PREFIX, NODE_FILE, TOKEN_FILE
from app.command_line.demo import share_out
from app.process_lock import data_folder_lock
from tests.helpers.processes import all_gone
from tests.helpers.screen import Screen, WindowBox, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = "potluck"
QUIET_RULES = """
pause_on_other_cpu = false
pause_on_full_screen = false
pause_on_battery = false
temperature_ceiling_celsius = 110
keyring = false
"""
"""What happens on the machine of the test must not pause what it tests."""
GUIDE_BLOCKS = 8
END_SECONDS = 60.0


class Window:
    """The desktop program's process, with what a test wants to know of its node."""

    def __init__(self, folder: Path, screen: Screen, *arguments: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app", "--data-dir", str(folder), *arguments],
            env=screen.environment | {"PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def node(self) -> dict[str, Any]:
        """What the node's file says; empty while there is none."""
        try:
            found: dict[str, Any] = json.loads((self.folder / NODE_FILE).read_text())
        except (OSError, ValueError):
            return {}
        return found

    def ask(self, path: str) -> Any:
        """A question to the node's API, past the window."""
        token = (self.folder / TOKEN_FILE).read_text().strip()
        request = urllib.request.Request(
            f"{self.node()['api']}{API_PREFIX}{path}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def answered(self) -> dict[str, Any] | None:
        """The answer of the newest conversation, once it is complete."""
        heads = self.ask("/conversations")
        if not heads:
            return None
        messages = self.ask(f"/conversations/{heads[0]['id']}")["messages"]
        if not messages:  # what was typed follows
            return None
        last: dict[str, Any] = messages[-1]
        done = last["role"] == "assistant" and last["state"] != "writing"
        return last if done else None

    def end(self) -> None:
        """End whatever still runs, after a test that failed."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        for process in [self.process, *family]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with Screen(home) as made:
        yield made


@pytest.fixture
def neighbours(tmp_path: Path) -> Iterator[str]:
    """Three nodes that hold the guide together; how to name the first."""
    processes: list[subprocess.Popen[bytes]] = []
    bootstrap = ""
    try:
        for number, span in enumerate(share_out(GUIDE_BLOCKS, 3)):
            folder = tmp_path / f"node{number}"
            folder.mkdir()
            (folder / "settings.toml").write_text(QUIET_RULES)
            command = [sys.executable, "-m", "app", "node", "--data-dir", str(folder)]
            command += ["--listen", "127.0.0.1:0", "--units", str(span)]
            command += ["--bootstrap", bootstrap] if bootstrap else ["--public"]
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            processes.append(process)
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            bootstrap = bootstrap or f"{ready['peer_id']}@{ready['listen']}"
        yield bootstrap
    finally:
        for process in processes:
            process.terminate()
            process.communicate(timeout=END_SECONDS)


@pytest.fixture
def window(tmp_path: Path, screen: Screen, neighbours: str) -> Iterator[Window]:
    folder = tmp_path / "data"
    folder.mkdir()
    rules = f'{QUIET_RULES}listen = "127.0.0.1:0"\nbootstrap = ["{neighbours}"]\n'
    (folder / "settings.toml").write_text(rules)
    made = Window(folder, screen)
    yield made
    if made.process.poll() is None:
        made.end()
    else:
        made.process.wait()


def test_a_whole_day_with_potluck(screen: Screen, window: Window) -> None:
    wait_for(lambda: screen.tray_icon(PROGRAM), "the icon in the tray")
    shown = wait_for(lambda: screen.main_window(PROGRAM), "the window")
    wait_for(lambda: window.node().get("api"), "the node")
    wait_for(lambda: window.ask("/status")["consented"] is None, "the question")

    # Nothing is shared before the last of the three screens is agreed to.
    screen.type_into(shown, "Return", "Return")
    assert window.ask("/status")["state"] == "idle"

    def agreed() -> bool:
        status = window.ask("/status")
        if status["consented"] is None:  # a key that came before its screen was not heard
            screen.press("Return")
        return bool(status["state"] == "sharing")

    wait_for(agreed, "sharing")

    screen.type_into(shown, "ctrl+2")
    screen.write("What is Potluck?")
    screen.press("Return")
    answer = wait_for(window.answered, "an answer")
    assert answer["state"] == "done", answer
    assert len(answer["content"]) > 10
    assert answer["chain"]

    worker = psutil.Process(wait_for(lambda: window.node().get("worker_pid"), "the worker"))
    screen.open_tray_menu(PROGRAM)
    screen.press("Down", "Right", "Return")
    wait_for(lambda: window.ask("/status")["state"] == "paused", "the pause")
    pause = window.ask("/status")["pause"]
    assert pause["reason"] == "manual"
    assert pause["until"] is not None
    wait_for(lambda: not worker.is_running(), "the worker's memory")

    family = [psutil.Process(window.process.pid), psutil.Process(window.node()["pid"])]
    family += [child for process in family for child in process.children(recursive=True)]
    port = int(window.node()["api"].rsplit(":", 1)[1])
    screen.open_tray_menu(PROGRAM)
    screen.press("Up", "Return")
    assert window.process.wait(END_SECONDS) == 0
    assert all_gone(family, seconds=END_SECONDS), family
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    with data_folder_lock(window.folder):
        assert not (window.folder / NODE_FILE).exists()
    wait_for(lambda: not screen.windows(PROGRAM), "an empty screen")


def test_a_second_launch_raises_the_first_window(screen: Screen, window: Window) -> None:
    shown = wait_for(lambda: screen.main_window(PROGRAM), "the window")
    wait_for(lambda: window.node().get("api"), "the node")
    wait_for(lambda: screen.tray_icon(PROGRAM), "the icon in the tray")
    screen.type_into(shown, "alt+F4")
    wait_for(lambda: screen.main_window(PROGRAM) is None, "the window to hide")
    second = Window(window.folder, screen)
    assert second.process.wait(END_SECONDS) == 0
    wait_for(lambda: screen.main_window(PROGRAM), "the window to come back")
    assert window.process.poll() is None


def test_the_window_may_crash_and_sharing_goes_on(screen: Screen, window: Window) -> None:
    wait_for(lambda: window.node().get("api"), "the node")
    node = psutil.Process(window.node()["pid"])
    window.process.kill()
    window.process.wait()
    assert node.is_running()
    assert window.ask("/status")["version"]
    wait_for(lambda: not screen.windows(PROGRAM), "the end of its windows")
    again = Window(window.folder, screen)
    try:
        wait_for(lambda: screen.main_window(PROGRAM), "the window")
        assert window.node()["pid"] == node.pid, "the node that runs is joined, not doubled"
        os.kill(again.process.pid, signal.SIGTERM)
        assert again.process.wait(END_SECONDS) == 0
        assert all_gone([node], seconds=END_SECONDS)
    finally:
        if again.process.poll() is None:
            again.end()


def test_a_node_that_is_killed_comes_back(screen: Screen, window: Window) -> None:
    wait_for(lambda: window.node().get("api"), "the node")
    wait_for(lambda: screen.main_window(PROGRAM), "the window")
    first = psutil.Process(window.node()["pid"])
    first.kill()
    assert all_gone([first], seconds=END_SECONDS)
    wait_for(lambda: window.node().get("pid") not in (None, first.pid), "another node")
    wait_for(lambda: window.ask("/status")["version"], "its answer")
    os.kill(window.process.pid, signal.SIGTERM)
    assert window.process.wait(END_SECONDS) == 0


def other_window(screen: Screen, shown: WindowBox) -> WindowBox | None:
    """What the program shows besides its window."""
    others = [box for box in screen.windows(PROGRAM) if box.key != shown.key]
    return others[0] if others else None


def test_without_a_tray_the_window_stays_until_one_comes(tmp_path: Path) -> None:
    home = tmp_path / "bare"
    home.mkdir(mode=0o700)
    with Screen(home, tray=False) as screen:
        window = Window(tmp_path / "bare-data", screen, "--hidden")
        try:
            # Hidden in no tray nobody would find it: it is shown after a while.
            shown = wait_for(lambda: screen.main_window(PROGRAM), "the window")
            wait_for(lambda: window.node().get("api"), "the node")
            screen.type_into(shown, "alt+F4")
            question = wait_for(lambda: other_window(screen, shown), "the question")
            screen.type_into(question, "Escape")
            wait_for(lambda: len(screen.windows(PROGRAM)) == 1, "the answer")
            screen.open_tray()
            wait_for(lambda: screen.tray_icon(PROGRAM), "the icon in the tray")
            screen.type_into(shown, "alt+F4")
            wait_for(lambda: screen.main_window(PROGRAM) is None, "the window to hide")
            assert window.process.poll() is None
            os.kill(window.process.pid, signal.SIGTERM)
            assert window.process.wait(END_SECONDS) == 0
        finally:
            if window.process.poll() is None:
                window.end()
