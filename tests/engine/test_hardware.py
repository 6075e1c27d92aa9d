"""Hardware, as several computers would tell it, and this one for real."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.hardware import (
    NO_MEMORY,
    GraphicsCard,
    free_disk_bytes,
    parse_cpuinfo,
    parse_sysctl,
    read_cards,
    read_hardware,
    read_worker_memory,
    windows_instructions,
)

XEON = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R)  Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu sse sse4_2 avx f16c fma bmi2 avx2 avx512f avx512_vnni avx512_bf16 amx_tile amx_int8

processor\t: 1
model name\t: Intel(R) Xeon(R)  Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu sse sse4_2 avx f16c fma bmi2 avx2 avx512f avx512_vnni avx512_bf16 amx_tile amx_int8
"""

HOLDER = """\
import mmap, sys

def open_mapped(path):
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    for at in range(0, len(mapped), mmap.PAGESIZE):
        mapped[at]
    return mapped

"""

RASPBERRY = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm asimddp
CPU implementer\t: 0x41

Revision\t: c04170
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""

APPLE = """\
machdep.cpu.brand_string: Apple M2 Pro
machdep.cpu.core_count: 10
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_SME: 0
hw.optional.AdvSIMD: 1
hw.optional.neon: 1
"""

INTEL_MAC = """\
machdep.cpu.brand_string: Intel(R) Core(TM) i7-8569U CPU @ 2.80GHz
machdep.cpu.features: FPU VME SSE4.1 SSE4.2 AES FMA AVX1.0 RDRAND F16C
machdep.cpu.leaf7_features: RDWRFSGS BMI1 AVX2 SMEP BMI2
hw.optional.avx2_0: 1
"""


def test_a_linux_server_names_its_processor_and_what_llama_cpp_can_use() -> None:
    name, instructions = parse_cpuinfo(XEON)
    assert name == "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"
    assert instructions == (
        *("amx-int8", "avx", "avx2", "avx512", "avx512-bf16", "avx512-vnni"),
        *("bmi2", "f16c", "fma", "sse4.2"),
    )


def test_a_small_arm_board_tells_its_model_and_its_instructions() -> None:
    assert parse_cpuinfo(RASPBERRY) == ("Raspberry Pi 5 Model B Rev 1.0", ("dotprod", "neon"))


def test_of_unlike_cores_only_what_all_can_do_is_kept() -> None:
    text = "model name : Big and little\nflags : avx avx2 avx512f\n\nflags : avx avx2\n"
    assert parse_cpuinfo(text) == ("Big and little", ("avx", "avx2"))


def test_an_apple_computer_lists_what_is_switched_on() -> None:
    assert parse_sysctl(APPLE) == ("Apple M2 Pro", ("bf16", "dotprod", "i8mm", "neon"))


def test_an_intel_mac_speaks_of_its_features_in_its_own_words() -> None:
    name, instructions = parse_sysctl(INTEL_MAC)
    assert name == "Intel(R) Core(TM) i7-8569U CPU @ 2.80GHz"
    assert instructions == ("avx", "avx2", "bmi2", "f16c", "fma", "sse4.2")


def test_windows_is_asked_feature_by_feature() -> None:
    assert windows_instructions({38, 39, 40}.__contains__) == ("avx", "avx2", "sse4.2")
    assert windows_instructions({19, 43}.__contains__) == ("dotprod", "neon")


@settings(deadline=None, max_examples=50)
@given(st.text(alphabet=":\n\t abflagsFeaturesmodel name", max_size=300))
def test_no_reading_is_odd_enough_to_fail(text: str) -> None:
    for parse in (parse_cpuinfo, parse_sysctl):
        _, instructions = parse(text)
        assert list(instructions) == sorted(instructions)


class NVMLError(Exception):
    """What the library raises."""


