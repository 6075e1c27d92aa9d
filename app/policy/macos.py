"""What macOS tells about its user and its windows.

`MacSystem` gives the numbers their meaning and `real_calls` gets them from the system;
so what a number means is tested everywhere. Whether a network is metered ("expensive",
Low Data Mode) is told by Network.framework alone, to blocks that it calls on threads of its
own; a mistake there would end the node, so it is unknown, and the owner is told what follows.
"""

from __future__ import annotations

import ctypes
import math
import sys
from dataclasses import dataclass
from typing import Any, Final, Protocol

MAX_WINDOWS: Final = 4096
NORMAL_LAYER: Final = 0
DESKTOP_OWNERS: Final = frozenset({"Finder", "Dock", "Window Server", "WindowManager"})
"""Their windows of full size are the desktop's own."""

_HARDWARE_STATE: Final = 1
_ANY_INPUT: Final = 0xFFFFFFFF
_ON_SCREEN_WITHOUT_DESKTOP: Final = 1 | 16
_UTF8: Final = 0x08000100
_INT32: Final = 3
_TEXT_BYTES: Final = 256


@dataclass(frozen=True)
class Window:
    """A window on the screen, in points."""

    owner: str
    layer: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Screen:
    """A display, in the same points."""

    x: float
    y: float
    width: float
    height: float


class MacCalls(Protocol):
    """The numbers as macOS gives them; None when the call fails."""

    def seconds_since_input(self) -> float | None:
        """CGEventSourceSecondsSinceLastEventType, any input of the hardware."""
        ...

    def windows(self) -> list[Window] | None:
        """CGWindowListCopyWindowInfo: those on the screen, the frontmost first."""
        ...

    def screens(self) -> list[Screen]:
        """CGGetActiveDisplayList with CGDisplayBounds."""
        ...


class MacSystem:
    """macOS 12 and later."""

    def __init__(self, calls: MacCalls) -> None:
        self._calls = calls

    def idle_seconds(self) -> float | None:
        """Since the last touch of mouse, keyboard or trackpad."""
        seconds = self._calls.seconds_since_input()
        if seconds is None or not math.isfinite(seconds) or seconds < 0:
            return None
        return seconds

    def metered(self) -> bool | None:
        """Unknown."""
        return None

    def full_screen(self) -> bool | None:
        """Whether the frontmost window of a program covers a whole display."""
        windows = self._calls.windows()
        screens = self._calls.screens()
        if windows is None or not screens:
            return None
        front = next(
            (
                window
                for window in windows
                if window.layer == NORMAL_LAYER and window.owner not in DESKTOP_OWNERS
            ),
            None,
        )
        return front is not None and any(_covers(front, screen) for screen in screens)

    def close(self) -> None:
        """There is nothing to let go of."""


def _covers(window: Window, screen: Screen) -> bool:
    return (
        window.x <= screen.x
        and window.y <= screen.y
        and window.x + window.width >= screen.x + screen.width
        and window.y + window.height >= screen.y + screen.height
    )


class _Rect(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_double) for name in ("x", "y", "width", "height"))


