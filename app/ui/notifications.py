"""Notifications, sparingly: each kind has its own switch in the settings.

They appear through the tray icon; where there is none, nothing appears, and the same
words stand on the dashboard anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from app.api.shapes import SettingsView, Snapshot
from app.ui.sentences import headline
from app.ui.translations import tr

Kind = Literal["paused", "problem", "node", "download"]
SETTINGS: Final[dict[Kind, str]] = {
    "paused": "notify_pauses",
    "problem": "notify_problems",
    "node": "notify_problems",
    "download": "notify_downloads",
}
Show = Callable[[str, str], object]


class Notifier:
    """Compares what was with what is, and tells the person what they would want to know."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._before: Snapshot | None = None
        self._values: dict[str, Any] = {}

    def settings(self, view: SettingsView) -> None:
        """Take over which kinds are switched on."""
        self._values = {setting.name: setting.value for setting in view.settings}

    def snapshot(self, now: Snapshot) -> None:
        """Tell of a pause that came by itself, and of problems; never of what they did."""
        before, self._before = self._before, now
        if before is None or now.consented is not True:
            return
        if now.state == "problem" and before.state != "problem":
            self._tell("problem", tr("Potluck has a problem"), headline(now))
        elif (
            now.state == "paused"
            and before.state == "sharing"
            and now.pause is not None
            and now.pause.reason != "manual"
        ):
            self._tell("paused", tr("Sharing is paused"), headline(now))

        if before.download is not None and now.download is None and now.state != "problem":
            text = tr("Layers of {model}").format(model=before.download.model)
            self._tell("download", tr("The download is over"), text)

    def warning(self, sentence: str) -> None:
        """The node has something to say."""
        self._tell("problem", "Potluck", sentence)

    def node_trouble(self, sentence: str) -> None:
        """The node ended, or cannot be started."""
        self._tell("node", tr("Potluck has a problem"), sentence)

    def _tell(self, kind: Kind, title: str, text: str) -> None:
        # Until the settings are known only problems are worth disturbing somebody.
        if self._values.get(SETTINGS[kind], kind in ("problem", "node")):
            self._show(title, text)
