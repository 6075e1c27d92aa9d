"""Questions to an X server: a real one where it can be started, and torn answers."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.policy import x11
from app.policy.x11 import XServer, cookies

ANSWER_SECONDS = 30.0
CHANGE_PROPERTY = 18
WINDOW_TYPE, ATOM_TYPE = 33, 4


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that this computer holds up is none that does not answer."""
    monkeypatch.setattr(x11, "TIMEOUT_SECONDS", ANSWER_SECONDS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A real X server without a screen; its environment."""
    program = shutil.which("Xvfb")
    assert program is not None, "these tests speak to Xvfb; install it"
    read, write = os.pipe()
    command = [program, "-displayfd", str(write), "-nolisten", "tcp", "-screen", "0", "640x480x24"]
    process = subprocess.Popen(
        # Without -noreset it begins anew when its last client has gone, and throws out the next.
        [*command, "-noreset"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        number = os.read(read, 16).decode().strip()
        yield {"DISPLAY": f":{number}", "HOME": str(tmp_path)}
    finally:
        os.close(read)
        process.terminate()
        process.wait(60)


class Desk(XServer):
    """A window manager, as far as it is needed here: it sets properties."""

    def set_property(self, window: int, name: str, kind: int, *values: int) -> None:
        self._socket.sendall(
            struct.pack(
                f"<BBHIIIB3xI{len(values)}I",
                *(CHANGE_PROPERTY, 0, 6 + len(values), window, self.atom(name), kind, 32),
                *(len(values), *values),
            )
        )

    def press_a_key(self) -> None:
        test = self._extension(b"XTEST")
        assert test is not None
        for kind in (2, 3):  # down, and up again
            self._socket.sendall(
                struct.pack("<BBHBBxxII8xhh7xB", test, 2, 9, kind, 38, 0, 0, 0, 0, 0)
            )


def test_idle_time_grows_and_a_key_ends_it(server: dict[str, str]) -> None:
    desk = Desk(server)
    first = desk.idle_seconds()
    assert first is not None
    time.sleep(0.3)
    later = desk.idle_seconds()
    assert later is not None
    assert later >= first + 0.25
    pressed_at = time.monotonic()
    desk.press_a_key()
    after = desk.idle_seconds()
    assert after is not None
    assert after <= time.monotonic() - pressed_at + 0.05, "it began anew"
    desk.close()
    desk.close()


def test_without_a_window_manager_full_screen_is_unknown(server: dict[str, str]) -> None:
    desk = Desk(server)
    assert desk.full_screen() is None
    desk.close()


def test_the_active_window_fills_the_screen_or_does_not(server: dict[str, str]) -> None:
    desk = Desk(server)
    window = desk.root  # any window will do
    desk.set_property(desk.root, "_NET_SUPPORTING_WM_CHECK", WINDOW_TYPE, desk.root)
    assert desk.full_screen() is False, "no window is active"
    desk.set_property(desk.root, "_NET_ACTIVE_WINDOW", WINDOW_TYPE, window)
    assert desk.full_screen() is False
    above = desk.atom("_NET_WM_STATE_ABOVE")
    filling = desk.atom("_NET_WM_STATE_FULLSCREEN")
    desk.set_property(window, "_NET_WM_STATE", ATOM_TYPE, above, filling)
    assert desk.full_screen() is True
    desk.set_property(desk.root, "_NET_ACTIVE_WINDOW", WINDOW_TYPE, 0x7FFFFF)
    assert desk.full_screen() is False, "a window that is gone fills nothing"
    desk.close()


def test_a_server_that_goes_away_is_an_error_and_not_the_end(server: dict[str, str]) -> None:
    desk = Desk(server)
    desk._socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(OSError, match=r".+"):
        desk.idle_seconds()
    desk.close()


@pytest.mark.parametrize("display", ["", "localhost:10.0", "example.org:0", ":", ":x", ":99999"])
def test_a_display_that_is_not_of_this_computer_is_not_asked(display: str) -> None:
    with pytest.raises(OSError, match=r".+"):
        XServer({"DISPLAY": display})


# ── a server that lies ───────────────────────────────────────────────────────


class Liar:
    """Listens where an X server would, and answers with what it was given."""

    def __init__(self, number: int, answer: bytes) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(f"\0/tmp/.X11-unix/X{number}")
        self._socket.listen(1)
        self._answer = answer
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection, contextlib.suppress(ConnectionError):
            connection.recv(4096)
            connection.sendall(self._answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass

    def close(self) -> None:
        self._thread.join()
        self._socket.close()


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=400) | st.binary(max_size=300).map(lambda rest: b"\1" + rest))
def test_whatever_a_server_answers_is_an_error_of_the_connection(answer: bytes) -> None:
    number = 50_000 + os.getpid() % 10_000
    liar = Liar(number, answer)
    try:
        with pytest.raises(OSError, match=r".*"):
            XServer({"DISPLAY": f":{number}", "HOME": "/nowhere"})
    finally:
        liar.close()


def test_an_answer_that_claims_to_be_endless_is_not_waited_for() -> None:
    number = 40_000 + os.getpid() % 10_000
    greeting = struct.pack("<BxHHH", 1, 11, 0, 10) + bytes(16) + b"\0\0" + bytes(2)
    greeting += b"\1\0" + bytes(10) + struct.pack("<I", 77) + bytes(4)
    endless = struct.pack("<BBHI", 1, 0, 1, 0xFFFFFFFF) + bytes(24)
    liar = Liar(number, greeting + endless)
    try:
        with pytest.raises(x11.XError, match="too long"):
            XServer({"DISPLAY": f":{number}", "HOME": "/nowhere"})
    finally:
        liar.close()


# ── the authority file ───────────────────────────────────────────────────────


def entry(host: str, display: str, secret: bytes, *, name: str = "MIT-MAGIC-COOKIE-1") -> bytes:
    fields = (host.encode(), display.encode(), name.encode(), secret)
    return struct.pack(">H", 256) + b"".join(struct.pack(">H", len(f)) + f for f in fields)


def test_this_computers_own_secret_comes_first() -> None:
    data = entry("other", "0", b"theirs") + entry("me", "0", b"mine") + entry("me", "1", b"not")
    assert list(cookies(data, "0", "me")) == [b"mine", b"theirs"]
    assert list(cookies(entry("me", "", b"any"), "7", "me")) == [b"any"]
    assert list(cookies(entry("me", "0", b"k", name="XDM-AUTHORIZATION-1"), "0", "me")) == []


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_authority_file_is_read_to_its_end(data: bytes) -> None:
    assert all(isinstance(secret, bytes) for secret in cookies(data, "0", "me"))


def test_a_server_that_wants_a_secret_gets_the_one_of_the_file(tmp_path: Path) -> None:
    program = shutil.which("Xvfb")
    assert program is not None
    secret = bytes(range(16))
    authority = tmp_path / "authority"
    read, write = os.pipe()
    authority.write_bytes(entry(os.uname().nodename, "", secret))
    process = subprocess.Popen(
        # Without -noreset it begins anew when the first has gone, and throws out the second.
        [
            program,
            "-displayfd",
            str(write),
            "-nolisten",
            "tcp",
            "-noreset",
            "-auth",
            str(authority),
        ],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        display = f":{os.read(read, 16).decode().strip()}"
        let_in = XServer({"DISPLAY": display, "XAUTHORITY": str(authority)})
        assert let_in.idle_seconds() is not None
        let_in.close()
        with pytest.raises(x11.XError, match="does not let us in"):
            XServer({"DISPLAY": display, "XAUTHORITY": str(tmp_path / "none")})
    finally:
        os.close(read)
        process.terminate()
        process.wait(60)
