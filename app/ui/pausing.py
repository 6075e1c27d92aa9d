"""What can be done about sharing: one list of actions, for the tray's menu and the dashboard.

Both build their buttons and menus from here, so that they never offer different things.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from app.api.shapes import ConsentRequest, ErrorBody, PauseRequest, ResumeRequest, Snapshot
from app.reasons import Part
from app.ui import words
from app.ui.requests import Requests
from app.ui.translations import tr

HOUR: Final = 3600.0


class PauseMenu:
    """What stands in a menu of ways to pause; `show` keeps its two switches true."""

    def __init__(self, gpu: QAction, cpu: QAction) -> None:
        self.gpu = gpu
        self.cpu = cpu

    def show(self, snapshot: Snapshot) -> None:
        """Tick what is paused by itself."""
        self.gpu.setChecked(snapshot.gpu_paused)
        self.cpu.setChecked(snapshot.cpu_paused)


class Pausing:
    """Pauses and resumes through the node; what goes wrong is handed to `failed`."""

    def __init__(self, requests: Requests, failed: Callable[[ErrorBody], object]) -> None:
        self._requests = requests
        self._failed = failed

    def fill(self, menu: QMenu) -> PauseMenu:
        """Put the ways to pause into a menu."""
        for text, wish in self._wishes():
            menu.addAction(text, lambda wish=wish: self._requests.pause(wish, self._failed))
        menu.addSeparator()
        return PauseMenu(
            self._switch(menu, tr("Graphics card only"), "gpu"),
            self._switch(menu, tr("Processor only"), "cpu"),
        )

    def _switch(self, menu: QMenu, text: str, part: Part) -> QAction:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.triggered.connect(lambda on: self.pause_part(part) if on else self.resume_part(part))
        return action

    @staticmethod
    def _wishes() -> list[tuple[str, PauseRequest]]:
        return [
            (tr("For 15 minutes"), PauseRequest(kind="seconds", seconds=HOUR / 4)),
            (tr("For 1 hour"), PauseRequest(kind="seconds", seconds=HOUR)),
            (tr("For 4 hours"), PauseRequest(kind="seconds", seconds=4 * HOUR)),
            (tr("Until tomorrow"), PauseRequest(kind="tomorrow")),
            (tr("Until I resume"), PauseRequest(kind="resume")),
        ]

    def pause_part(self, part: Part) -> None:
        """Pause only the graphics card or only the processor, until resumed."""
        self._requests.pause(PauseRequest(kind="resume", what=part), self._failed)

    def resume_part(self, part: Part) -> None:
        """End the pause of the graphics card or of the processor, and no other."""
        self._requests.resume(ResumeRequest(what=part), self._failed)

    def resume(self) -> None:
        """End every pause made by hand."""
        self._requests.resume(ResumeRequest(), self._failed)

    def share_anyway(self) -> None:
        """Overrule the automatic pause for an hour."""
        self._requests.share_anyway(self._failed)

    def slow_mode(self, *, on: bool) -> None:
        """Switch to the slow network limits, or back."""
        self._requests.slow_mode(self._failed, on=on)

    def begin(self) -> None:
        """Consent to sharing, with the settings as they are."""
        self._requests.consent(ConsentRequest(share=True), self._failed)


def offer(snapshot: Snapshot) -> str:
    """The one thing to offer now: "begin", "resume", "share_anyway", "pause" or ""."""
    pause = snapshot.pause
    if pause is None:
        return "pause" if snapshot.sharing_wanted and snapshot.state != "problem" else ""
    if pause.reason == "no_consent":
        return "begin"
    if pause.reason == "manual":
        return "resume"
    return "share_anyway" if pause.can_override else ""


def lasting(snapshot: Snapshot) -> str:
    """How long the pause lasts still, as it stands behind its name; empty if unknown."""
    if snapshot.pause is None:
        return ""
    return words.time_left(snapshot.pause.until, time.time())