class Driver:
    """NVIDIA's library, on a computer with the cards that a test describes."""

    NVMLError = NVMLError

    def __init__(self, *cards: dict[str, object], installed: bool = True) -> None:
        self.cards = cards
        self.installed = installed
        self.open = 0

    def nvmlInit(self) -> None:  # noqa: N802 - the library's own name
        if not self.installed:
            raise NVMLError("NVML Shared Library Not Found")
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "580.65"

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> dict[str, object]:  # noqa: N802
        if self.cards[index].get("lost"):
            raise NVMLError("GPU is lost")
        return self.cards[index]

    def nvmlDeviceGetName(self, card: dict[str, object]) -> object:  # noqa: N802
        return card["name"]

    def nvmlDeviceGetMemoryInfo(self, card: dict[str, object]) -> object:  # noqa: N802
        if "total" not in card:
            raise NVMLError("Not Supported")
        return SimpleNamespace(total=card["total"], free=card["free"])


def test_without_a_driver_there_are_no_cards_and_nothing_is_said(
    capfd: pytest.CaptureFixture[str],
) -> None:
    driver = Driver(installed=False)
    assert read_cards(driver) == ()
    assert driver.open == 0
    assert capfd.readouterr() == ("", "")


def test_each_card_is_read_and_the_library_closed_again() -> None:
    driver = Driver(
        {"name": b"NVIDIA GeForce RTX 4070", "total": 12 * 2**30, "free": 11 * 2**30},
        {"name": "NVIDIA GB10"},
    )
    assert read_cards(driver) == (
        GraphicsCard(0, "NVIDIA GeForce RTX 4070", "580.65", 12 * 2**30, 11 * 2**30),
        GraphicsCard(1, "NVIDIA GB10", "580.65", total_bytes=None, free_bytes=None),
    )
    assert driver.open == 0


def test_a_card_that_is_lost_leaves_the_others() -> None:
    driver = Driver({"name": "A", "lost": True}, {"name": "B", "total": 8, "free": 4})
    assert [card.name for card in read_cards(driver)] == ["B"]
    assert driver.open == 0


def test_room_is_told_for_a_folder_that_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[Path, int] = {}
    disk_usage = shutil.disk_usage

    def usage(place: Path) -> object:
        reading = disk_usage(place)
        told[place] = reading.free
        return reading

    monkeypatch.setattr(shutil, "disk_usage", usage)
    free = free_disk_bytes(tmp_path / "not" / "yet")
    assert told == {tmp_path: free}


def test_room_is_unknown_where_the_system_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(place: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "disk_usage", refuse)
    assert free_disk_bytes(tmp_path) is None


@pytest.mark.parametrize(
    ("holding", "own", "mapped"),
    [
        ("None", False, False),
        ("bytearray(b'x') * (64 << 20)", True, False),
        ("open_mapped(sys.argv[1])", False, sys.platform == "linux"),
    ],
    ids=["nothing", "its own", "a file"],
)
def test_what_a_process_has_in_memory_comes_free_unless_it_is_a_file(
    tmp_path: Path, holding: str, own: bool, mapped: bool
) -> None:
    room = 64 << 20
    file = tmp_path / "file"
    file.write_bytes(b"x" * room)
    program = f"{HOLDER}held = {holding}\nprint('held', flush=True)\ninput()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"held"
        memory = read_worker_memory(process.pid)
        process.communicate(b"\n")
    assert process.returncode == 0
    assert (memory.own_bytes > room // 2) == own  # Python itself takes a tenth of that room
    assert (memory.mapped_bytes > room // 2) == mapped


def test_a_process_that_has_ended_has_nothing_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int) -> psutil.Process:
        raise psutil.NoSuchProcess(pid)

    monkeypatch.setattr(psutil, "Process", gone)
    assert read_worker_memory(1234) == NO_MEMORY


def test_this_computer_for_real() -> None:
    hardware = read_hardware()
    assert hardware.processor.name
    assert 1 <= hardware.processor.threads <= (os.cpu_count() or 1)
    assert hardware.processor.cores is None or hardware.processor.cores >= 1
    assert 0 < hardware.memory.available_bytes <= hardware.memory.total_bytes
    assert hardware.memory.total_bytes == psutil.virtual_memory().total
    if sys.platform == "linux" and hardware.machine in ("x86_64", "aarch64"):
        assert hardware.processor.instructions
