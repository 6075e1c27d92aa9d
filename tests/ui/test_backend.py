"""The window's way to the node: over real HTTP, to the real server with a scripted node."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest

from app.api.shapes import ConversationOptions, PauseRequest, SayRequest, Speeds
from app.sentences import unworded
from app.ui.backend import Backend
from tests.helpers.fake_node_api import TOKEN, FakeNodeThread
from tests.helpers.fake_node_data import ANSWER


def test_the_state_arrives_first_and_then_every_change(qtbot, fake, backend, wait) -> None:
    assert backend.last is not None
    assert backend.last.state == "sharing"
    speeds = Speeds(
        tokens_per_second=99.0, upload_bytes_per_second=0.0, download_bytes_per_second=0.0
    )
    fake.do(lambda node: node.tell(speeds=speeds))
    wait(lambda: backend.last.speeds.tokens_per_second == 99.0)


def test_a_warning_arrives(qtbot, fake, backend) -> None:
    with qtbot.waitSignal(backend.warning) as heard:
        fake.do(lambda node: node.warn(unworded("The disk is nearly full.")))
    assert heard.args == ["The disk is nearly full."]


def test_a_wish_reaches_the_node(fake, backend, wait) -> None:
    errors: list[Any] = []
    backend.pause(PauseRequest(kind="tomorrow"), errors.append)
    wait(lambda: backend.last.state == "paused")
    assert fake.node.asked == [("pause", PauseRequest(kind="tomorrow"))]
    assert errors == []


def test_a_refusal_is_told_in_the_nodes_own_words(backend, wait) -> None:
    errors: list[Any] = []
    backend.change_settings({"cpu_percent_away": 900}, lambda _: None, errors.append)
    wait(lambda: errors)
    assert "cpu_percent_away cannot be 900" in errors[0].words


def test_a_token_that_does_not_hold_any_more_is_said(qtbot, fake, backend, wait) -> None:
    backend.open(backend._base, "b" * 64)
    errors: list[Any] = []
    with qtbot.waitSignal(backend.lost):
        backend.ask("GET", "/settings", failed=errors.append)
    wait(lambda: errors)
    assert errors[0].code == "no_token"


def test_an_answer_comes_in_pieces_and_ends_with_the_message(backend, wait) -> None:
    made: list[Any] = []
    backend.new_conversation(ConversationOptions(), made.append, lambda _: None)
    wait(lambda: made)
    stream = backend.say(made[0].id, SayRequest(content="hello"))
    heard: list[tuple[str, dict]] = []
    ends: list[Any] = []
    stream.event.connect(lambda name, data: heard.append((name, json.loads(data))))
    stream.ended.connect(ends.append)
    wait(lambda: ends)
    assert ends == [None]
    assert "".join(data["text"] for name, data in heard if name == "delta") == ANSWER
    assert heard[-1][0] == "message"
    assert heard[-1][1]["content"] == ANSWER


def test_a_stream_that_is_refused_ends_with_the_reason(backend, wait) -> None:
    ends: list[Any] = []
    backend.say("nowhere", SayRequest(content="hello")).ended.connect(ends.append)
    wait(lambda: ends)
    assert ends[0].code == "unknown_conversation"


@contextmanager
def nobody_at(url: str) -> Iterator[None]:
    """A port that was given back is kept from other programs: nobody answers there."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", int(url.rpartition(":")[2])))
        yield


def test_a_lost_node_is_noticed_and_a_new_one_at_another_port_joined(
    qtbot, unopened: Backend, wait
) -> None:
    backend = unopened
    with FakeNodeThread() as first, qtbot.waitSignal(backend.connected):
        backend.open(first.url, TOKEN)
    wait(lambda: not backend.is_connected)
    errors: list[Any] = []
    with nobody_at(first.url):
        backend.settings(lambda _: None, errors.append)
        wait(lambda: errors)
    assert errors[0].code == "unreachable"
    with FakeNodeThread() as second, qtbot.waitSignal(backend.connected):
        backend.open(second.url, TOKEN)


def test_the_same_node_is_found_again_by_itself(qtbot, fake, backend, wait) -> None:
    heard: list[str] = []
    backend.lost.connect(lambda: heard.append("lost"))
    backend.connected.connect(lambda: heard.append("connected"))
    backend._events._reply.abort()
    wait(lambda: heard == ["lost", "connected"])


class _Babbling(BaseHTTPRequestHandler):
    """Answers everything with something that has no agreed shape."""

    def do_GET(self) -> None:
        body = b'{"settings": 7}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def babbler():
    server = HTTPServer(("127.0.0.1", 0), _Babbling)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_in_another_shape_is_an_error_and_no_crash(
    babbler, unopened: Backend, wait
) -> None:
    unopened._base = babbler
    errors: list[Any] = []
    unopened.settings(lambda _: None, errors.append)
    unopened.models(lambda _: None, errors.append)
    wait(lambda: len(errors) == 2)
    assert {error.code for error in errors} == {"unreadable"}


def test_what_is_sent_can_be_read_by_the_node() -> None:
    wish = PauseRequest(kind="seconds", seconds=900.0)
    assert msgspec.json.decode(msgspec.json.encode(wish), type=PauseRequest) == wish
