"""The desktop program's entry: `potluck` with no command.

One window for each data folder; a node that runs already is joined, else one is started.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSocketNotifier
from PySide6.QtWidgets import QApplication

from app import __version__
from app.settings import SETTINGS_FILE, default_data_folder, read_settings
from app.ui.autostart import this_system
from app.ui.desktop import Desktop
from app.ui.display import missing_display
from app.ui.icons import application_icon
from app.ui.node_process import NodeProcess
from app.ui.single_instance import SingleInstance
from app.ui.theme import Theme
from app.ui.translations import Language
from app.window_file import remove_window_file, write_window_file


def main(arguments: Sequence[str]) -> int:
    """Run the desktop program; the exit code."""
    options = _parser().parse_args(arguments)
    complaint = missing_display(os.environ)
    if complaint:
        print(f"potluck: {complaint}", file=sys.stderr)
        return 1
    folder = (options.data_dir or default_data_folder()).absolute()
    settings = read_settings(folder / SETTINGS_FILE).settings
    application = QApplication(["potluck"])
    application.setApplicationName("potluck")
    application.setApplicationDisplayName("Potluck")
    application.setApplicationVersion(__version__)
    application.setDesktopFileName("potluck")
    application.setQuitOnLastWindowClosed(False)
    application.setWindowIcon(application_icon())
    instance = SingleInstance(folder, application)
    if not instance.claim():
        return 0
    language = Language(application, mirrored=options.right_to_left)
    language.use(settings.language)
    theme = Theme(application, settings.theme)
    theme.start()
    desktop = Desktop(application, theme, language, folder, NodeProcess(folder), this_system())
    instance.raised.connect(lambda: desktop.window.raise_up())
    notifiers = _end_on_signals(desktop)  # before there is a node that has to be ended too
    desktop.start(hidden=options.hidden)
    write_window_file(folder)
    code = int(application.exec())
    for notifier in notifiers:
        notifier.setEnabled(False)
    remove_window_file(folder)
    instance.release()
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="potluck", description="The Potluck window and its tray icon."
    )
    parser.add_argument("--data-dir", type=Path, metavar="D", help="where everything is kept")
    parser.add_argument("--hidden", action="store_true", help="start in the tray only")
    parser.add_argument("--right-to-left", action="store_true", help=argparse.SUPPRESS)
    return parser


def _end_on_signals(desktop: Desktop) -> list[QSocketNotifier]:
    """Ctrl-C and SIGTERM quit as the menu does; Python runs no handler while Qt waits."""
    if sys.platform == "win32":
        return []
    import socket

    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    notifier = QSocketNotifier(reader.fileno(), QSocketNotifier.Type.Read)
    notifier.setProperty("sockets", (reader, writer))

    def woken() -> None:
        reader.recv(64)
        desktop.quit()

    notifier.activated.connect(woken)
    return [notifier]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
