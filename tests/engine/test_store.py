"""Units on disk: whole, or going on where they stopped; see app/engine/store.py."""

from __future__ import annotations

import errno
import hashlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

from app.engine import store as store_module
from app.engine.manifest import UnitEntry
from app.engine.slice_files import HEADER_ROOM_BYTES
from app.engine.slicing import ByteRange
from app.engine.store import PartialUnit, UnitStore, gigabytes
from app.errors import BadInput, Refusal, UsageError

GB = 1_000_000_000


def unit_with(payload: bytes) -> UnitEntry:
    return UnitEntry(hashlib.sha256(payload).digest(), len(payload), [ByteRange(64, len(payload))])


def make_store(folder: Path, *, quota_bytes: int = GB, free_bytes: int = 100 * GB) -> UnitStore:
    return UnitStore(folder, quota_bytes=quota_bytes, free_bytes=lambda _: free_bytes)


def put(store: UnitStore, payload: bytes) -> UnitEntry:
    unit = unit_with(payload)
    with store.begin(unit) as part:
        part.write(payload)
        part.finish()
    return unit


def put_part(store: UnitStore, unit: UnitEntry, payload: bytes) -> None:
    with store.begin(unit) as part:
        part.write(payload)


def test_a_finished_unit_is_room_for_a_header_and_its_payload(tmp_path: Path) -> None:
    store = make_store(tmp_path / "units")
    unit = put(store, b"weights" * 100)
    assert store.has(unit)
    assert store.held() == {unit.sha256}
    assert store.path(unit.sha256).name == f"{unit.sha256.hex()}.gguf"
    assert store.path(unit.sha256).read_bytes() == bytes(HEADER_ROOM_BYTES) + b"weights" * 100
    assert store.used_bytes() == HEADER_ROOM_BYTES + unit.size


def test_a_stopped_unit_goes_on_where_it_was(tmp_path: Path) -> None:
    payload = random.Random(1).randbytes(5000)
    unit = unit_with(payload)
    put_part(make_store(tmp_path), unit, payload[:2000])
    later = make_store(tmp_path)
    assert not later.has(unit)
    assert later.partial_bytes(unit) == 2000
    with later.begin(unit) as part:
        assert (part.received_bytes, part.missing_bytes) == (2000, 3000)
        part.write(payload[2000:])
        part.finish()
    assert later.verify(unit)


def test_a_unit_whose_last_byte_had_arrived_only_has_to_be_finished(tmp_path: Path) -> None:
    unit = unit_with(b"all of it")
    put_part(make_store(tmp_path), unit, b"all of it")
    with make_store(tmp_path).begin(unit) as part:
        assert part.missing_bytes == 0
        part.finish()
    assert make_store(tmp_path).verify(unit)


