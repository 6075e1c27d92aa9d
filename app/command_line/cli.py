"""The command line: what can be typed, and the one place where errors become a line.

Each command's work is elsewhere: `app/node/node.py`, and beside this module in `terminal.py`,
`demo.py`, `status.py` and `commands.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from app import __version__
from app.errors import PotluckError
from app.ids import parse_span
from app.logs import OutputBound
from app.window_file import OUTPUT_FILE

logger = logging.getLogger(__name__)

Command = Callable[[argparse.Namespace], Awaitable[int]]

_OWNERS_FILES: Final = ("app.settings", "app.engine.shelf", "app.folder.fetching")
"""Every command says what is wrong in files that a person wrote or handed over."""
HOW_LAYERS_ARE_CHOSEN: Final = (
    "--model alone serves all units of that model, --units just those. Without either, once you"
    " have agreed to share in the window or over the API, Potluck chooses the layers by itself: as"
    " many as fit, where the fewest others serve, and others later when these are needed more."
)
_NO_UNITS: Final = "argument --units: expected one argument"
_UNITS_LIKE: Final = (
    "argument --units: expected a span of units; write it like 0:5, which is units 0 to 4"
)


def run(arguments: Sequence[str]) -> int:
    """Run one command; return the process's exit code.

    0: done. 1: it could not be done, with a line that says why. 2: the words of
    the command are off. 70: a mistake of ours. 130: interrupted. 143: stopped by
    SIGTERM, which is how a node ends, and then 0.
    """
    options = _parser().parse_args(arguments)
    if options.name == "chat":  # quotes are easily forgotten
        options.prompt = " ".join(options.prompt) if options.prompt else None
    logging.basicConfig(
        level=_level(options),
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    if options.name == "node":
        _bound_output(options.data_dir)
    logging.getLogger("quic").setLevel(logging.WARNING)  # aioquic tells of every connection
    for name in _OWNERS_FILES:
        logging.getLogger(name).setLevel(min(_level(options), logging.WARNING))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that lacks a letter shows another one; that is no reason to end.
        sys.stdout.reconfigure(errors="replace")
    try:
        stopped_code = 0 if options.name == "node" else 128 + signal.SIGTERM
        return asyncio.run(_until_stopped(options.command(options), stopped_code=stopped_code))
    except PotluckError as error:
        from app.command_line.terminal import one_line  # only now: --help stays quick

        print(f"potluck: {one_line(str(error))}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is left to say, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"potluck: {_words(error, options)}", file=sys.stderr)
        return 1
    except Exception as error:  # the edge: a mistake of ours, told in one line
        logger.debug("a mistake in Potluck", exc_info=error)
        print(
            f"potluck: this is a mistake in Potluck itself ({type(error).__name__}: {error});"
            " please report it with what -v prints.",
            file=sys.stderr,
        )
        return 70


async def _until_stopped(work: Awaitable[int], *, stopped_code: int) -> int:
    """Run `work`; SIGTERM cancels it like Ctrl-C does, so that everything is put away."""
    task = asyncio.current_task()
    assert task is not None
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        return await work
    except asyncio.CancelledError:
        if stopped:
            return stopped_code
        raise


def _words(error: OSError, options: argparse.Namespace) -> str:
    what = error.strerror or str(error)
    if not isinstance(error.filename, str):
        return what
    folder = _data_folder(options)
    is_ours = folder is not None and Path(error.filename).absolute().is_relative_to(folder)
    hint = " Choose another folder with --data-dir." if is_ours else ""
    return f"{error.filename} cannot be used: {what}.{hint}"


def _data_folder(options: argparse.Namespace) -> Path | None:
    from app.settings import default_data_folder  # only now: --help stays quick

    if "data_dir" not in options:
        return None
    folder: Path = options.data_dir or default_data_folder()
    return folder.absolute()


def _level(options: argparse.Namespace) -> int:
    if options.verbose:
        return logging.DEBUG
    return logging.INFO if options.name == "node" else logging.ERROR


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        # What begins with a minus is taken for another option, so no reader of ours sees it.
        message = message.replace(_NO_UNITS, _UNITS_LIKE)
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="potluck",
        description="Many ordinary computers run large language models together. Without a"
        " command, potluck opens its window.",
    )
    parser.add_argument("--version", action="version", version=f"potluck {__version__}")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    for add in (_node, _chat, _demo, _publish, _models, _status, _doctor):
        command = add(commands)
        command.add_argument("-v", "--verbose", action="store_true", help="tell everything")
    return parser


def _command(
    commands: Any, name: str, work: str, words: str, *, more: str = ""
) -> argparse.ArgumentParser:
    described = f"{words}. {more}" if more else words
    command: argparse.ArgumentParser = commands.add_parser(name, help=words, description=described)
    command.set_defaults(command=lambda options: _load(work)(options))
    return command


def _load(work: str) -> Command:
    """A command's function; imported only when it is wanted, so that --help is quick."""
    from app.command_line import commands, demo, status, terminal

    functions: dict[str, Command] = {
        "node": commands.node,
        "publish": commands.publish_model,
        "models": commands.models,
        "status": status.status,
        "doctor": commands.doctor,
        "chat": terminal.chat,
        "demo": demo.demo,
    }
    return functions[work]


