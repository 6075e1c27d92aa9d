"""Numbers as people read them: bytes, speeds, times. Unknown is a dash, never a zero."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QLocale

from app.api.shapes import LayerHolder, LimitInForce, MessageView, ModelView, Snapshot
from app.ui.translations import counted, tr

UNKNOWN = "\u2013"
SHORT_NAME_CHARACTERS = 8


def whole(number: float) -> str:
    """A whole number with the separators of the person's country."""
    return QLocale().toString(round(number))


def decimal(number: float) -> str:
    """One decimal below a hundred, none above."""
    return QLocale().toString(float(number), "f", 1) if number < 100 else whole(number)


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


def layers(start: int, stop: int, units: int) -> str:
    """Which layers, in a person's words: unit 0 reads the words, the last writes them."""
    if start >= stop:
        return tr("no layers")
    if start == 0 and stop == units:
        return tr("all {count} layers").format(count=units - 2)
    first, last = max(1, start), min(units - 2, stop - 1)
    parts = []
    if start == 0:
        parts.append(tr("the input"))
    if first == last:
        parts.append(tr("layer {n}").format(n=first))
    elif first < last:
        parts.append(tr("layers {first} to {last}").format(first=first, last=last))
    if stop == units:
        parts.append(tr("the output"))
    return ", ".join(parts)


def uncovered(model: ModelView) -> list[int]:
    """The units that nobody serves now."""
    held = {unit for h in model.holders for unit in range(h.start, h.stop)}
    return [unit for unit in range(model.units) if unit not in held]


def headline(snapshot: Snapshot) -> str:
    """The first line of the tray menu and of the dashboard, in the person's language."""
    translated = tr(snapshot.headline)
    if translated != snapshot.headline or QLocale().language() == QLocale.Language.English:
        return translated
    if snapshot.state == "sharing" and (model := snapshot.model) and model.my_start is not None:
        span = layers(model.my_start, model.my_stop or 0, model.units)
        return tr("Sharing {layers} of {model}").format(layers=span, model=model.title)
    if snapshot.pause is not None:
        return tr("Paused: {reason}").format(reason=pause_words(snapshot))
    return translated


REASONS = {
    "no_consent": "sharing is not switched on",
    "manual": "you paused it",
    "battery": "on battery",
    "metered": "the network is metered",
    "other_program": "another program needs the processor",
    "full_screen": "a program fills the screen",
    "temperature": "this computer is too warm",
    "schedule": "outside the hours you chose",
    "program_list": "a program on your list is running",
    "budget": "this month's data is used up",
    "disk": "the disk is full",
    "no_model": "no model is chosen",
    "problem": "something went wrong",
}


LIMITS = {
    "cpu": "Processor",
    "gpu": "Graphics card",
    "power": "Power",
    "upload": "Upload",
    "download": "Download",
    "month": "This month's data",
    "disk": "Disk for models",
}


def limit_name(limit: LimitInForce) -> str:
    """What a limit is about: the node's words in English, else its name translated."""
    if QLocale().language() == QLocale.Language.English:
        return limit.words
    return tr(LIMITS.get(limit.name, limit.words))


def pause_words(snapshot: Snapshot) -> str:
    """Why sharing rests: the node's sentence in English, else the reason translated."""
    pause = snapshot.pause
    if pause is None:
        return ""
    if pause.words and QLocale().language() == QLocale.Language.English:
        return pause.words
    return tr(REASONS.get(pause.reason, pause.words))


def answer_line(message: MessageView) -> str:
    """The line under an answer: who computed it, how fast, and who could read it."""
    if not message.chain:
        return ""
    own = {"this computer", "This computer"}
    names = [tr("this computer") if name in own else name for name in message.chain]
    parts = [tr("Answered by {names}").format(names=", ".join(dict.fromkeys(names)))]
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
