"""Caps on bandwidth against measurement: real endpoints, as much to send as will go.

Six seconds, all at the same time; `POTLUCK_MEASURE_SECONDS=30` measures as long as the
promise speaks of.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from app.clock import SystemClock
from app.engine.download import Downloader
from app.engine.store import UnitStore
from app.errors import PeerLost
from app.net.channel import Channel, ChannelEnded
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.policy.traffic import Traffic
from app.policy.verdict import MEGABIT_BYTES
from app.tasks import TaskOwner
from tests.helpers.held_up import HeldUp
from tests.helpers.origin import Origin, manifest_of, source_file
from tests.net.contract import on, step

MEASURE_SECONDS = float(os.environ.get("POTLUCK_MEASURE_SECONDS", "6"))
CAP = 2.0 * MEGABIT_BYTES
TOLERANCE = 0.05
MESSAGE_BYTES = 32 << 10


@dataclass(frozen=True)
class Rate:
    """What went through, in all the time it took, and in the time in which this process ran."""

    moved_bytes: int
    took_seconds: float
    held_up_seconds: float

    @property
    def kept(self) -> float:
        """Bytes per second; may not be more than the cap."""
        return self.moved_bytes / self.took_seconds

    @property
    def used(self) -> float:
        """Bytes per second; may not be less than the cap."""
        return self.moved_bytes / (self.took_seconds - self.held_up_seconds)


async def take_all(channel: Channel) -> None:
    while True:
        try:
            await channel.receive()
        except (ChannelEnded, PeerLost):
            return


def traffic(folder: Path, *, up: float | None = None, down: float | None = None) -> Traffic:
    folder.mkdir()
    made = Traffic(folder, clock=SystemClock(), month=lambda: "2030-01")
    made.set_caps(upload_bytes_per_second=up, download_bytes_per_second=down, transfers=True)
    return made


def endpoint(shaper: Traffic) -> Endpoint:
    return Endpoint(
        new_identity(),
        listen=("127.0.0.1", 0),
        handlers=on(take_all),
        clock=SystemClock(),
        shaper=shaper,
        shape_loopback=True,  # what is measured here stays on this computer
    )


async def keep_sending(channel: Channel) -> None:
    position = 0
    with contextlib.suppress(PeerLost):
        while True:
            await channel.send(step(position % 1000, MESSAGE_BYTES))
            position += 1


def month_bytes(meter: Traffic, capped: str) -> int:
    return meter.sent_month_bytes if capped == "upload" else meter.received_month_bytes


async def rate_of_steps(folder: Path, capped: str, held_up: HeldUp) -> Rate:
    """What one direction of a connection lets through while its cap is full."""
    sends = traffic(folder / f"{capped}-sends", up=CAP if capped == "upload" else None)
    takes = traffic(folder / f"{capped}-takes", down=CAP if capped == "download" else None)
    async with endpoint(takes) as host, endpoint(sends) as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        owner = TaskOwner("demand")
        owner.start(keep_sending(channel), name="sending")
        await asyncio.sleep(1.0)  # the handshake and the first window are over
        await held_up.calm()  # and so is what was let through at once after it was held up
        meter = sends if capped == "upload" else takes
        before, held_before = month_bytes(meter, capped), held_up.seconds
        began = time.monotonic()
        await held_up.wait(MEASURE_SECONDS)
        moved, took = month_bytes(meter, capped) - before, time.monotonic() - began
        await asyncio.sleep(0.1)  # until what held this up at the very end is known too
        rate = Rate(moved, took, held_up.seconds - held_before)
        assert len(client.connections()) == 1, "the connection outlived the squeeze"
        await owner.close()
    return rate


async def rate_of_layers(folder: Path, held_up: HeldUp) -> Rate:
    """What comes in of a download that its origin would serve at once."""
    took = folder / "took"
    took.mkdir()
    line = Traffic(took, clock=SystemClock(), month=lambda: "2030-01")
    line.set_caps(upload_bytes_per_second=None, download_bytes_per_second=CAP, transfers=True)
    source = source_file(units=4, unit_bytes=int(CAP * MEASURE_SECONDS / 4))
    store = UnitStore(folder / "units", quota_bytes=1 << 30)
    ended = 0.0

    async def limit(size: int) -> None:
        nonlocal ended
        await line.limit(size)
        ended = time.monotonic()  # what the disk takes for the last piece is not the line's

    async with (
        Origin(source) as origin,
        Downloader(store, folder / "resources", limit=limit, stall_seconds=60.0) as downloader,
    ):
        held_before, began = held_up.seconds, time.monotonic()
        await downloader.fetch(manifest_of(source, [origin.url]), range(4))
        await asyncio.sleep(0.1)
        rate = Rate(line.received_month_bytes, ended - began, held_up.seconds - held_before)
    assert line.received_month_bytes >= len(source) * 0.99
    return rate


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rate | BaseException]:
    """Each rate, or what went wrong: measured at the same time, for each has its own limits."""
    folder = tmp_path_factory.mktemp("caps")
    held_up = HeldUp()
    async with TaskOwner("clock") as clock:
        clock.start(held_up.watch(), name="held up")
        measured = await asyncio.gather(
            rate_of_steps(folder, "upload", held_up),
            rate_of_steps(folder, "download", held_up),
            rate_of_layers(folder, held_up),
            return_exceptions=True,
        )
    return dict(zip(("upload", "download", "layers"), measured, strict=True))


@pytest.mark.parametrize("capped", ["upload", "download", "layers"])
def test_a_cap_of_two_megabits_is_kept_and_used(
    rates: dict[str, Rate | BaseException], capped: str
) -> None:
    rate = rates[capped]
    if isinstance(rate, BaseException):
        raise rate
    print(f"{capped}: {rate.kept / MEGABIT_BYTES:.3f} Mbit/s, held up {rate.held_up_seconds:.2f} s")
    assert rate.kept / CAP - 1 <= TOLERANCE
    assert 1 - rate.used / CAP <= TOLERANCE
