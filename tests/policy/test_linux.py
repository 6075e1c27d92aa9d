"""What Linux tells: real buses with stand-ins for the desktop, and a real X server."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jeepney import MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

from app.policy.linux import RETRY_SECONDS, LinuxSystem
from tests.policy.test_x11 import ANSWER_SECONDS, patient, server

__all__ = ["patient", "server"]

MUTTER = "org.gnome.Mutter.IdleMonitor"
NETWORK_MANAGER = "org.freedesktop.NetworkManager"


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    """A message bus of its own; its address."""
    program = shutil.which("dbus-daemon")
    assert program is not None, "these tests speak to dbus-daemon; install it"
    path = tmp_path / "bus"
    process = subprocess.Popen(
        [program, "--session", f"--address=unix:path={path}", "--nofork", "--print-address=1"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().strip()
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


class Service:
    """Answers calls to one name on the bus, until it is closed."""

    def __init__(self, address: str, name: str, answer: Callable[[Any], Any]) -> None:
        self._connection = open_dbus_connection(address)
        self._connection.send_and_get_reply(message_bus.RequestName(name))
        self._answer = answer
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            message = self._connection.receive()
            if message.header.message_type != MessageType.method_call:
                continue
            if message.header.fields.get(3) == "Stop":
                return
            self._connection.send(self._answer(message))

    def close(self, address: str, name: str) -> None:
        from jeepney import DBusAddress, new_method_call

        with open_dbus_connection(address) as other:
            other.send(new_method_call(DBusAddress("/", bus_name=name, interface="a.b"), "Stop"))
        self._thread.join()
        self._connection.close()


def wayland(bus: str, now: Callable[[], float] = lambda: 0.0) -> LinuxSystem:
    return LinuxSystem({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, now=now)


@pytest.fixture
def buses(bus: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
    monkeypatch.setattr("app.policy.linux.ASK_SECONDS", ANSWER_SECONDS)
    return bus


def test_on_wayland_the_compositor_tells_the_idle_time(buses: str) -> None:
    asked: list[tuple[str, str]] = []

    def answer(call: Any) -> Any:
        asked.append((call.header.fields[1], call.header.fields[3]))
        return new_method_return(call, "t", (184_250,))

    mutter = Service(buses, MUTTER, answer)
    system = wayland(buses)
    assert system.idle_seconds() == 184.25
    assert system.full_screen() is None, "Wayland keeps that to itself"
    assert asked == [("/org/gnome/Mutter/IdleMonitor/Core", "GetIdletime")]
    system.close()
    mutter.close(buses, MUTTER)


def test_on_another_wayland_desktop_the_idle_time_is_unknown(buses: str) -> None:
    system = wayland(buses)
    assert system.idle_seconds() is None
    system.close()


@pytest.mark.parametrize(
    ("told", "means"), [(0, None), (1, True), (2, False), (3, True), (4, False), (9, None)]
)
def test_networkmanager_tells_or_guesses_what_is_metered(
    buses: str, told: int, means: bool | None
) -> None:
    def answer(call: Any) -> Any:
        assert call.body == (NETWORK_MANAGER, "Metered")
        return new_method_return(call, "v", (("u", told),))

    manager = Service(buses, NETWORK_MANAGER, answer)
    system = wayland(buses)
    assert system.metered() is means
    system.close()
    manager.close(buses, NETWORK_MANAGER)


def test_a_service_that_refuses_or_answers_nonsense_is_unknown(buses: str) -> None:
    answers = iter(["refuse", "text", "empty"])

    def answer(call: Any) -> Any:
        match next(answers):
            case "refuse":
                return new_error(call, "org.freedesktop.DBus.Error.NotSupported")
            case "text":
                return new_method_return(call, "s", ("soon",))
            case _:
                return new_method_return(call)

    mutter = Service(buses, MUTTER, answer)
    for _ in range(3):
        system = wayland(buses)
        assert system.idle_seconds() is None
        system.close()
    mutter.close(buses, MUTTER)


def test_without_a_bus_nothing_is_known_and_it_is_not_asked_again_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    now = [0.0]
    system = wayland("", now=lambda: now[0])
    assert system.metered() is None
    assert system.idle_seconds() is None
    tried: list[str] = []

    def connect(kind: str) -> None:
        tried.append(kind)
        raise OSError("still not there")

    monkeypatch.setattr("app.policy.linux.open_dbus_connection", connect)
    assert system.metered() is None
    assert tried == []
    now[0] = RETRY_SECONDS + 1
    assert system.metered() is None
    assert tried == ["SYSTEM"]


def test_on_x11_the_server_itself_is_asked(server: dict[str, str]) -> None:
    system = LinuxSystem(server)
    idle = system.idle_seconds()
    assert idle is not None
    assert 0 <= idle < 60
    assert system.full_screen() is None
    system.close()


def test_beside_wayland_the_x_server_is_not_believed(server: dict[str, str]) -> None:
    for session in ({"XDG_SESSION_TYPE": "wayland"}, {"WAYLAND_DISPLAY": "wayland-0"}):
        system = LinuxSystem({**server, **session})
        assert system.wayland
        assert system.full_screen() is None
        system.close()


def test_without_any_display_nothing_is_known() -> None:
    system = LinuxSystem({})
    assert system.idle_seconds() is None
    assert system.full_screen() is None
    system.close()


def test_an_x_server_that_goes_away_is_asked_again_later(server: dict[str, str]) -> None:
    now = [0.0]
    system = LinuxSystem(server, now=lambda: now[0])
    assert system.idle_seconds() is not None
    assert system._x is not None
    system._x._socket.close()
    assert system.idle_seconds() is None
    assert system.idle_seconds() is None, "not at once"
    now[0] = RETRY_SECONDS + 1
    assert system.idle_seconds() is not None
    system.close()
