"""The log's last lines in memory, and how they are shown to others: without names.

What an owner sends to somebody for help must not tell where they live or who they
are: addresses, computers' ids, user and host names and secrets are replaced. `redact`
is pure; the handler is installed by the node.
"""

from __future__ import annotations

import contextlib
import getpass
import ipaddress
import logging
import os
import platform
import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

MAX_LINES: Final = 2000
"""About an hour of a busy node; at 500 characters a line, 1 MB."""
MAX_LINE_CHARACTERS: Final = 500
MAX_OUTPUT_BYTES: Final = 4 << 20

_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_BEFORE_PEER: Final = r"(?:from|of|by|peer|peer_id|dial|ask|to|with|helper|node)"
_AFTER_PEER: Final = (
    r"(?:is|has|had|at|left|came|says|gave|broke|closed|feeds|leaves|breaks|does|answers|cannot"
    r"|stopped|went)"
)
_BEFORE_NAMES: Final = (
    ("[secret]", re.compile(r"(?i)\bbearer\s+[\w.~+/=-]+")),
    (r"\1[secret]@", re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,15}://)[^\s/@]+@")),
    (r"\1?[query]", re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,15}://[^\s?#\"'<>]+)\?[^\s\"'<>]+")),
    (
        r"\1[secret]",
        re.compile(
            r"(?i)((?<![a-z])(?:[a-z]{1,20}[_-]){0,3}(?:token(?!s)|secret|password|passwd|api[_-]?key"
            r"|access[_-]?key|authorization)[\"']?\s*[:=]\s*[\"']?)(?!\d+\b)[^\s\"',;&]{6,}"
        ),
    ),
    (
        "[secret]",
        re.compile(r"\b(?:hf|sk|pk|rk|ghp|gho|ghs|glpat|github_pat|xox[abprs])[-_][\w-]{8,}"),
    ),
    ("[secret]", re.compile(r"\bAKIA[0-9A-Z]{12,}\b")),
    # What people use is 52 letters of this alphabet, and its first eight stand in sentences.
    ("[id]", re.compile(r"(?<![a-z0-9])[a-z2-7]{52}(?![a-z0-9])")),
    ("[id]", re.compile(r"(?<![\w.])(?=[a-z]*[2-7])[a-z2-7]{8}(?![\w])(?!\.\w)")),
    (r"\1[id]", re.compile(rf"(\b{_BEFORE_PEER} )[a-z2-7]{{8}}(?![\w])")),
    ("[id]", re.compile(rf"(?<![\w.])[a-z2-7]{{8}}(?= {_AFTER_PEER}\b)")),
    ("[secret]", re.compile(r"(?i)(?<![0-9a-z])[0-9a-f]{32,}(?![0-9a-z])")),
    (
        "[secret]",
        re.compile(
            r"(?<![\w./+-])(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])(?=[\w+/-]*\d)[\w+/-]{40,}={0,2}"
        ),
    ),
    (
        "[address]",
        re.compile(r"(?i)(?<![0-9a-z:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![0-9a-z:-])"),
    ),
    ("[secret]", re.compile(r"(?<![\w./+-])(?=[0-9+]*[A-Za-z])[A-Za-z0-9+]{40,}={0,2}")),
    ("[mail]", re.compile(r"\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+\b")),
)
"""What is a secret or an id wherever it stands; before names, which may be a part of it."""
_AFTER_NAMES: Final = (
    (
        r"\1[name]",
        re.compile(
            r"(?i)((?:/|%2F|\\+|%5C)(?:home|users)(?:/|%2F|\\+|%5C))"
            r"(?!\[name\])[^/\\%\s\"':,;)]+"
        ),
    ),
    (
        "[address]",
        re.compile(rf"(?<![\d.]){_OCTET}(?:\.{_OCTET}){{3}}(?![\d]|\.\d)(?:(?::|%3A)\d{{1,5}})?"),
    ),
    ("[address]", re.compile(rf"(?<!\d){_OCTET}(?:-{_OCTET}){{3}}(?!\d)(?:\.[\w.-]*\w)?")),
    ("[host]", re.compile(r"(?<=://)(?![\[\d])[\w-]+(?:\.[\w-]+)*")),
    ("[host]", re.compile(r"(?<=@)(?!\[)[\w-]+(?:\.[\w-]+)*")),
)
_HOST: Final = re.compile(
    r"(?<![\w./\\-])((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+)([a-z]{2,24})\.?"
    r"(?![\w(/\\-]|\.\w)(:\d{1,5})?"
)
"""What may be a host's name; so may be a file's or a module's."""
_FILE_ENDING: Final = re.compile(
    "py|pyc|json|toml|gguf|log|sqlite3?|sock|so|dll|exe|part|txt|md|draft|ya?ml|svg|png|ts|qm|pem"
    "|key|lock|tar|gz|xz|zip|whl|deb|service|desktop|bin|dat|tmp|wal|shm"
)
_PACKAGE: Final = re.compile(
    "app|asyncio|aiohttp|aioquic|concurrent|ctypes|cryptography|encodings|http|importlib|json"
    "|jinja2|keyring|llama|logging|msgspec|multiprocessing|numpy|os|pathlib|pyside6|psutil|quic"
    "|selectors|socket|sqlite3|ssl|subprocess|threading|tomllib|typing|urllib"
)
_MAYBE_ADDRESS: Final = re.compile(
    r"(?<![\w:.])(\[)?([0-9a-fA-F]{0,4}(?:[:.][0-9a-fA-F]{0,5})+)(?:%\w+)?(?(1)\](?::\d+)?)(?!\w)"
)
"""What looks like an address, with or without a port; times of day do too, and stay."""


