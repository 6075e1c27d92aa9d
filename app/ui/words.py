"""Numbers as people read them: bytes, speeds, times. Unknown is a dash, never a zero."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import QLocale

from app.api.shapes import LayerHolder, MessageView, ModelView
from app.ui.inline_markdown import plain
from app.ui.translations import counted, tr

UNKNOWN = "\u2013"
SHORT_NAME_CHARACTERS = 8
LICENCES = {
    "apache-2.0": "Apache 2.0",
    "mit": "MIT",
    "bsd-3-clause": "BSD",
    "cc-by-4.0": "CC BY 4.0",
    "cc0-1.0": "CC0",
}
LINE_MARK = re.compile(r"^\s*(#{1,6}|>|[-*+])\s+")


def whole(number: float) -> str:
    """A whole number with the separators of the person's country."""
    return QLocale().toString(round(number))


def decimal(number: float) -> str:
    """One decimal below a hundred, none above."""
    return QLocale().toString(float(number), "f", 1) if number < 100 else whole(number)


def number(value: float) -> str:
    """A number with at most two decimals, and none that it does not need."""
    if float(value).is_integer():
        return whole(value)
    decimals = 1 if round(value, 1) == round(value, 2) else 2
    return QLocale().toString(float(value), "f", decimals)


def size(count: float) -> str:
    """Bytes in the units that disks are sold in."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor * 0.95:
            return f"{decimal(count / factor)} {unit}"
    return counted(round(count), "{n} byte", "{n} bytes")


def network_speed(bytes_per_second: float) -> str:
    """Bytes a second as megabits, which is how connections are sold."""
    megabits = bytes_per_second * 8 / 1e6
    return f"{decimal(megabits)} Mbit/s" if megabits >= 0.95 else f"{whole(megabits * 1000)} kbit/s"


def token_speed(tokens_per_second: float | None) -> str:
    """Tokens a second; a dash while nobody has measured it."""
    if tokens_per_second is None:
        return UNKNOWN
    return tr("{speed} tokens/s").format(speed=decimal(tokens_per_second))


def latency(seconds: float | None) -> str:
    """A round trip in milliseconds."""
    return UNKNOWN if seconds is None else f"{whole(seconds * 1000)} ms"


def duration(seconds: float) -> str:
    """How long, in the two largest units that matter."""
    minutes, hours = round(seconds / 60), int(seconds // 3600)
    if seconds < 90:
        return counted(max(0, round(seconds)), "{n} second", "{n} seconds")
    if minutes < 90:
        return counted(minutes, "{n} minute", "{n} minutes")
    if hours < 48:
        rest = round(seconds % 3600 / 60)
        text = counted(hours, "{n} hour", "{n} hours")
        return f"{text} {counted(rest, '{n} minute', '{n} minutes')}" if rest else text
    return counted(round(seconds / 86400), "{n} day", "{n} days")


def moment(unix_seconds: float) -> str:
    """A time of day, with the day where it is not today."""
    when = datetime.fromtimestamp(unix_seconds)
    clock = QLocale().toString(when.time(), QLocale.FormatType.ShortFormat)
    if when.date() == datetime.now().date():
        return clock
    day = QLocale().toString(when.date(), QLocale.FormatType.ShortFormat)
    return f"{day}, {clock}"


def time_left(until: float | None, now: float) -> str:
    """What follows a pause's name: how long it lasts still; empty when nobody knows."""
    if until is None or until <= now:
        return ""
    return tr("{time} left").format(time=duration(until - now))


def short_name(peer_id: str) -> str:
    """Enough of a helper's name to tell it from others."""
    return peer_id[:SHORT_NAME_CHARACTERS]


def holder_name(holder: LayerHolder) -> str:
    """A helper's name, or this computer's."""
    return tr("This computer") if holder.mine else short_name(holder.peer_id)


def chat_title(title: str) -> str:
    """A chat's name without the marks of markdown that its first question had."""
    return plain(LINE_MARK.sub("", title)).strip() or tr("New chat")


def replicas(model: ModelView) -> list[int]:
    """For each unit, how many computers serve it; who still fetches its layers does not."""
    counts = [0] * model.units
    for holder in model.holders:
        if holder.ready:
            for unit in range(max(0, holder.start), min(model.units, holder.stop)):
                counts[unit] += 1
    return counts


def coverage_words(counts: Sequence[int], *, joins: bool = True) -> str:
    """How often a model's units are served; its ends are no layers and are named.

    `joins` is whether the parts meet, so that a chain can be made of them.
    """
    units = len(counts)
    missing = [unit for unit, count in enumerate(counts) if not count]
    if len(missing) == units:
        return tr("nobody serves it at the moment")
    if not missing:
        if not joins:
            return tr("every layer is served, but the parts do not meet")
        alone = sum(count == 1 for count in counts[1:-1])
        if not alone:
            return tr("every layer is served by two or more")
        once = counted(alone, "{n} layer by one computer only", "{n} layers by one computer only")
        return f"{tr('every layer is served')}, {once}"
    parts = []
    between = sum(0 < unit < units - 1 for unit in missing)
    if between:
        parts.append(
            counted(between, "{n} layer is served by nobody", "{n} layers are served by nobody")
        )
    if missing[0] == 0:
        parts.append(tr("the input is served by nobody"))
    if missing[-1] == units - 1:
        parts.append(tr("the output is served by nobody"))
    return ", ".join(parts)


def place_words(place: str) -> str:
    """What this computer is to a model it serves some of; empty where it serves none."""
    return {
        "only": tr("Chats need this computer: nobody else serves some of its layers."),
        "second": tr(
            "Chats can fall back on this computer: some of its layers have only one other helper."
        ),
        "spare": tr("Each of its layers has at least two other helpers."),
    }.get(place, "")


def layer_count(start: int, stop: int, units: int) -> int:
    """How many layers a span has; the first unit and the last one are none."""
    return max(0, min(stop, units - 1) - max(start, 1))


def licence(name: str) -> str:
    """A licence as people write it: "apache-2.0" is Apache 2.0."""
    return LICENCES.get(name.casefold(), name)


def answer_line(message: MessageView) -> str:
    """The line under an answer: who computed it, how fast, and who could read it."""
    if not message.chain:
        return ""
    own = {"this computer", "This computer"}
    names = [tr("this computer") if name in own else name for name in message.chain]
    parts = [message.model] if message.model else []
    parts.append(tr("Answered by {names}").format(names=", ".join(dict.fromkeys(names))))
    if message.tokens:
        parts.append(counted(message.tokens, "{n} token", "{n} tokens"))
    if message.tokens_per_second > 0:
        parts.append(token_speed(message.tokens_per_second))
    if message.repairs:
        parts.append(
            counted(message.repairs, "{n} helper was replaced", "{n} helpers were replaced")
        )
    readers = [name for name in message.readers if name not in own]
    if readers:
        parts.append(tr("could be read by {names}").format(names=", ".join(readers)))
    else:
        parts.append(tr("nobody else could read it"))
    return " · ".join(parts)
