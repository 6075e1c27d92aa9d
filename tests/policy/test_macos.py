"""What macOS' numbers mean; as its documentation defines them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import pytest

from app.policy.macos import MacSystem, Screen, Window, real_calls

LAPTOP = Screen(0, 0, 1512, 982)
DESK = Screen(1512, -200, 2560, 1440)
MENU_BAR = Window("Window Server", 24, 0, 0, 1512, 33)
EDITOR = Window("TextEdit", 0, 200, 120, 700, 500)
FILM = Window("QuickTime Player", 0, 0, 0, 1512, 982)
GAME = Window("Game", 0, 1512, -200, 2560, 1440)
DESKTOP = Window("Finder", 0, 0, 0, 1512, 982)


@dataclass
class Recorded:
    """What a computer answered."""

    seconds: float | None = 184.25
    listed: list[Window] | None = field(default_factory=lambda: [MENU_BAR, EDITOR])
    displays: list[Screen] = field(default_factory=lambda: [LAPTOP, DESK])

    def seconds_since_input(self) -> float | None:
        return self.seconds

    def windows(self) -> list[Window] | None:
        return self.listed

    def screens(self) -> list[Screen]:
        return self.displays


def test_a_quiet_desk() -> None:
    system = MacSystem(Recorded())
    assert system.idle_seconds() == 184.25
    assert system.metered() is None
    assert system.full_screen() is False
    system.close()


@pytest.mark.parametrize("seconds", [None, -1.0, float("inf"), float("nan")])
def test_an_idle_time_that_cannot_be_is_unknown(seconds: float | None) -> None:
    assert MacSystem(Recorded(seconds=seconds)).idle_seconds() is None


@pytest.mark.parametrize(
    ("windows", "fills"),
    [
        ([MENU_BAR, FILM], True),
        ([GAME, EDITOR], True),  # on the second display
        ([EDITOR, FILM], False),  # the film lies behind
        ([MENU_BAR, DESKTOP, EDITOR], False),  # the desktop is no program's
        ([], False),
        (None, None),
    ],
)
def test_the_frontmost_window_fills_a_display_or_does_not(
    windows: list[Window] | None, fills: bool | None
) -> None:
    assert MacSystem(Recorded(listed=windows)).full_screen() is fills


def test_without_a_display_full_screen_is_unknown() -> None:
    assert MacSystem(Recorded(displays=[])).full_screen() is None


def test_only_macos_has_macos_libraries() -> None:
    if sys.platform != "darwin":
        with pytest.raises(OSError, match="not macOS"):
            real_calls()
    else:
        system = MacSystem(real_calls())
        assert system.idle_seconds() is not None
        assert system.full_screen() in (True, False, None)
