"""What the window's tests share: a screen that is none, a look, a scripted node."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QLocale, QObject
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from app.api.shapes import ErrorBody
from app.ui.backend import Backend
from app.ui.theme import Theme
from tests.helpers.fake_node_api import TOKEN, FakeNodeThread
from tests.helpers.qt_garbage import collected_here

WAIT_MILLISECONDS = 30_000
"""What must come is waited for long: other programs run as well, and the node is a thread."""
Wait = Callable[[Callable[[], object]], None]


def unexpected(error: ErrorBody) -> None:
    """Where nothing may go wrong."""
    raise AssertionError(error.words)


class PatientBot(QtBot):
    """As pytest-qt's, but it waits as long for everything."""

    def waitSignal(self, signal: Any, *, timeout: int = WAIT_MILLISECONDS, **how: Any) -> Any:  # noqa: N802
        """As Qt's bot does."""
        return super().waitSignal(signal, timeout=timeout, **how)

    def waitUntil(  # noqa: N802
        self, callback: Callable[[], bool | None], *, timeout: int = WAIT_MILLISECONDS
    ) -> None:
        """As Qt's bot does."""
        super().waitUntil(callback, timeout=timeout)

    def waitActive(self, widget: Any, *, timeout: int = WAIT_MILLISECONDS) -> Any:  # noqa: N802
        """As Qt's bot does."""
        return super().waitActive(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    """pytest-qt's, with more patience."""
    return PatientBot(request)


class ShownWindows(QObject):
    """Remembers what was shown as a window of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[QWidget] = []

    def eventFilter(self, watched, event) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.seen.append(watched)
        return False


@pytest.fixture
def shown_windows(qapp: QApplication) -> Iterator[list[QWidget]]:
    """What was shown as a window of its own from now on, for a moment or for good."""
    watching = ShownWindows()
    qapp.installEventFilter(watching)
    yield watching.seen
    qapp.removeEventFilter(watching)


@pytest.fixture(autouse=True, scope="module")
def _collected_here() -> Iterator[None]:
    """Python throws away what belongs to Qt in this thread only, never in one of a fake node."""
    with collected_here():
        yield


@pytest.fixture(autouse=True)
def _english() -> None:
    QLocale.setDefault(QLocale("en_GB"))


@pytest.fixture(scope="session")
def look(qapp: QApplication) -> Theme:
    """Put on once: each time, every widget there is gets its style anew."""
    made = Theme(qapp, "light")
    made.start()
    return made


@pytest.fixture
def theme(look: Theme) -> Iterator[Theme]:
    """A light look, whatever a test before has chosen."""
    look.choose("light")
    yield look
    look.choose("light")


@pytest.fixture
def fake() -> Iterator[FakeNodeThread]:
    with FakeNodeThread() as thread:
        yield thread


@pytest.fixture
def unopened(qapp: QApplication) -> Iterator[Backend]:
    """A backend that follows nobody yet.

    Deleted at its end as Qt does it, after the pages that ask it. Python's collector would delete
    the answers under way one by one, and Qt crashes when it comes to one of them.
    """
    made = Backend()
    yield made
    made.close()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    delete(made)


@pytest.fixture
def backend(qtbot, fake: FakeNodeThread, unopened: Backend) -> Backend:
    with qtbot.waitSignal(unopened.connected):
        unopened.open(fake.url, TOKEN)
    return unopened


@pytest.fixture
def wait(qtbot) -> Wait:
    """Wait until something is so."""
    return lambda condition: qtbot.waitUntil(lambda: bool(condition()))
