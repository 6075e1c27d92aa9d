"""The caps in force as they are told to people: what was asked, what was measured, what keeps it.

Pure. The counterpart, `app/policy/governor.py`, holds them; the API's shape of one is
`LimitInForce`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.policy.verdict import GIGABYTE, MEGABIT_BYTES, Caps
from app.reasons import LimitName
from app.sentences import Sentence, say, unworded

PowerKeeper = Literal["driver", "rests", ""]
"""What keeps a power cap: the limit set in the driver, rests between batches, or nothing."""


@dataclass(frozen=True)
class LimitState:
    """One cap as it holds now, as the API's `LimitInForce` tells it.

    `title` says what is limited and when, `means` what enforces it.
    """

    name: LimitName
    title: Sentence
    unit: str
    asked: float | None
    measured: float | None
    means: Sentence

    @property
    def words(self) -> str:
        """What is limited, in English."""
        return self.title.words

    @property
    def how(self) -> str:
        """What enforces it, in English."""
        return self.means.words


def processor_limit(caps: Caps, *, in_use: bool, percent: float | None) -> LimitState:
    """The processor's, in percent of all of it."""
    title = say("cpu_in_use") if in_use else say("cpu_away")
    asked = round(100 * caps.cpu_fraction, 1)
    return LimitState("cpu", title, "%", asked, percent, _how_processor(caps))


def card_limit(caps: Caps, *, in_use: bool) -> LimitState:
    """Whether the graphics card may compute."""
    if caps.gpu:
        title = say("gpu_works_in_use") if in_use else say("gpu_works_away")
    else:
        title = say("gpu_rests_in_use") if in_use else say("gpu_rests_away")
    return LimitState("gpu", title, "", None, None, unworded(""))


def power_limit(watts: float, *, measured: float | None, kept_by: PowerKeeper) -> LimitState:
    """The power of all graphics cards together, in watts."""
    if kept_by == "driver":
        means = say("by_driver")
    else:
        means = say("by_duty") if kept_by == "rests" else say("by_nothing")
    return LimitState("power", say("power"), "W", watts, measured, means)


def upload_limit(cap: float, *, measured: float, in_use: bool, slow: bool) -> LimitState:
    """What may be sent; both rates in bytes a second."""
    title = say("upload_in_use") if in_use else say("upload_away")
    title, means = say("upload_slow") if slow else title, say("by_sending")
    return LimitState("upload", title, "Mbit/s", _mbit(cap), measured / MEGABIT_BYTES, means)


def download_limit(cap: float, *, measured: float, in_use: bool, slow: bool) -> LimitState:
    """What may be received; both rates in bytes a second."""
    title = say("download_in_use") if in_use else say("download_away")
    title, means = say("download_slow") if slow else title, say("by_receiving")
    return LimitState("download", title, "Mbit/s", _mbit(cap), measured / MEGABIT_BYTES, means)


def month_limit(budget_gb: float, *, used_bytes: int) -> LimitState:
    """What may be sent and received in a month."""
    used = used_bytes / GIGABYTE
    return LimitState("month", say("month"), "GB", budget_gb, used, say("by_counting"))


def disk_limit(quota_bytes: int, *, used_bytes: int | None) -> LimitState:
    """What models may take of the disk; None while nobody has looked."""
    used = None if used_bytes is None else used_bytes / GIGABYTE
    title, means = say("disk_for_models"), say("by_checking")
    return LimitState("disk", title, "GB", round(quota_bytes / GIGABYTE, 2), used, means)


def _how_processor(caps: Caps) -> Sentence:
    if caps.cpu_fraction >= 1:
        return say("by_priority")
    return say("by_threads", threads=caps.threads) if caps.threads > 1 else say("by_thread")


def _mbit(bytes_per_second: float) -> float:
    return round(bytes_per_second / MEGABIT_BYTES, 3)
