"""The caps as they are told; see app/policy/limits.py."""

from __future__ import annotations

import pytest

from app.policy.limits import (
    PowerKeeper,
    card_limit,
    disk_limit,
    download_limit,
    month_limit,
    power_limit,
    processor_limit,
    upload_limit,
)
from app.policy.verdict import GIGABYTE, MEGABIT_BYTES, Caps


def caps(*, gpu: bool = False, cpu_fraction: float = 0.25, threads: int = 2) -> Caps:
    return Caps(
        cpu=True,
        gpu=gpu,
        cpu_fraction=cpu_fraction,
        threads=threads,
        power_watts=None,
        upload_bytes_per_second=None,
        download_bytes_per_second=None,
        transfers=True,
    )


@pytest.mark.parametrize(
    ("fraction", "threads", "how"),
    [
        (0.25, 1, "1 thread with rests between batches"),
        (0.25, 2, "2 threads with rests between batches"),
        (1.0, 8, "low priority"),
    ],
)
def test_the_processors_share_and_how_it_is_kept(fraction: float, threads: int, how: str) -> None:
    limit = processor_limit(caps(cpu_fraction=fraction, threads=threads), in_use=True, percent=None)
    assert (limit.asked, limit.measured, limit.how) == (100 * fraction, None, how)
    assert limit.words == "Processor while you use the computer"


@pytest.mark.parametrize(
    ("gpu", "in_use", "words"),
    [
        (True, True, "The graphics card may compute while you use the computer"),
        (False, False, "The graphics card rests while you are away"),
    ],
)
def test_whether_the_card_computes(gpu: bool, in_use: bool, words: str) -> None:
    assert card_limit(caps(gpu=gpu), in_use=in_use).words == words


@pytest.mark.parametrize(
    ("kept_by", "how"),
    [("driver", "NVML power limit"), ("rests", "duty cycle"), ("", "cannot be kept")],
)
def test_what_keeps_the_power(kept_by: PowerKeeper, how: str) -> None:
    assert power_limit(150.0, measured=None, kept_by=kept_by).how.startswith(how)


def test_bandwidth_is_told_as_it_is_sold() -> None:
    up = upload_limit(2 * MEGABIT_BYTES, measured=MEGABIT_BYTES, in_use=False, slow=False)
    assert (up.words, up.asked, up.measured) == ("Upload while you are away", 2.0, 1.0)
    assert up.how == "nothing is sent faster than this"
    down = download_limit(MEGABIT_BYTES, measured=0.0, in_use=True, slow=True)
    assert (down.words, down.asked, down.unit) == ("Download in slow mode", 1.0, "Mbit/s")
    assert down.how == "nothing is received faster than this"


def test_months_and_disks_are_told_in_gigabytes() -> None:
    month = month_limit(5.0, used_bytes=GIGABYTE // 2)
    assert (month.asked, month.measured, month.how) == (5.0, 0.5, "counted")
    disk = disk_limit(20 * 1024**3, used_bytes=3 * GIGABYTE)
    assert (disk.asked, disk.measured, disk.unit) == (21.47, 3.0, "GB")
    assert (disk.words, disk.how) == ("Disk for models", "checked before each download")
    assert disk_limit(0, used_bytes=None).measured is None, "unknown is not zero"
