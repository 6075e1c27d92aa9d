"""An answer comes to whoever asked while they are there; see app/ui/requests.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QObject
from shiboken6 import delete, isValid

from app.api.shapes import ErrorBody
from app.ui.backend import Backend
from app.ui.requests import RequestsOf

GONE = ErrorBody(code="unreachable", words="The node is gone.")


class Answering(Backend):
    """Sends nothing; a test answers when it likes."""

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        shape: Any = None,
        done: Callable[[Any], object] | None = None,
        failed: Callable[[ErrorBody], object] | None = None,
    ) -> None:
        self.answers = done, failed


@pytest.fixture
def backend_of_a_test(qapp) -> Answering:
    return Answering()


@pytest.mark.parametrize("kind", [0, 1], ids=["an answer", "a refusal"])
def test_what_comes_in_time_is_heard_and_what_comes_too_late_is_nobodys(
    backend_of_a_test, kind: int
) -> None:
    owner = QObject()
    heard: list[object] = []
    backend_of_a_test.asked_by(owner).settings(heard.append, heard.append)
    answer = backend_of_a_test.answers[kind]
    answer(GONE)
    assert heard == [GONE]
    delete(owner)
    answer(GONE)
    assert heard == [GONE]


def test_who_does_not_want_to_hear_is_not_told(backend_of_a_test) -> None:
    asked = RequestsOf(QObject(), backend_of_a_test)
    asked.ask("DELETE", "/conversations/key")
    assert backend_of_a_test.answers == (None, None)


def test_a_stream_ends_with_whoever_follows_it(fake, backend, wait) -> None:
    owner = QObject()
    stream = backend.asked_by(owner).stream("GET", "/events")
    heard: list[str] = []
    stream.event.connect(lambda name, data: heard.append(name))
    wait(lambda: heard)
    reply = stream._reply
    delete(owner)
    assert not isValid(stream)
    assert not isValid(reply)
