"""Takes the pictures in docs/images: every screen, light, dark and at 200 %.

    python -m tools.screenshots [--out FOLDER] [--only NAME]

The window is the real one and speaks to a scripted node (`tests/helpers/fake_node_api.py`)
so that the pictures do not depend on who happens to share. Each look is drawn in a process
of its own, because Qt fixes the scale at its start.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

ROOT = Path(__file__).resolve().parent.parent
LOOKS = {"light": ("light", "1"), "dark": ("dark", "1"), "large": ("light", "2")}
WIDTH, HEIGHT = 1080, 720
COLOURS = 128
"""Enough for flat drawings; keeps a picture below 100 kB."""


def main(arguments: list[str]) -> int:
    """Draw all looks, or one of them in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", default="", help="draw only screens with this in their name")
    parser.add_argument("--look", choices=sorted(LOOKS), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.look:
        return draw(options.look, options.out, options.only)
    for look, (_, scale) in LOOKS.items():
        environment = {**os.environ, "QT_SCALE_FACTOR": scale, "QT_QPA_PLATFORM": "offscreen"}
        command = [sys.executable, "-m", "tools.screenshots", "--look", look]
        command += ["--out", str(options.out), "--only", options.only]
        if code := subprocess.run(command, env=environment, cwd=ROOT).returncode:
            return code
    return 0


def draw(look: str, out: Path, only: str) -> int:
    """Draw the screens in one look."""
    from PySide6.QtWidgets import QApplication, QWidget

    from app.ui.autostart import LinuxAutostart
    from app.ui.desktop import Desktop
    from app.ui.node_process import NodeProcess
    from app.ui.theme import Theme
    from app.ui.translations import Language
    from app.ui.tray import Tray
    from tests.helpers.fake_node_api import TOKEN, FakeNodeThread
    from tests.helpers.fake_node_data import old_conversations

    application = QApplication(["potluck"])
    language = Language(application)
    language.use("en")
    theme = Theme(application, "dark" if LOOKS[look][0] == "dark" else "light")
    theme.start()
    folder = Path(tempfile.mkdtemp(prefix="potluck-pictures-"))

    def settle(seconds: float = 0.4) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            application.processEvents()
            time.sleep(0.01)

    def keep(name: str, widget: QWidget) -> None:
        if only in name:
            settle()
            path = out / f"{name}-{look}.png"
            widget.grab().save(str(path))
            shrink(path)

    with FakeNodeThread(consented=None) as thread:
        for conversation in old_conversations():
            thread.node.put(conversation)
        look_of_it = {"theme": LOOKS[look][0]}
        asyncio.run(thread.node.change_settings(look_of_it))
        desktop = Desktop(
            application,
            theme,
            language,
            folder,
            NodeProcess(folder),
            LinuxAutostart(["potluck"], folder),
        )
        window = desktop.window
        window.resize(WIDTH, HEIGHT)
        window.about.facts["folder"].setText("~/.local/share/potluck")
        window.show()
        desktop.backend.open(thread.url, TOKEN)
        settle(1.0)
        screens(keep, desktop, thread, settle)
        tray: Tray = desktop.tray
        tray.menu.popup(window.mapToGlobal(window.rect().center()))
        keep("tray-menu", tray.menu)
        tray.menu.hide()
        desktop.backend.close()
    return 0


def screens(
    keep: Callable[..., None],
    desktop: object,
    thread: object,
    settle: Callable[..., None],
) -> None:
    """Go through the screens, in the order in which a person meets them."""
    from typing import Any

    from app.api.shapes import Download, Pause
    from app.ui.chat_options import ChatOptions
    from app.ui.logs_dialog import LogsDialog
    from tests.helpers.fake_node_data import model_at_rest

    here: Any = desktop
    node: Any = thread
    window = here.window
    for step in range(3):
        keep(f"first-run-{step + 1}", window)
        if step < 2:
            window.first_run.next.click()
    window.first_run.next.click()
    settle()
    fill_graphs(window)
    window.go("overview")
    keep("overview", window)
    window.dashboard.ensureWidgetVisible(window.dashboard.coverage)
    keep("overview-swarm", window)
    window.dashboard.verticalScrollBar().setValue(0)
    download = Download(
        model="Qwen3 8B",
        done_bytes=640_000_000,
        total_bytes=1_820_000_000,
        bytes_per_second=5_400_000.0,
        origin="a helper",
    )
    words = "Paused: on battery (until plugged in)"
    pause = Pause(reason="battery", words=words, can_override=True)
    resting = replace(model_at_rest(shares=False), my_start=1, my_stop=15)
    still = replace(node.node.state.speeds, tokens_per_second=0.0)
    node.do(
        lambda n: n.tell(
            state="paused",
            headline=words,
            pause=pause,
            download=download,
            model=resting,
            speeds=still,
        )
    )
    settle()
    keep("overview-paused", window)
    node.do(lambda n: n.tell(download=None))
    window.go("chat")
    keep("chat-empty", window)
    window.chat.open("old0")
    settle()
    keep("chat", window)
    window.chat.open("old1")
    settle()
    keep("chat-stopped", window)
    node.node.waits_at = 300
    window.chat.begin_new()
    window.chat.composer.field.setPlainText("How does a chain of helpers work?")
    window.chat.composer.button.click()
    settle(1.0)
    keep("chat-waiting", window)
    node.do(lambda n: n.go_on.set())
    settle()
    window.chat.open("old1")
    settle()
    dialog = ChatOptions(window, window.chat._conversation.options, node.node.offers)
    dialog.show()
    keep("chat-options", dialog)
    dialog.close()
    window.go("models")
    keep("models", window)
    window.go("settings")
    keep("settings", window)
    window.settings.ensureWidgetVisible(window.settings.fields["schedule"].widget, 0, 260)
    keep("settings-rules", window)
    window.settings.verticalScrollBar().setValue(0)
    window.go("about")
    keep("about", window)
    window.settings.show_logs()
    settle()
    for logs in window.settings.findChildren(LogsDialog):
        keep("logs", logs)
        logs.reject()
    here.backend.close()  # else the next news would take away what is said here
    window.show_trouble(
        "Potluck's node ended unexpectedly. Your conversations are kept; it starts again."
    )
    window.go("overview")
    keep("node-lost", window)


def fill_graphs(window: object) -> None:
    """Two minutes of a lively swarm, so that the graphs are not empty."""
    import math
    from typing import Any

    here: Any = window
    for second in range(120):
        now = time.monotonic() + second
        busy = 9 + 5 * math.sin(second / 9) + 3 * math.sin(second / 3.1)
        here.dashboard.tokens.graph.add(now, max(0.0, busy))
        up = 190_000 + 80_000 * math.sin(second / 8)
        here.dashboard.network.graph.add(now, up, up * 0.8 + 20_000 * math.sin(second / 2))


def shrink(path: Path) -> None:
    """Fewer colours, smaller file; the picture stays as it is where the tools are missing."""
    try:
        subprocess.run(
            ["convert", str(path), "+dither", "-colors", str(COLOURS), f"PNG8:{path}"],
            check=True,
            capture_output=True,
        )
        subprocess.run(["optipng", "-quiet", "-o2", str(path)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        print(f"{path.name} is not made smaller: ImageMagick or optipng is missing.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
