"""A node as the window starts it, and a way to ask it past the window.

Whoever starts it again in the same data folder, such as the window after a crash, the one
that runs at the end is ended.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from app.api.shapes import API_PREFIX, NODE_FILE, TOKEN_FILE
from app.ui.node_process import node_command
from tests.helpers.processes import all_gone, environment, until

ANSWER_SECONDS = 60.0
WAIT_SECONDS = 60.0
QUIET_RULES = """
pause_on_other_cpu = false
pause_on_full_screen = false
pause_on_battery = false
temperature_ceiling_celsius = 110
cpu_percent_in_use = 100
keyring = false
listen = "127.0.0.1:0"
"""
"""What happens on the machine of the test must not pause what it tests."""


class DesktopNode:
    """The node of one data folder. Use with `with`."""

    def __init__(self, folder: Path, rules: str = QUIET_RULES) -> None:
        self.folder = folder
        self.rules = rules
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> DesktopNode:
        self.folder.mkdir(mode=0o700, parents=True)
        (self.folder / "settings.toml").write_text(self.rules)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pid = self.told().get("pid")
        if pid is not None and psutil.pid_exists(pid):
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            family[0].terminate()
            if not all_gone(family, seconds=WAIT_SECONDS):
                for process in family:
                    process.kill()
        for started in self._started:
            started.wait(WAIT_SECONDS)

    def keep(self, process: subprocess.Popen[bytes] | None) -> None:
        """Wait in the end for this process too, which somebody else started."""
        if process is not None:
            self._started.append(process)

    def start(self) -> None:
        """Start it, and wait until it can be asked."""
        with (self.folder / "node-output.log").open("wb") as output:
            process = subprocess.Popen(
                node_command(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(self.folder),
            )
        self.keep(process)
        until(lambda: "api" in self.told())

    def told(self) -> dict[str, Any]:
        """What its file says; empty while there is none."""
        try:
            found: dict[str, Any] = json.loads((self.folder / NODE_FILE).read_text())
        except (OSError, ValueError):
            return {}
        return found

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A question to its control API, past the window."""
        return json.loads(self.fetch(method, path, body))

    def fetch(self, method: str, path: str, body: Any = None) -> bytes:
        """As `ask`, the bytes themselves."""
        token = (self.folder / TOKEN_FILE).read_text().strip()
        request = urllib.request.Request(
            f"{self.told()['api']}{API_PREFIX}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            read: bytes = answer.read()
        return read

    @property
    def status(self) -> Any:
        """Its snapshot."""
        return self.ask("GET", "/status")

    def setting(self, name: str) -> Any:
        """The value of a setting."""
        settings = self.ask("GET", "/settings")["settings"]
        return next(setting["value"] for setting in settings if setting["name"] == name)

    def share(self, stop: int = 5) -> None:
        """Have it share the guide's units from 0 to `stop`, whatever it did before."""
        status = self.status
        if not status["consented"]:
            self.ask("POST", "/consent", {"share": True})
        if status["model"] is None or status["model"]["my_stop"] != stop:
            own = next(o["name"] for o in self.ask("GET", "/models") if o["units"] == 10)
            self.ask("POST", "/models/choose", {"model": own, "start": 0, "stop": stop})
        if status["state"] != "sharing":
            self.ask("POST", "/resume", {})
        until(lambda: self.status["state"] == "sharing")
