"""What Windows' numbers mean; as they were recorded, and as its headers define them."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

import pytest

from app.policy.windows import RealCalls, WindowsSystem, guid, real_calls


@dataclass
class Recorded:
    """What a computer answered."""

    now: int | None = 5_000_000
    last: int | None = 4_815_750
    state: int | None = 5
    cost: int | None = 1

    def ticks(self) -> int | None:
        return self.now

    def last_input_ticks(self) -> int | None:
        return self.last

    def notification_state(self) -> int | None:
        return self.state

    def network_cost(self) -> int | None:
        return self.cost


def test_a_quiet_desktop_on_a_free_network() -> None:
    system = WindowsSystem(Recorded())
    assert system.idle_seconds() == 184.25
    assert system.metered() is False
    assert system.full_screen() is False
    system.close()


def test_the_counter_that_began_again_is_no_long_absence() -> None:
    system = WindowsSystem(Recorded(now=1_000, last=2**32 - 2_000))
    assert system.idle_seconds() == 3.0


@pytest.mark.parametrize(
    ("state", "fills"),
    [
        (1, False),  # locked, or the screen saver runs
        (2, True),  # a program fills the screen
        (3, True),  # Direct3D, exclusive
        (4, True),  # a presentation
        (5, False),  # notifications are welcome
        (6, False),  # the quiet hour after the first login
        (7, False),  # a program of the shop
        (0, None),
        (99, None),
        (None, None),
    ],
)
def test_what_the_shell_says_of_notifications(state: int | None, fills: bool | None) -> None:
    assert WindowsSystem(Recorded(state=state)).full_screen() is fills


@pytest.mark.parametrize(
    ("cost", "metered"),
    [
        (0, None),
        (1, False),
        (2, True),  # a plan with a fixed amount
        (4, True),  # paid by the byte
        (1 | 0x80000, False),
        (1 | 0x40000, True),  # roaming
        (2 | 0x10000, True),  # over the plan's limit
        (None, None),
    ],
)
def test_what_a_connection_costs(cost: int | None, metered: bool | None) -> None:
    assert WindowsSystem(Recorded(cost=cost)).metered() is metered


@pytest.mark.parametrize("recorded", [Recorded(now=None), Recorded(last=None)])
def test_a_call_that_fails_is_unknown(recorded: Recorded) -> None:
    assert WindowsSystem(recorded).idle_seconds() is None


def test_identifiers_are_laid_out_as_com_wants_them() -> None:
    made = guid("{DCB00C01-570F-4A9B-8D69-199FDBA5723B}")
    little = bytes.fromhex("010cb0dc0f579b4a8d69199fdba5723b")
    assert bytes(made) == little
    assert ctypes.sizeof(made) == 16


class Library:
    """A library's functions that answer what they were given."""

    def __init__(self, **answers: int) -> None:
        self.answers = answers

    def __getattr__(self, name: str) -> object:
        return lambda *arguments: self.answers[name]


def calls(**answers: int) -> RealCalls:
    library = Library(**answers)
    return RealCalls(library, library, library, library, ctypes.CFUNCTYPE)


def test_calls_that_windows_declines_are_none() -> None:
    assert calls(GetTickCount=-5).ticks() == 2**32 - 5
    assert calls(GetLastInputInfo=0).last_input_ticks() is None
    assert calls(SHQueryUserNotificationState=-1).notification_state() is None
    declined = calls(CoInitializeEx=-1, CoCreateInstance=-1)
    assert declined.network_cost() is None


def test_the_cost_is_asked_through_the_objects_table_and_the_object_let_go() -> None:
    released: list[int] = []
    get_cost = ctypes.CFUNCTYPE(
        ctypes.c_long, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint32), ctypes.c_void_p
    )
    release = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)

    @get_cost
    def answer(this: int, cost: ctypes._Pointer[ctypes.c_uint32], where: int) -> int:
        cost[0] = 2
        return 0

    @release
    def let_go(this: int) -> int:
        released.append(this)
        return 0

    table = (ctypes.c_void_p * 4)()
    table[2] = ctypes.cast(let_go, ctypes.c_void_p)
    table[3] = ctypes.cast(answer, ctypes.c_void_p)
    manager = (ctypes.c_void_p * 1)(ctypes.addressof(table))

    class Ole:
        def CoInitializeEx(self, *_: object) -> int:  # noqa: N802
            return 0

        def CoUninitialize(self) -> None:  # noqa: N802
            released.append(0)

        def CoCreateInstance(self, *arguments: object) -> int:  # noqa: N802
            made = ctypes.cast(arguments[4], ctypes.POINTER(ctypes.c_void_p))  # type: ignore[arg-type]
            made[0] = ctypes.addressof(manager)
            return 0

    real = RealCalls(Library(), Library(), Library(), Ole(), ctypes.CFUNCTYPE)
    assert real.network_cost() == 2
    assert released == [ctypes.addressof(manager), 0]


def test_only_windows_has_windows_libraries() -> None:
    if sys.platform != "win32":
        with pytest.raises(OSError, match="not Windows"):
            real_calls()
    else:
        assert WindowsSystem(real_calls()).idle_seconds() is not None
