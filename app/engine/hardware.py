"""What this computer is made of: processor, memory, graphics cards, room on the disk.

Read from the system, never looked up in a table of known devices; what a system does not
tell is None, which is not zero. How fast it all computes is measured elsewhere, by running
a model's own layers. The readings' text is parsed by pure functions, so that tests can
play any computer. Counterpart: the node, which shows this in `potluck doctor` and bounds
its plans with it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import pynvml

SYSCTL_TIMEOUT_SECONDS: Final = 5.0

# Each system has its own words for the same instructions; these are ours. Only what
# llama.cpp computes with is kept.
_LINUX_INSTRUCTIONS: Final = {
    "sse4_2": "sse4.2",
    "avx": "avx",
    "avx2": "avx2",
    "f16c": "f16c",
    "fma": "fma",
    "bmi2": "bmi2",
    "avx_vnni": "avx-vnni",
    "avx512f": "avx512",
    "avx512_vnni": "avx512-vnni",
    "avx512_bf16": "avx512-bf16",
    "amx_int8": "amx-int8",
    "asimd": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
    "sve2": "sve2",
    "sme": "sme",
}
_MAC_INTEL_INSTRUCTIONS: Final = {
    "SSE4.2": "sse4.2",
    "AVX1.0": "avx",
    "AVX2": "avx2",
    "F16C": "f16c",
    "FMA": "fma",
    "BMI2": "bmi2",
    "AVX512F": "avx512",
    "AVX512VNNI": "avx512-vnni",
}
_MAC_ARM_INSTRUCTIONS: Final = {
    "hw.optional.AdvSIMD": "neon",
    "hw.optional.neon": "neon",
    "hw.optional.arm.FEAT_DotProd": "dotprod",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.arm.FEAT_SME": "sme",
}
# Numbers of IsProcessorFeaturePresent, from winnt.h.
_WINDOWS_INSTRUCTIONS: Final = {
    19: "neon",
    38: "sse4.2",
    39: "avx",
    40: "avx2",
    41: "avx512",
    43: "dotprod",
    46: "sve",
}


@dataclass(frozen=True)
class Processor:
    """The processor.

    Attributes:
        name: as its maker calls it, "unknown processor" where the system does not tell.
        cores: physical cores this process may use; None where the system does not tell.
        threads: hardware threads this process may use, at least 1.
        instructions: what llama.cpp can use of it, such as "avx2" or "dotprod", sorted.
    """

    name: str
    cores: int | None
    threads: int
    instructions: tuple[str, ...]


@dataclass(frozen=True)
class Memory:
    """Main memory in bytes: all of it, and what programs can have now without swapping."""

    total_bytes: int
    available_bytes: int


@dataclass(frozen=True)
class WorkerMemory:
    """What a worker has of main memory, in bytes.

    Attributes:
        own_bytes: what programs could have in addition if it ended.
        mapped_bytes: files it reads as memory, which the system counts as available all the
            same because it could read them again.
    """

    own_bytes: int
    mapped_bytes: int


NO_MEMORY: Final = WorkerMemory(0, 0)


@dataclass(frozen=True)
class GraphicsCard:
    """A card that NVIDIA's driver answers for.

    Attributes:
        index: its number in the driver's order.
        name: as the driver calls it.
        driver: the driver's version.
        total_bytes, free_bytes: its own memory; None where it has none of its own or the
            driver does not tell.
    """

    index: int
    name: str
    driver: str
    total_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True)
class Hardware:
    """One computer, at the moment it was read."""

    system: str
    machine: str
    processor: Processor
    memory: Memory
    cards: tuple[GraphicsCard, ...]


def read_hardware() -> Hardware:
    """Look at this computer. Takes up to some seconds: call it off the event loop."""
    reading = psutil.virtual_memory()
    return Hardware(
        system=platform.system(),
        machine=platform.machine(),
        processor=read_processor(),
        memory=Memory(total_bytes=reading.total, available_bytes=reading.available),
        cards=read_cards(),
    )


def read_worker_memory(pid: int) -> WorkerMemory:
    """What a process has in memory; nothing when it has ended."""
    try:
        reading = psutil.Process(pid).memory_info()
    except psutil.Error:
        return NO_MEMORY
    # Elsewhere mapped files that are in use do not count as available.
    mapped = reading.shared if sys.platform == "linux" else 0
    return WorkerMemory(own_bytes=reading.rss - mapped, mapped_bytes=mapped)


def free_disk_bytes(folder: Path) -> int | None:
    """Room where `folder` lies or will lie; None where the system does not tell."""
    for place in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def read_processor() -> Processor:
    """Look at the processor."""
    if sys.platform == "darwin":
        name, instructions = parse_sysctl(_sysctl_text())
    elif sys.platform == "win32":
        name, instructions = _windows_name(), windows_instructions(_windows_feature)
    else:
        name, instructions = parse_cpuinfo(_file_text(Path("/proc/cpuinfo")))
    threads = _usable_threads()
    cores = psutil.cpu_count(logical=False)
    return Processor(
        name=name or platform.processor() or "unknown processor",
        cores=min(cores, threads) if cores else None,
        threads=threads,
        instructions=instructions,
    )


def read_cards(nvml: Any = pynvml) -> tuple[GraphicsCard, ...]:
    """Look at the graphics cards; without a driver there are none, and nothing is said.

    Args:
        nvml: NVIDIA's management library; tests hand in their own.
    """
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return ()
    try:
        driver = _text(nvml.nvmlSystemGetDriverVersion())
        found = (_read_card(nvml, index, driver) for index in range(nvml.nvmlDeviceGetCount()))
        return tuple(card for card in found if card is not None)
    except nvml.NVMLError:
        return ()
    finally:
        nvml.nvmlShutdown()


def parse_cpuinfo(text: str) -> tuple[str, tuple[str, ...]]:
    """Name and instructions from Linux's /proc/cpuinfo; the name is empty if it has none.

    On a computer with unlike cores only what all of them can do is kept: a thread may run
    on any.
    """
    name = ""
    shared: set[str] | None = None
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key in ("model name", "Model", "cpu model") and not name:
            name = " ".join(value.split())
        elif key in ("flags", "Features"):
            words = set(value.split())
            shared = words if shared is None else shared & words
    return name, _translated(shared or (), _LINUX_INSTRUCTIONS)


def parse_sysctl(text: str) -> tuple[str, tuple[str, ...]]:
    """Name and instructions from the output of macOS's `sysctl machdep.cpu hw.optional`."""
    values = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    intel = " ".join(values.get(f"machdep.cpu.{key}", "") for key in ("features", "leaf7_features"))
    arm = [key for key, value in values.items() if value.strip() == "1"]
    instructions = {
        *_translated(intel.split(), _MAC_INTEL_INSTRUCTIONS),
        *_translated(arm, _MAC_ARM_INSTRUCTIONS),
    }
    return values.get("machdep.cpu.brand_string", "").strip(), tuple(sorted(instructions))