def _node(commands: Any) -> argparse.ArgumentParser:
    command = _command(
        commands, "node", "node", "serve layers of a model to others", more=HOW_LAYERS_ARE_CHOSEN
    )
    _data_dir(command)
    _bootstrap(command)
    command.add_argument("--listen", metavar="HOST:PORT", help="UDP address to listen on")
    command.add_argument(
        "--announce",
        metavar="HOST:PORT",
        action="append",
        default=[],
        help="where others reach this node, if a router forwards a port to it (may be repeated)",
    )
    _model(command)
    command.add_argument(
        "--units",
        metavar="A:B",
        type=_span,
        help="which units of the model to serve: 0 is its input, 1 its first layer, the last one"
        " its output; 0:5 is the input and layers 1 to 4 (default: all of them)",
    )
    command.add_argument(
        "--public",
        action="store_true",
        help="others can reach this computer: keep the list of who serves what for them",
    )
    command.add_argument(
        "--api",
        nargs="?",
        const="default",
        metavar="HOST:PORT",
        help="serve programs on this computer over HTTP; port 0 takes any that is free"
        " (default: as in the settings, or the next port that is free)",
    )
    return command


def _chat(commands: Any) -> argparse.ArgumentParser:
    command = _command(commands, "chat", "chat", "ask a model, over the swarm or alone")
    command.add_argument("prompt", nargs="*", metavar="PROMPT", help="without it: a conversation")
    _data_dir(command)
    _bootstrap(command)
    _model(command)
    for name, read, metavar, words in (
        (
            "--temperature",
            _number(0, 10),
            "T",
            "how much chance decides; 0, the default: not at all",
        ),
        ("--top-k", _whole(0, 1024), "K", "choose among the K likeliest (40; 0: no bound)"),
        ("--top-p", _number(0.001, 1), "P", "choose among those that make up P (0.95)"),
        ("--min-p", _number(0, 1), "P", "leave out those below P of the likeliest (0.05)"),
        ("--repetition-penalty", _number(0.1, 10), "R", "above 1: repeat less (1)"),
        ("--max-tokens", _whole(1, 1 << 20), "N", "the longest answer, in tokens (256)"),
        ("--seed", _whole(0, 1 << 62), "S", "makes chance repeatable"),
        ("--deadline", _number(0.1, 86400), "SECONDS", "stop writing after so long"),
    ):
        command.add_argument(name, type=read, default=None, metavar=metavar, help=words)
    command.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="end the answer before TEXT"
    )
    command.add_argument("--system", metavar="TEXT", help="instructions that precede everything")
    command.add_argument("--raw", action="store_true", help="continue PROMPT; no chat template")
    command.add_argument(
        "--alone", action="store_true", help="run the whole model on this computer"
    )
    command.add_argument(
        "--over-swarm",
        action="store_true",
        help="ask others even if this computer, which has the model, is faster by itself",
    )
    command.add_argument("--json", action="store_true", help="print one line for programs")
    return command


def _demo(commands: Any) -> argparse.ArgumentParser:
    command = _command(
        commands, "demo", "demo", "start a swarm on this computer, ask it, and clean up"
    )
    command.add_argument("--nodes", type=_whole(1, 8), default=3, metavar="N")
    command.add_argument("--question", default=None, metavar="TEXT")
    command.add_argument("--json", action="store_true", help="end with one line for programs")
    return command


def _publish(commands: Any) -> argparse.ArgumentParser:
    command = _command(commands, "publish", "publish", "write a signed manifest of a GGUF file")
    command.add_argument("file", type=Path, metavar="FILE.gguf")
    command.add_argument(
        "--url",
        action="append",
        required=True,
        metavar="URL",
        help="where others find exactly this file; may be given several times",
    )
    command.add_argument("--out", type=Path, metavar="M.json")
    command.add_argument("--name", metavar="NAME", help="what people type to use it")
    command.add_argument("--licence", metavar="NAME")
    _data_dir(command)
    return command


def _models(commands: Any) -> argparse.ArgumentParser:
    command = _command(commands, "models", "models", "list the models this computer knows")
    _data_dir(command)
    command.add_argument("--json", action="store_true", help="print one line for programs")
    return command


def _status(commands: Any) -> argparse.ArgumentParser:
    command = _command(
        commands, "status", "status", "what this computer shares, and who serves what"
    )
    _data_dir(command)
    _bootstrap(command)
    command.add_argument("--json", action="store_true", help="print one line for programs")
    return command


def _doctor(commands: Any) -> argparse.ArgumentParser:
    command = _command(
        commands, "doctor", "doctor", "what this computer can do, and what is missing"
    )
    _data_dir(command)
    return command


def _bound_output(data_dir: Path | None) -> None:
    """A node runs for months, and a window lets it print into a file."""
    from app.settings import default_data_folder  # only now: --help stays quick

    folder = default_data_folder() if data_dir is None else data_dir
    with contextlib.suppress(OSError, ValueError, AttributeError):  # there may be no output
        bound = OutputBound(folder / OUTPUT_FILE, descriptor=sys.stderr.fileno())
        logging.getLogger().addHandler(bound)


def _data_dir(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data-dir", type=_folder, metavar="D", help="where everything is kept")


def _bootstrap(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--bootstrap",
        action="append",
        default=[],
        metavar="PEERID@HOST:PORT",
        help="a computer to ask who serves a model; may be given several times",
    )


def _model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model", metavar="ID|M.json", help="a model's name or id, or its manifest's file"
    )


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("the name of a folder is missing")
    return Path(text)


def _span(text: str) -> Any:
    try:
        return parse_span(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
        return value

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{text[:40]!r} is no whole number from {least:,} to {most:,}"
            )
        return value

    return read
