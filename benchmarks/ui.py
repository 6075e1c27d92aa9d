"""What the window costs: time to the tray, idle processor and memory, and smoothness.

    python3 dev.py run python benchmarks/ui.py

The real program on a real X screen (`tests/helpers/screen.py`), speaking to a scripted node
in a process of its own, so that only the window is measured.

`tray_seconds`: from the start of the process to its icon in the tray, warm, median.
`idle_cpu_percent`: of one core, over a while with the overview open and nothing happening;
`sharing_cpu_percent` the same with a snapshot every second. `resident_mb`: after both.
`frame_gap_p99_ms`: while an answer of 2,000 words arrives and somebody types and scrolls, how
long the window's event loop is away at a time; the 99th percentile of those gaps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil

from app.api.shapes import NODE_FILE, TOKEN_FILE
from benchmarks.figures import last_line
from tests.helpers.screen import Screen, wait_for

ROOT: Final = Path(__file__).resolve().parent.parent
STARTS: Final = 6
IDLE_SECONDS: Final = 20.0
SETTLE_SECONDS: Final = 4.0
WORDS: Final = 2000
PIECE_SECONDS: Final = 0.015
TICK_MILLISECONDS: Final = 4
TYPE_SECONDS: Final = 0.12


class Node:
    """A scripted node for one data folder, between `with` and its end."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._folder = folder
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Node:
        command = [sys.executable, "-m", "tests.helpers.fake_node_api"]
        command += ["--data-dir", str(self._folder), *self._words]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        wait_for(lambda: (self._folder / NODE_FILE).exists(), "the scripted node")
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)


def start_window(folder: Path, screen: Screen) -> subprocess.Popen[bytes]:
    """The program as a person starts it."""
    command = [sys.executable, "-m", "app", "--data-dir", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, env=screen.environment)


def end_window(process: subprocess.Popen[bytes]) -> None:
    """End the window alone: its node stays for the next one."""
    process.kill()
    process.wait(10)


def seconds_to_tray(folder: Path, screen: Screen) -> float:
    """One start, from nothing to the icon."""
    began = time.perf_counter()
    process = start_window(folder, screen)
    while screen.tray_icon("potluck") is None:
        time.sleep(0.01)
    taken = time.perf_counter() - began
    end_window(process)
    wait_for(lambda: not screen.windows("potluck"), "the window to go")
    return taken


def processor_percent(process: psutil.Process, seconds: float) -> float:
    """How much of one core a process uses."""
    first, began = process.cpu_times(), time.perf_counter()
    time.sleep(seconds)
    last, ended = process.cpu_times(), time.perf_counter()
    used = last.user + last.system - first.user - first.system
    return float(100 * used / (ended - began))


def idle(folder: Path, screen: Screen, seconds: float) -> tuple[float, float]:
    """Percent of a core and megabytes of a window with the overview open."""
    process = start_window(folder, screen)
    wait_for(lambda: screen.main_window("potluck"), "the window")
    time.sleep(SETTLE_SECONDS)
    watched = psutil.Process(process.pid)
    percent = processor_percent(watched, seconds)
    megabytes = watched.memory_info().rss / 1e6
    end_window(process)
    return percent, megabytes


def frame_gaps(folder: Path) -> list[float]:
    """Ask, type and scroll while the answer arrives; the gaps of the loop in milliseconds."""
    from PySide6.QtCore import QPoint, QPointF, Qt, QTimer
    from PySide6.QtGui import QWheelEvent
    from PySide6.QtWidgets import QApplication

    from app.ui.autostart import LinuxAutostart
    from app.ui.desktop import Desktop
    from app.ui.node_process import NodeProcess
    from app.ui.theme import Theme
    from app.ui.translations import Language

    application = QApplication(["potluck"])
    theme = Theme(application, "light")
    theme.start()
    desktop = Desktop(
        application,
        theme,
        Language(application),
        folder,
        NodeProcess(folder),
        LinuxAutostart(["potluck"], folder),
    )
    desktop.start(hidden=False)
    chat = desktop.window.chat
    gaps: list[float] = []
    state = {"last": 0.0, "typed": 0.0, "asked": False}

    def scroll() -> None:
        view = chat.transcript.viewport()
        middle = QPointF(view.rect().center())
        steps = QPoint(0, 40 if len(gaps) % 2 else -40)
        event = QWheelEvent(
            middle,
            QPointF(view.mapToGlobal(view.rect().center())),
            QPoint(0, 0),
            steps,
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view, event)

    def tick() -> None:
        now = time.perf_counter()
        if not state["asked"]:
            if desktop.backend.is_connected:
                state["asked"] = True
                desktop.window.go("chat")
                chat.composer.sent.emit("Tell me everything.")
            return
        writing = chat.composer.button.accessibleName() == "Stop"
        if writing and state["last"]:
            gaps.append(1000 * (now - state["last"]))
        state["last"] = now if writing else 0.0
        if writing and now - state["typed"] > TYPE_SECONDS:
            state["typed"] = now
            chat.composer.field.insertPlainText("word ")
            scroll()
        if gaps and not writing:
            application.quit()

    timer = QTimer(interval=TICK_MILLISECONDS)
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    timer.start()
    QTimer.singleShot(120_000, application.quit)
    application.exec()
    shown = chat.transcript.messages[-1].text.source
    print(f"  {len(shown.split()):,} words shown", file=sys.stderr)
    return gaps


def smoothness(folder: Path, screen: Screen) -> list[float]:
    """`frame_gaps` in a process of its own, on the screen."""
    command = [sys.executable, str(Path(__file__).resolve()), "--frames", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=screen.environment, stdout=subprocess.PIPE, check=True
    )
    return [float(gap) for gap in json.loads(done.stdout)]


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of all lie below."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main(arguments: list[str]) -> int:
    """Measure everything and print one line for programs at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="shorter, and less exact")
    options = parser.parse_args(arguments)
    if options.frames is not None:
        print(json.dumps(frame_gaps(options.frames)))
        sys.stdout.flush()
        os._exit(0)  # what is measured is over; how Qt takes itself apart is not
    starts, seconds = (3, 5.0) if options.quick else (STARTS, IDLE_SECONDS)
    with tempfile.TemporaryDirectory(prefix="potluck-ui-") as name:
        home = Path(name)
        home.chmod(0o700)
        folder = home / "data"
        folder.mkdir()
        with Screen(home) as screen:
            with Node(folder):
                assert (folder / TOKEN_FILE).exists()
                tray = [seconds_to_tray(folder, screen) for _ in range(starts)]
                print(f"  tray: {', '.join(f'{one:.2f}' for one in tray)} s", file=sys.stderr)
                idle_percent, idle_megabytes = idle(folder, screen, seconds)
            with Node(folder, "--lively"):
                busy_percent, busy_megabytes = idle(folder, screen, seconds)
            words = ("--words", str(WORDS), "--piece-seconds", str(PIECE_SECONDS))
            with Node(folder, *words):
                gaps = smoothness(folder, screen)
    print(
        last_line(
            {
                "benchmark": "ui",
                "tray_seconds": round(median(tray[1:]), 3),
                "idle_cpu_percent": round(idle_percent, 2),
                "sharing_cpu_percent": round(busy_percent, 2),
                "resident_mb": round(max(idle_megabytes, busy_megabytes), 1),
                "frame_gap_p99_ms": round(percentile(gaps, 0.99), 1),
                "frame_gap_max_ms": round(max(gaps), 1),
                "frames": len(gaps),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