def test_hashing_what_is_here_can_be_stopped(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    unit, whole = unit_with(b"not yet whole"), put(store, b"whole")
    put_part(store, unit, b"not yet")
    with pytest.raises(InterruptedError):
        store.begin(unit, stopped=lambda: True)
    with pytest.raises(InterruptedError):
        store.verify(whole, stopped=lambda: True)
    with store.begin(unit, stopped=lambda: False) as part:
        assert part.received_bytes == 7


def test_wrong_bytes_never_become_a_unit(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    unit = unit_with(b"right bytes")
    with store.begin(unit) as part:
        part.write(b"wrong bytes")
        with pytest.raises(BadInput, match="wrong"):
            part.finish()
        assert part.received_bytes == 0
        part.write(b"right bytes")
        part.finish()
    assert store.verify(unit)


def test_more_bytes_than_the_unit_has_are_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with store.begin(unit_with(b"short")) as part, pytest.raises(BadInput, match="more bytes"):
        part.write(b"too long")


def test_a_unit_with_bytes_missing_cannot_be_finished(tmp_path: Path) -> None:
    with make_store(tmp_path).begin(unit_with(b"12345")) as part:
        part.write(b"123")
        with pytest.raises(ValueError, match="2 bytes"):
            part.finish()


@pytest.mark.parametrize("length", [0, 5, HEADER_ROOM_BYTES - 1, HEADER_ROOM_BYTES + 400])
def test_a_part_of_an_impossible_length_begins_again(tmp_path: Path, length: int) -> None:
    store = make_store(tmp_path)
    unit = unit_with(b"payload")
    (tmp_path / f"{unit.sha256.hex()}.part").write_bytes(b"?" * length)
    with store.begin(unit) as part:
        assert part.received_bytes == 0
        part.write(b"payload")
        part.finish()
    assert store.verify(unit)


def test_a_header_page_changes_nothing_about_the_payload(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    unit = put(store, b"payload")
    with store.path(unit.sha256).open("r+b") as file:
        file.write(b"GGUF header of one mount")
    assert store.verify(unit)


def test_a_damaged_unit_is_found_out(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    unit = put(store, b"payload")
    with store.path(unit.sha256).open("r+b") as file:
        file.seek(HEADER_ROOM_BYTES)
        file.write(b"P")
    assert store.has(unit)
    assert not store.verify(unit)
    assert not store.verify(unit_with(b"never seen"))


def test_a_cut_off_unit_is_not_here(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    unit = put(store, b"payload")
    with store.path(unit.sha256).open("r+b") as file:
        file.truncate(HEADER_ROOM_BYTES + 3)
    assert not store.has(unit)


def test_removing_takes_the_unit_and_what_is_left_of_attempts(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    unit = put(store, b"payload")
    other = unit_with(b"another")
    put_part(store, other, b"ano")
    assert store.remove(unit.sha256)
    assert store.remove(other.sha256)
    assert not store.remove(unit.sha256)
    assert store.used_bytes() == 0


def test_what_would_come_free_is_everything_but_what_is_kept(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    kept, gone = put(store, b"kept"), put(store, b"not kept")
    assert store.unused_bytes([kept.sha256]) == HEADER_ROOM_BYTES + gone.size
    assert store.unused_bytes([]) == store.used_bytes()


def test_files_that_are_not_ours_are_neither_counted_nor_touched(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    put(store, b"ours")
    for name in ("photo.gguf", "A" * 64 + ".gguf", "a" * 63 + ".part", "notes.txt"):
        (tmp_path / name).write_bytes(b"the owner's" * 1000)
    (tmp_path / ("b" * 64 + ".gguf")).mkdir()
    assert len(store.held()) == 1
    assert store.used_bytes() == HEADER_ROOM_BYTES + 4


@pytest.mark.parametrize("name", [b"", b"../../etc/passwd", bytes(31), bytes(33)])
def test_only_a_hash_names_a_unit(tmp_path: Path, name: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        make_store(tmp_path).path(name)


def test_an_empty_store_makes_no_folder(tmp_path: Path) -> None:
    store = make_store(tmp_path / "units")
    assert store.held() == set()
    assert store.used_bytes() == 0
    store.require_room([])
    assert not (tmp_path / "units").exists()


# ── room ─────────────────────────────────────────────────────────────────────


def big_unit(size: int, seed: int = 0) -> UnitEntry:
    return UnitEntry(random.Random(seed).randbytes(32), size, [ByteRange(64, size)])


def test_a_download_over_the_quota_is_refused_with_figures(tmp_path: Path) -> None:
    store = make_store(tmp_path, quota_bytes=10 * GB)
    with pytest.raises(Refusal) as refused:
        store.require_room([big_unit(8 * GB), big_unit(4 * GB, seed=1)])
    assert refused.value.code == "over_quota"
    assert "12.0 GB more are needed" in refused.value.reason
    assert "10.0 GB that Potluck may use" in refused.value.reason
    assert "remove a model" in refused.value.reason


def test_a_download_that_would_fill_the_disk_is_refused_with_figures(tmp_path: Path) -> None:
    store = make_store(tmp_path, quota_bytes=100 * GB, free_bytes=5 * GB)
    with pytest.raises(Refusal) as refused:
        store.require_room([big_unit(4 * GB)])
    assert refused.value.code == "disk_full"
    assert "4.0 GB more are needed, 5.0 GB are free, and 1.1 GB always stay free" in str(
        refused.value
    )


def test_what_is_here_already_needs_no_room(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    unit = put(store, b"payload")
    store.quota_bytes = store.used_bytes()
    store.require_room([unit, unit])


def test_a_unit_that_filled_its_quota_half_way_may_be_finished(tmp_path: Path) -> None:
    unit = unit_with(b"payload")
    store = make_store(tmp_path, quota_bytes=HEADER_ROOM_BYTES + unit.size)
    store.require_room([unit])
    put_part(store, unit, b"pay")
    store.require_room([unit])
    assert store.partial_bytes(unit) == 3


def test_unfinished_units_that_nobody_wants_make_room(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    abandoned, wanted, stays = unit_with(b"abandoned"), unit_with(b"wanted"), put(store, b"stays")
    put_part(store, abandoned, b"abandon")
    store.quota_bytes = store.used_bytes()
    store.require_room([wanted])
    assert store.partial_bytes(abandoned) == 0
    assert store.has(stays)


def test_unfinished_units_stay_while_there_is_room(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    stopped = unit_with(b"stopped")
    put_part(store, stopped, b"sto")
    store.require_room([unit_with(b"another")])
    assert store.partial_bytes(stopped) == 3


def test_another_process_s_unfinished_units_are_left_alone(tmp_path: Path) -> None:
    theirs, mine = make_store(tmp_path), make_store(tmp_path, quota_bytes=HEADER_ROOM_BYTES)
    unit = unit_with(b"theirs")
    with theirs.begin(unit) as part:
        part.write(b"the")
        with pytest.raises(Refusal):
            mine.require_room([unit_with(b"mine")])
        part.write(b"irs")
        part.finish()
    assert theirs.verify(unit)


def test_a_disk_that_fills_up_on_the_way_stops_the_download(tmp_path: Path) -> None:
    free = [10 * GB]
    store = UnitStore(tmp_path, quota_bytes=GB, free_bytes=lambda _: free[0])
    payload = bytes(store_module.CHECK_DISK_EVERY_BYTES + 2)
    unit = unit_with(payload)
    with store.begin(unit) as part:
        part.write(payload[:1])
        free[0] = GB
        with pytest.raises(Refusal, match="make room on the disk"):
            part.write(payload[1:])
    assert store.partial_bytes(unit) == 1


class FullDisk:
    """A file that takes a few more bytes and then no more."""

    def __init__(self, file: object, room: int, number: int) -> None:
        self._file = file
        self._room = room
        self._number = number

    def write(self, data: memoryview) -> int:
        if not self._room:
            raise OSError(self._number, "the disk says no")
        written: int = self._file.write(data[: self._room])  # type: ignore[attr-defined]
        self._room -= written
        return written

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def on_a_full_disk(part: PartialUnit, *, room: int, number: int = errno.ENOSPC) -> None:
    part._file = FullDisk(part._file, room, number)  # type: ignore[assignment]


def test_a_full_disk_is_one_clear_line_and_keeps_what_arrived(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    payload = random.Random(2).randbytes(900)
    unit = unit_with(payload)
    with store.begin(unit) as part:
        part.write(payload[:300])
        on_a_full_disk(part, room=100)
        with pytest.raises(Refusal, match=r"The disk is full: .* are free") as refused:
            part.write(payload[300:600])
    assert refused.value.code == "disk_full"
    assert store.partial_bytes(unit) == 300
    with store.begin(unit) as part:
        part.write(payload[part.received_bytes :])
        part.finish()
    assert store.verify(unit)


def test_a_disk_that_fails_otherwise_is_one_clear_line(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with store.begin(unit_with(b"payload")) as part:
        on_a_full_disk(part, room=0, number=errno.EIO)
        with pytest.raises(UsageError, match=r"Cannot write in .*What has arrived is kept"):
            part.write(b"pay")


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "units").write_text("in the way")
    with pytest.raises(UsageError):
        make_store(tmp_path / "units").begin(unit_with(b"payload"))


# ── one writer at a time ─────────────────────────────────────────────────────


def test_two_units_may_come_in_at_once(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    first, second = unit_with(b"first"), unit_with(b"second")
    with store.begin(first) as one, store.begin(second) as two:
        two.write(b"second")
        one.write(b"first")
        two.finish()
        one.finish()
    assert store.held() == {first.sha256, second.sha256}


def test_one_unit_has_one_writer(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with store.begin(unit_with(b"unit")), pytest.raises(ValueError, match="already"):
        store.begin(unit_with(b"unit"))


def test_a_second_process_waits_until_the_first_has_finished(tmp_path: Path) -> None:
    mine, theirs = make_store(tmp_path), make_store(tmp_path)
    with mine.begin(unit_with(b"unit")), pytest.raises(UsageError, match="right now"):
        theirs.begin(unit_with(b"other"))
    with theirs.begin(unit_with(b"other")):
        pass


# ── kill -9 ──────────────────────────────────────────────────────────────────

WRITE_UNITS = """
import hashlib, random, sys
from pathlib import Path
from app.engine.manifest import UnitEntry
from app.engine.slicing import ByteRange
from app.engine.store import UnitStore

store = UnitStore(Path(sys.argv[1]), quota_bytes=1 << 40, margin_bytes=0)

def step():
    sys.stdin.readline()  # a line allows one; when they end, everything is allowed

for seed in range(int(sys.argv[2])):
    payload = random.Random(seed).randbytes(int(sys.argv[3]))
    unit = UnitEntry(hashlib.sha256(payload).digest(), len(payload), [ByteRange(0, len(payload))])
    if store.has(unit):
        continue
    with store.begin(unit) as part:
        while part.missing_bytes:
            step()
            at = part.received_bytes
            part.write(payload[at : at + 700])
            print(seed, flush=True)
        step()
        part.finish()
        print(seed, flush=True)
"""


@pytest.mark.real
def test_a_store_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    count, size = 24, 9_000
    chance = random.Random(7)
    steps_each = size // 700 + 2
    arguments = [sys.executable, "-c", WRITE_UNITS, str(tmp_path), str(count), str(size)]
    units = [unit_with(random.Random(seed).randbytes(size)) for seed in range(count)]
    killed_within_a_unit = 0
    before = 0
    for _ in range(6):
        steps = 1 + chance.randrange(2 * steps_each)
        pipe = subprocess.PIPE
        with subprocess.Popen(arguments, stdin=pipe, stdout=pipe) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(b"\n" * steps)
            child.stdin.flush()
            for _ in range(steps - 1):  # the last one it may begin, be at, or have done
                child.stdout.readline()
            child.kill()
        store = UnitStore(tmp_path, quota_bytes=GB, margin_bytes=0)
        whole = [unit for unit in units if store.has(unit)]
        assert all(store.verify(unit) for unit in whole)
        progress = len(whole) * size + sum(map(store.partial_bytes, units))
        assert progress >= before
        before = progress
        killed_within_a_unit += any(map(store.partial_bytes, units))
    assert killed_within_a_unit >= 2
    nowhere = subprocess.DEVNULL
    subprocess.run(arguments, check=True, stdin=nowhere, stdout=nowhere)
    assert all(make_store(tmp_path).verify(unit) for unit in units)
    assert not list(tmp_path.glob("*.part"))


def test_sizes_read_as_people_say_them() -> None:
    assert gigabytes(0) == "0 MB"
    assert gigabytes(1) == "1 MB"
    assert gigabytes(12_400_000) == "12 MB"
    assert gigabytes(4_100_000_000) == "4.1 GB"
