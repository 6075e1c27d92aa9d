"""Real Potluck processes on loopback: nodes that run, commands that end, nothing left over.

with Processes(folder) as processes:
    bootstrap = processes.node("--public")
    done = processes.run("chat", "hello", "--bootstrap", bootstrap.name)
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import psutil

from tests.helpers.origin import Origin

READY_SECONDS = 120.0
COMMAND_SECONDS = 120.0


class NodeProcess:
    """A `potluck node` of its own; `ready` is what it printed first."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, log: Path) -> None:
        self.process = process
        self.folder = folder
        self.log = log
        self.ready_text = ""

    @property
    def ready(self) -> dict[str, Any]:
        """The line it printed when it was ready; waits for it."""
        if not self.ready_text:
            assert self.process.stdout is not None
            self.ready_text = _line_in_time(self.process.stdout, READY_SECONDS)
            assert self.ready_text, f"the node ended: {self.errors}"
        ready: dict[str, Any] = json.loads(self.ready_text)
        return ready

    @property
    def name(self) -> str:
        """How others name it: PEERID@HOST:PORT."""
        return f"{self.ready['peer_id']}@{self.ready['listen']}"

    @property
    def errors(self) -> str:
        """What it wrote to standard error so far."""
        return self.log.read_text(errors="replace")

    @property
    def status(self) -> dict[str, Any]:
        """What it last wrote about itself; waits until it has."""
        path = self.folder / "node.json"
        until(path.exists)
        status: dict[str, Any] = json.loads(path.read_text())
        return status

    def family(self) -> list[psutil.Process]:
        """The node and every process below it."""
        node = psutil.Process(self.process.pid)
        return [node, *node.children(recursive=True)]

    def worker(self) -> psutil.Process:
        """Its engine's worker."""
        (worker,) = psutil.Process(self.process.pid).children()
        return worker

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask it to end, and wait; its exit code."""
        self.process.terminate()
        return self.process.wait(30)

    def output_after_ready(self) -> str:
        """What it printed after its first line; only once it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.read()


class Processes:
    """Starts commands and nodes in one folder, and ends whatever is left of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._nodes: list[NodeProcess] = []
        self._commands: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while left := self.at_home():
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            assert all_gone(left)
        for node in self._nodes:
            node.process.wait()
            assert node.process.stdout is not None
            node.process.stdout.close()
        for command in self._commands:
            command.wait()
            for stream in (command.stdout, command.stderr):
                if stream is not None:
                    stream.close()

    def data(self, name: str) -> Path:
        """A data folder of this name."""
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def node(
        self,
        *arguments: str,
        name: str | None = None,
        listen: str = "127.0.0.1:0",
        settings: str = "",
    ) -> NodeProcess:
        """Start a node; returns at once, `ready` waits for it."""
        name = name or f"node{len(self._nodes)}"
        folder = self.data(name)
        if settings:
            (folder / "settings.toml").write_text(settings)
        log = self.folder / f"{name}.log"
        words = ["node", "--data-dir", str(folder), "--listen", listen, *arguments]
        with log.open("wb") as errors:
            process = subprocess.Popen(
                command(*words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment(self.folder),
            )
        node = NodeProcess(process, folder, log)
        self._nodes.append(node)
        return node

    def start(self, *words: str, data: str = "client") -> subprocess.Popen[str]:
        """Start a command; `data` names its data folder, "" for a command without one."""
        folder = ["--data-dir", str(self.data(data))] if data else []
        process = subprocess.Popen(
            command(*words, *folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(self.folder),
        )
        self._commands.append(process)
        return process

    def run(self, *words: str, data: str = "client") -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*words, data=data)
        output, errors = process.communicate(timeout=COMMAND_SECONDS)
        return subprocess.CompletedProcess(words, process.returncode, output, errors)

    def at_home(self) -> list[psutil.Process]:
        """All processes that were started from here, whoever started them, and that run still."""
        return [process for process in psutil.process_iter() if _home(process) == str(self.folder)]

    def chat(self, prompt: str, *words: str, data: str = "client") -> dict[str, Any]:
        """Run `potluck chat --json`, which has to succeed; what it printed."""
        done = self.run("chat", prompt, "--json", *words, data=data)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def command(*words: str) -> list[str]:
    """How a person types it, for this very Python."""
    return [sys.executable, "-m", "app", *words]


def environment(home: Path) -> dict[str, str]:
    """Nothing of whoever runs the tests: no keyring, no data folder, no settings."""
    return {
        **os.environ,
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "share"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }


def until(condition: Any, *, seconds: float = 30.0) -> None:
    """Wait for another process to do something that sends no word of it."""
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen in time"
        time.sleep(0.02)


def all_gone(processes: Sequence[psutil.Process], *, seconds: float = 30.0) -> bool:
    """Whether every one of these has ended within this time.

    One that is dead and whose parent has not looked yet counts as ended.
    """
    ends_at = time.monotonic() + seconds
    while any(_runs(process) for process in processes):
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.02)
    return True


def _home(process: psutil.Process) -> str:
    """Its home as `environment` says it; "" where that is not to be seen any more."""
    try:
        return process.environ().get("HOME", "")
    except (psutil.Error, OSError):
        return ""


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def serving(source: bytes) -> Iterator[Origin]:
    """A web server with one file, in a thread of its own, so that a test may wait on processes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="origin")
    thread.start()
    try:
        origin = Origin(source)
        asyncio.run_coroutine_threadsafe(origin.__aenter__(), loop).result(10)
        try:
            yield origin
        finally:
            asyncio.run_coroutine_threadsafe(origin.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _line_in_time(stream: IO[str], seconds: float) -> str:
    """A line, or "" when the stream ends; fails when neither comes."""
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    assert lines, f"nothing was printed in {seconds:g} seconds"
    return lines[0]