def windows_instructions(present: Callable[[int], bool]) -> tuple[str, ...]:
    """Instructions from what Windows answers about its numbered processor features."""
    return tuple(sorted(word for number, word in _WINDOWS_INSTRUCTIONS.items() if present(number)))


def _translated(words: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted({names[word] for word in words if word in names}))


def _read_card(nvml: Any, index: int, driver: str) -> GraphicsCard | None:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        name = _text(nvml.nvmlDeviceGetName(handle))
    except nvml.NVMLError:
        return None  # A card that has fallen off the bus leaves the others usable.
    try:
        reading = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError:
        return GraphicsCard(index, name, driver, total_bytes=None, free_bytes=None)
    total, free = int(reading.total), int(reading.free)
    return GraphicsCard(index, name, driver, total_bytes=total, free_bytes=free)


def _text(value: str | bytes) -> str:
    """The library has answered in bytes in some versions."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def _usable_threads() -> int:
    """Threads this process may run on, fewer than the computer has where it is confined."""
    if sys.platform == "linux":
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def _file_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _sysctl_text() -> str:
    command = ["sysctl", "machdep.cpu", "hw.optional"]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SYSCTL_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout


def _windows_feature(number: int) -> bool:
    if sys.platform != "win32":
        return False
    return bool(ctypes.windll.kernel32.IsProcessorFeaturePresent(number))


def _windows_name() -> str:
    if sys.platform != "win32":
        return ""
    import winreg

    place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    except OSError:
        return ""