class RealCalls:
    """macOS's own answers, by CoreGraphics and CoreFoundation."""

    def __init__(self, graphics: Any, foundation: Any) -> None:
        self._graphics = graphics
        self._foundation = foundation
        self._declare()

    def _declare(self) -> None:
        """Tell ctypes what goes in and out; pointers are longer than its guess."""
        pointer, size = ctypes.c_void_p, ctypes.c_long
        graphics, foundation = self._graphics, self._foundation
        graphics.CGEventSourceSecondsSinceLastEventType.restype = ctypes.c_double
        graphics.CGEventSourceSecondsSinceLastEventType.argtypes = [ctypes.c_int32, ctypes.c_uint32]
        graphics.CGWindowListCopyWindowInfo.restype = pointer
        graphics.CGWindowListCopyWindowInfo.argtypes = [ctypes.c_uint32, ctypes.c_uint32]
        graphics.CGRectMakeWithDictionaryRepresentation.restype = ctypes.c_bool
        graphics.CGRectMakeWithDictionaryRepresentation.argtypes = [pointer, pointer]
        graphics.CGDisplayBounds.restype = _Rect
        graphics.CGDisplayBounds.argtypes = [ctypes.c_uint32]
        foundation.CFArrayGetCount.restype = size
        foundation.CFArrayGetCount.argtypes = [pointer]
        foundation.CFArrayGetValueAtIndex.restype = pointer
        foundation.CFArrayGetValueAtIndex.argtypes = [pointer, size]
        foundation.CFDictionaryGetValue.restype = pointer
        foundation.CFDictionaryGetValue.argtypes = [pointer, pointer]
        foundation.CFNumberGetValue.restype = ctypes.c_bool
        foundation.CFNumberGetValue.argtypes = [pointer, size, pointer]
        foundation.CFStringGetCString.restype = ctypes.c_bool
        foundation.CFStringGetCString.argtypes = [pointer, ctypes.c_char_p, size, ctypes.c_uint32]
        foundation.CFRelease.argtypes = [pointer]
        foundation.CFRelease.restype = None

    def seconds_since_input(self) -> float | None:
        """Since any input of the hardware."""
        return float(
            self._graphics.CGEventSourceSecondsSinceLastEventType(_HARDWARE_STATE, _ANY_INPUT)
        )

    def windows(self) -> list[Window] | None:
        """Those on the screen, the frontmost first."""
        listed = self._graphics.CGWindowListCopyWindowInfo(_ON_SCREEN_WITHOUT_DESKTOP, 0)
        if not listed:
            return None
        try:
            count = min(self._foundation.CFArrayGetCount(listed), MAX_WINDOWS)
            return [
                self._window(self._foundation.CFArrayGetValueAtIndex(listed, index))
                for index in range(count)
            ]
        finally:
            self._foundation.CFRelease(listed)

    def screens(self) -> list[Screen]:
        """Every display in use."""
        ids, count = (ctypes.c_uint32 * 32)(), ctypes.c_uint32()
        if self._graphics.CGGetActiveDisplayList(32, ids, ctypes.byref(count)):
            return []
        bounds = [self._graphics.CGDisplayBounds(ids[index]) for index in range(count.value)]
        return [Screen(found.x, found.y, found.width, found.height) for found in bounds]

    def _window(self, entry: Any) -> Window:
        bounds, layer = _Rect(), ctypes.c_int32(-1)
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        if found := self._value(entry, "kCGWindowBounds"):
            self._graphics.CGRectMakeWithDictionaryRepresentation(found, ctypes.byref(bounds))
        if found := self._value(entry, "kCGWindowLayer"):
            self._foundation.CFNumberGetValue(found, _INT32, ctypes.byref(layer))
        if found := self._value(entry, "kCGWindowOwnerName"):
            self._foundation.CFStringGetCString(found, text, _TEXT_BYTES, _UTF8)
        owner = text.value.decode(errors="replace")
        return Window(owner, layer.value, bounds.x, bounds.y, bounds.width, bounds.height)

    def _value(self, entry: Any, key: str) -> Any:
        name = ctypes.c_void_p.in_dll(self._graphics, key)
        return self._foundation.CFDictionaryGetValue(entry, name)


def real_calls() -> MacCalls:
    """The libraries of this computer; OSError anywhere but on macOS."""
    if sys.platform != "darwin":
        raise OSError("this is not macOS")
    frameworks = "/System/Library/Frameworks"
    return RealCalls(
        ctypes.CDLL(f"{frameworks}/CoreGraphics.framework/CoreGraphics"),
        ctypes.CDLL(f"{frameworks}/CoreFoundation.framework/CoreFoundation"),
    )
