"""What Windows tells about its user and its network.

`WindowsSystem` gives the numbers their meaning and `real_calls` gets them from the
system; so what a number means is tested everywhere, with numbers that were recorded.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Final, Protocol

TICKS: Final = 1 << 32
"""The counter of milliseconds since the start begins again after 49 days."""

FULL_SCREEN_STATES: Final = {2, 3, 4}
"""QUERY_USER_NOTIFICATION_STATE: busy (a program fills the screen), Direct3D, presentation."""
KNOWN_STATES: Final = range(1, 8)

COST_UNKNOWN: Final = 0x0
COST_UNRESTRICTED: Final = 0x1
COST_FLAGS_PAID: Final = 0x2 | 0x4 | 0x10000 | 0x40000
"""NLM_CONNECTION_COST: fixed, variable, over the limit, roaming."""

_NETWORK_LIST_MANAGER: Final = "{DCB00C01-570F-4A9B-8D69-199FDBA5723B}"
_NETWORK_COST_MANAGER: Final = "{DCB00008-570F-4A9B-8D69-199FDBA5723B}"
_GET_COST_SLOT: Final = 3
"""After the three methods that every COM object has."""
_RELEASE_SLOT: Final = 2
_EVERY_CONTEXT: Final = 23
_MULTITHREADED: Final = 0


class WindowsCalls(Protocol):
    """The numbers as Windows gives them; None when the call fails."""

    def ticks(self) -> int | None:
        """GetTickCount: milliseconds since the start, 32 bits."""
        ...

    def last_input_ticks(self) -> int | None:
        """GetLastInputInfo: the same counter when something was touched last."""
        ...

    def notification_state(self) -> int | None:
        """SHQueryUserNotificationState."""
        ...

    def network_cost(self) -> int | None:
        """INetworkCostManager.GetCost."""
        ...


class WindowsSystem:
    """Windows 10 and later."""

    def __init__(self, calls: WindowsCalls) -> None:
        self._calls = calls

    def idle_seconds(self) -> float | None:
        """Since the last touch of mouse or keyboard in this session."""
        now, last = self._calls.ticks(), self._calls.last_input_ticks()
        if now is None or last is None:
            return None
        return ((now - last) % TICKS) / 1000

    def metered(self) -> bool | None:
        """As the connection that is used has been marked or has told."""
        cost = self._calls.network_cost()
        if cost is None or cost == COST_UNKNOWN:
            return None
        return bool(cost & COST_FLAGS_PAID)

    def full_screen(self) -> bool | None:
        """Whether Windows itself would hold notifications back for a full screen."""
        state = self._calls.notification_state()
        if state not in KNOWN_STATES:
            return None
        return state in FULL_SCREEN_STATES

    def close(self) -> None:
        """There is nothing to let go of."""


class _Guid(ctypes.Structure):
    _fields_ = (
        ("first", ctypes.c_uint32),
        ("second", ctypes.c_uint16),
        ("third", ctypes.c_uint16),
        ("rest", ctypes.c_uint8 * 8),
    )


class _LastInput(ctypes.Structure):
    _fields_ = (("size", ctypes.c_uint32), ("ticks", ctypes.c_uint32))


def guid(text: str) -> _Guid:
    """A COM identifier from its usual text."""
    digits = bytes.fromhex(text.strip("{}").replace("-", ""))
    return _Guid(
        int.from_bytes(digits[:4], "big"),
        int.from_bytes(digits[4:6], "big"),
        int.from_bytes(digits[6:8], "big"),
        (ctypes.c_uint8 * 8)(*digits[8:]),
    )


class RealCalls:
    """Windows' own answers, by its libraries. Made and used on one thread at a time."""

    def __init__(self, user: Any, kernel: Any, shell: Any, ole: Any, prototype: Any) -> None:
        self._user = user
        self._kernel = kernel
        self._shell = shell
        self._ole = ole
        self._prototype = prototype

    def ticks(self) -> int | None:
        """Milliseconds since the start."""
        return int(self._kernel.GetTickCount()) % TICKS

    def last_input_ticks(self) -> int | None:
        """The counter at the last input."""
        info = _LastInput(size=ctypes.sizeof(_LastInput))
        return int(info.ticks) if self._user.GetLastInputInfo(ctypes.byref(info)) else None

    def notification_state(self) -> int | None:
        """What the shell thinks of notifications."""
        state = ctypes.c_int()
        failed = self._shell.SHQueryUserNotificationState(ctypes.byref(state))
        return None if failed else int(state.value)

    def network_cost(self) -> int | None:
        """What the connection costs."""
        # Each thread that speaks COM says so first; saying it twice does no harm.
        begun = self._ole.CoInitializeEx(None, _MULTITHREADED) >= 0
        try:
            return self._ask_cost()
        finally:
            if begun:
                self._ole.CoUninitialize()

    def _ask_cost(self) -> int | None:
        cost_manager = ctypes.c_void_p()
        failed = self._ole.CoCreateInstance(
            ctypes.byref(guid(_NETWORK_LIST_MANAGER)),
            None,
            _EVERY_CONTEXT,
            ctypes.byref(guid(_NETWORK_COST_MANAGER)),
            ctypes.byref(cost_manager),
        )
        if failed or not cost_manager.value:
            return None
        cost = ctypes.c_uint32()
        pointers = ctypes.POINTER(ctypes.c_void_p)
        table = ctypes.cast(ctypes.cast(cost_manager, pointers)[0], pointers)
        get_cost = self._prototype(
            ctypes.c_long, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint32), ctypes.c_void_p
        )(table[_GET_COST_SLOT])
        release = self._prototype(ctypes.c_ulong, ctypes.c_void_p)(table[_RELEASE_SLOT])
        try:
            return None if get_cost(cost_manager, ctypes.byref(cost), None) else int(cost.value)
        finally:
            release(cost_manager)


def real_calls() -> WindowsCalls:
    """The libraries of this computer; OSError anywhere but on Windows."""
    if sys.platform != "win32":
        raise OSError("this is not Windows")
    libraries = ctypes.windll
    return RealCalls(
        libraries.user32,
        libraries.kernel32,
        libraries.shell32,
        libraries.ole32,
        ctypes.WINFUNCTYPE,
    )