class RecentLines(logging.Handler):
    """Keeps the last lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line, or the first lines of a traceback."""
        try:
            self._lines.append(self.format(record)[: 8 * MAX_LINE_CHARACTERS])
        except (TypeError, ValueError):
            self.handleError(record)

    def text(self) -> str:
        """Everything that is kept, a line each."""
        return "\n".join(self._lines)


class OutputBound(logging.Handler):
    """Begins the file anew into which this process prints, when it has become too long.

    Only the window's own file: what a person has the output written into is theirs.

    Args:
        path: the window's file.
        descriptor: where this process prints.
    """

    def __init__(self, path: Path, *, descriptor: int, most_bytes: int = MAX_OUTPUT_BYTES) -> None:
        super().__init__()
        self._path = path
        self._descriptor = descriptor
        self._most_bytes = most_bytes

    def emit(self, record: logging.LogRecord) -> None:
        """After each line: look how long the file is."""
        with contextlib.suppress(OSError):
            output = os.fstat(self._descriptor)
            if output.st_size > self._most_bytes and os.path.samestat(output, self._path.stat()):
                os.ftruncate(self._descriptor, 0)


def private_words() -> tuple[str, ...]:
    """What names this computer's owner: the home folder, the user, the host."""
    words = [str(Path.home()), platform.node()]
    with contextlib.suppress(OSError, KeyError, ImportError):  # some systems have no user names
        words.append(getpass.getuser())
    return tuple(dict.fromkeys(word for word in words if len(word) > 2))


def redact(text: str, words: Sequence[str]) -> tuple[str, int]:
    """The text without addresses, hosts, ids, secrets and `words`; and how many were removed.

    It rather removes too much: eight letters that stand where a computer's id would, a long
    word of mixed letters and digits, a dotted name that is no file's.
    """
    removed = 0

    def replaced(text: str, patterns: Sequence[tuple[str, re.Pattern[str]]]) -> str:
        nonlocal removed
        for replacement, pattern in patterns:
            text, count = pattern.subn(replacement, text)
            removed += count
        return text

    def address(match: re.Match[str]) -> str:
        nonlocal removed
        shown = match[2].rstrip(".")
        if not (_is_address(shown) or _is_address(shown.rpartition(":")[0])):
            return match[0]
        removed += 1
        return "[address]" + match[2][len(shown) :]

    def host(match: re.Match[str]) -> str:
        nonlocal removed
        first = match[1].partition(".")[0]
        is_file = _FILE_ENDING.fullmatch(match[2]) or _PACKAGE.fullmatch(first)
        if is_file and not match[3]:
            return match[0]
        removed += 1
        return "[host]"

    text = _HOST.sub(host, replaced(text, _BEFORE_NAMES))
    text = replaced(text, (*_name_patterns(words), *_AFTER_NAMES))
    return _MAYBE_ADDRESS.sub(address, text), removed


def _name_patterns(words: Sequence[str]) -> list[tuple[str, re.Pattern[str]]]:
    """The longest first, so that a user's name inside the home folder does not break it up."""
    forms = {form for word in words for form in (word, quote(word, safe=""))}
    return [
        ("[name]", re.compile(rf"(?i)(?<![^\W_]){re.escape(form)}(?![^\W_])"))
        for form in sorted(forms, key=len, reverse=True)
    ]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
