"""Caps on bandwidth and the month's count, on a virtual clock."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.policy.traffic import HOLD_SECONDS, TRAFFIC_FILE, MonthCount, Traffic, rolled
from tests.helpers.virtual_clock import VirtualClock

CAP = 250_000.0
DATAGRAM = 1232


class Setting:
    """A traffic of its own, with a calendar that can be turned."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.month = "2030-01"
        self.traffic = Traffic(folder, clock=self.clock, month=lambda: self.month)

    def cap(
        self, *, up: float | None = None, down: float | None = None, moves: bool = True
    ) -> None:
        self.traffic.set_caps(
            upload_bytes_per_second=up, download_bytes_per_second=down, transfers=moves
        )


@pytest.fixture
def made(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def test_without_caps_nothing_waits_and_everything_is_counted(made: Setting) -> None:
    for _ in range(1000):
        assert made.traffic.sending(DATAGRAM) == 0.0
        assert made.traffic.received(DATAGRAM) == 0.0
    assert made.traffic.sent_month_bytes == made.traffic.received_month_bytes == 1000 * DATAGRAM
    assert made.traffic.month_bytes == 2000 * DATAGRAM


def test_the_cap_on_downloads_can_be_asked_for(made: Setting) -> None:
    assert made.traffic.download_cap is None
    made.cap(up=CAP, down=2 * CAP)
    assert made.traffic.download_cap == 2 * CAP


def test_datagrams_wait_in_order_and_what_would_wait_too_long_is_lost(made: Setting) -> None:
    made.cap(up=CAP)
    waits = [made.traffic.sending(DATAGRAM) for _ in range(500)]
    kept = [wait for wait in waits if wait is not None]
    assert kept == sorted(kept)
    assert max(kept) <= HOLD_SECONDS
    assert None in waits
    assert made.traffic.sent_month_bytes == len(kept) * DATAGRAM, "what was not sent is not counted"


def test_a_sender_that_never_tires_gets_the_cap(made: Setting) -> None:
    made.cap(up=CAP)
    passed = 0
    for _ in range(20_000):
        made.clock.advance(0.001)
        passed += DATAGRAM if made.traffic.sending(DATAGRAM) is not None else 0
    assert passed / 20 == pytest.approx(CAP, rel=0.03)


def test_a_flood_cannot_keep_everything_else_out(made: Setting) -> None:
    made.cap(down=CAP)
    passed = 0
    for _ in range(20_000):
        made.clock.advance(0.001)
        passed += DATAGRAM if made.traffic.received(DATAGRAM) is not None else 0
    assert passed / 20 == pytest.approx(CAP, rel=0.03)
    assert made.traffic.received_month_bytes == 20_000 * DATAGRAM, "it all came over the line"


def test_the_slowest_cap_still_lets_a_handshake_through(made: Setting) -> None:
    made.cap(up=31_250.0)
    assert all(made.traffic.sending(DATAGRAM) is not None for _ in range(12))


async def test_a_download_takes_what_conversations_leave(
    made: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        made.clock.advance(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    made.cap(down=CAP)
    began = made.clock.monotonic()
    fetched = 0
    for _ in range(50):
        # Half of the line is a conversation's.
        seconds = slept[-1] if slept else 0.0
        for _ in range(int(seconds * CAP / 2 / DATAGRAM)):
            assert made.traffic.received(DATAGRAM) is not None
        await made.traffic.limit(16_384)
        fetched += 16_384
    took = made.clock.monotonic() - began
    assert fetched / took == pytest.approx(CAP / 2, rel=0.1)
    assert made.traffic.received_month_bytes / took <= CAP * 1.05


async def test_downloads_stand_still_while_transfers_are_not_allowed(made: Setting) -> None:
    made.cap(moves=False)
    waiting = asyncio.ensure_future(made.traffic.limit(10))
    await asyncio.sleep(0)
    assert not waiting.done()
    made.cap(moves=True)
    await asyncio.wait_for(waiting, 30.0)


def test_the_speed_now_is_that_of_the_last_seconds(made: Setting) -> None:
    assert made.traffic.upload_bytes_per_second == 0.0
    for _ in range(60):
        made.clock.advance(0.1)
        made.traffic.sending(1000)
    assert made.traffic.upload_bytes_per_second == pytest.approx(10_000, rel=0.15)
    made.clock.advance(30)
    assert made.traffic.upload_bytes_per_second == 0.0


# ── the month ────────────────────────────────────────────────────────────────


def test_the_months_count_survives_a_restart(made: Setting, tmp_path: Path) -> None:
    made.traffic.sending(1000)
    made.traffic.received(500)
    made.traffic.save()
    assert Setting(tmp_path).traffic.month_bytes == 1500
    assert Setting(tmp_path).traffic.sent_month_bytes == 1000


def test_a_new_month_begins_at_nothing(made: Setting) -> None:
    made.traffic.sending(1000)
    made.month = "2030-02"
    assert made.traffic.month_bytes == 0


def test_a_clock_set_back_a_month_forgets_nothing() -> None:
    count = MonthCount("2030-02", 100, 200)
    assert rolled(count, "2030-01") == MonthCount("2030-01", 100, 200)
    assert rolled(count, "2030-02") is count
    assert rolled(count, "2031-01") == MonthCount("2031-01")


def test_a_folder_that_cannot_be_written_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = Setting(tmp_path / "gone")
    made.traffic.sending(1000)
    with caplog.at_level(logging.WARNING):
        made.traffic.save()
    assert "is not kept" in caplog.text
    assert made.traffic.month_bytes == 1000


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=120))
def test_any_file_gives_a_count_that_is_not_negative(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / TRAFFIC_FILE).write_bytes(data)
    assert Setting(folder).traffic.month_bytes >= 0


def test_a_damaged_file_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / TRAFFIC_FILE).write_bytes(b"{")
    with caplog.at_level(logging.WARNING):
        assert Setting(tmp_path).traffic.month_bytes == 0
    assert "damaged" in caplog.text
