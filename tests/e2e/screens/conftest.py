"""The window before a real node: two neighbours hold the guide too, and nothing is scripted.

One node for all tests; each asks for the state it needs and leaves no pause behind.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QLocale
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from app.ui.autostart import LinuxAutostart
from app.ui.chat_options import ChatOptions
from app.ui.desktop import Desktop
from app.ui.message_view import Message
from app.ui.node_process import NodeProcess
from app.ui.theme import Theme
from app.ui.translations import Language
from tests.helpers.desktop_node import QUIET_RULES, DesktopNode
from tests.helpers.processes import NodeProcess as Neighbour
from tests.helpers.processes import Processes, until
from tests.helpers.qt_garbage import collected_here

WAIT_SECONDS = 60.0
Wait = Callable[[Callable[[], object]], None]


@pytest.fixture(autouse=True, scope="package")
def _collected_here() -> Iterator[None]:
    with collected_here():
        yield


@pytest.fixture(autouse=True)
def _english() -> None:
    QLocale.setDefault(QLocale("en_GB"))


def wait_until(condition: Callable[[], object]) -> None:
    """Let the program run until something is so."""
    ends_at = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen in time"
        QTest.qWait(10)


@pytest.fixture
def wait() -> Wait:
    """As `wait_until`."""
    return wait_until


@pytest.fixture(scope="session")
def theme(qapp: QApplication) -> Iterator[Theme]:
    made = Theme(qapp, "light")
    made.start()
    yield made
    made.deleteLater()


@dataclass(frozen=True)
class Neighbours:
    """Two more computers with half of the guide each; `known` are the words to find them, and
    `second` is the only other one with the second half."""

    processes: Processes
    bootstrap: str
    known: tuple[str, str]
    first: Neighbour
    second: Neighbour


@pytest.fixture
def second_half(neighbours: Neighbours) -> Iterator[Callable[[int], None]]:
    """Lets the second half of the guide use so many percent of its processor; in the end all."""
    owner = DesktopNode(neighbours.second.folder)

    def may_use(percent: int) -> None:
        limits = {"cpu_percent_in_use": percent, "cpu_percent_away": percent}
        owner.ask("PATCH", "/settings", limits)

    yield may_use
    may_use(100)


@pytest.fixture
def resting(neighbours: Neighbours) -> Iterator[None]:
    """Neither of them serves anything meanwhile; the first still tells who does."""
    owners = [DesktopNode(one.folder) for one in (neighbours.first, neighbours.second)]
    for owner in owners:
        owner.ask("POST", "/pause", {"kind": "resume"})
    yield
    for owner in owners:
        owner.ask("POST", "/resume", {})
    until(lambda: all(owner.status["state"] == "sharing" for owner in owners))


@pytest.fixture(scope="package")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    with Processes(tmp_path_factory.mktemp("neighbours")) as processes:
        api = ("--api", "127.0.0.1:0")
        first = processes.node("--public", "--units", "0:5", *api, settings=QUIET_RULES)
        known = ("--bootstrap", first.name)
        second = processes.node(*known, "--units", "5:10", *api, settings=QUIET_RULES)
        yield Neighbours(processes, first.name, known, first, second)


@pytest.fixture(scope="package")
def node(neighbours: Neighbours, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DesktopNode]:
    """A node as the window starts it; its half of the guide a neighbour has too."""
    rules = f'{QUIET_RULES}bootstrap = ["{neighbours.bootstrap}"]\n'
    with DesktopNode(tmp_path_factory.mktemp("screens") / "desktop", rules) as made:
        made.start()
        made.share()
        yield made


@pytest.fixture
def sharing(node: DesktopNode) -> None:
    """It shares its part, whatever a test before has done."""
    node.share()


@pytest.fixture(scope="package")
def program(qapp: QApplication, theme: Theme, node: DesktopNode) -> Iterator[Desktop]:
    """The whole program, joined to the node; one for all, as on a person's screen."""
    made = desktop_for(qapp, theme, node.folder)
    yield made
    made.node.forget()
    node.keep(made.node._process)
    made.backend.close()
    made.tray.hide()
    made.window.prepare_to_quit()
    made.window.close()
    made.window.deleteLater()
    made.deleteLater()


@pytest.fixture
def desktop(program: Desktop) -> Desktop:
    """The program before a new chat, with everything the node told."""
    wait_until(lambda: program.backend.is_connected and program.window.settings.fields)
    program.window.settings.trouble.say("")
    program.window.chat.begin_new()
    program.window.go("overview")
    return program


def desktop_for(qapp: QApplication, theme: Theme, folder: Path) -> Desktop:
    """A desktop program for a data folder, on the screen."""
    login = LinuxAutostart(["potluck", "--hidden"], folder / "autostart")
    made = Desktop(qapp, theme, Language(qapp), folder, NodeProcess(folder), login)
    made.start(hidden=False)
    return made


def send(desktop: Desktop, wait: Wait, text: str) -> None:
    """Write a question and press the button; the answer begins."""
    page, told = desktop.window.chat, list[bool]()
    desktop.window.go("chat")
    page.composer.field.setPlainText(text)
    page.busy_changed.connect(told.append)
    page.composer.button.click()
    wait(lambda: True in told)  # it may be over before anybody looks
    page.busy_changed.disconnect(told.append)


def ask(desktop: Desktop, wait: Wait, text: str) -> Message:
    """Ask, and wait for the whole answer."""
    page = desktop.window.chat
    send(desktop, wait, text)
    wait(lambda: page._stream is None)
    wait(lambda: page.transcript.messages[-2].key is not None)
    return page.transcript.messages[-1]


def change_options(desktop: Desktop, wait: Wait, **options: Any) -> None:
    """Open the dialog, change some of its fields, and save."""
    page = desktop.window.chat
    page.options.click()
    wait(lambda: page.findChildren(ChatOptions))
    (dialog,) = page.findChildren(ChatOptions)
    if "system" in options:
        dialog.system.setPlainText(options["system"])
    if "temperature" in options:
        dialog.temperature.setValue(options["temperature"])
    if "length" in options:
        dialog.length.setValue(options["length"])
    if "over_swarm" in options:
        dialog.over_swarm.setChecked(options["over_swarm"])
    next(one for one in dialog.findChildren(QPushButton) if one.isDefault()).click()
    wait(lambda: not page.findChildren(ChatOptions))
