"""Makes `.venv` hold everything Potluck needs, and says in one line what stands in the way.

Standard library only, because it runs before anything is installed. Its counterparts are
`dev.py` (the door that calls `setup`), `pyproject.toml` (what is needed) and
`constraints.txt` (every version). A second run compares one note and is done.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
EXTRAS = ("adapt", "desktop", "dev")
WINDOWS = os.name == "nt"

# Shipped and shared builds cannot use instructions that only this computer has, and the
# image models that LLAVA_BUILD adds are not used here. On macOS Metal stays on by itself.
ENGINE = "llama-cpp-python"
ENGINE_FLAGS = "-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF"

GIGABYTE = 1024**3
SPACE_GIGABYTES = {"base": 2.0, "dev": 0.3, "desktop": 0.7, "adapt": 6.0}
BUILD_SPACE_GIGABYTES = 1.5

# What Qt loads at run time and its wheel does not carry, on Debian and its relatives.
QT_PACKAGES = (
    "libdbus-1-3",
    "libegl1",
    "libfontconfig1",
    "libgl1",
    "libglib2.0-0",
    "libgssapi-krb5-2",
    "libx11-xcb1",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-render0",
    "libxcb-shape0",
    "libxcb-shm0",
    "libxcb-sync1",
    "libxcb-xfixes0",
    "libxcb-xkb1",
    "libxkbcommon-x11-0",
    "libxkbcommon0",
    # What the window's tests look at it with: a screen, a window manager, a tray, a hand.
    "openbox",
    "tint2",
    "xdotool",
    "xvfb",
)

NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|name resolution|ConnectTimeout|ReadTimeout|"
    r"Read timed out|ProxyError|Network is unreachable|Connection refused|getaddrinfo failed|"
    r"nodename nor servname|ConnectionResetError|Connection aborted"
)
NO_SPACE = re.compile(r"No space left on device|Errno 28|There is not enough space|ENOSPC")
NO_COMPILER = re.compile(
    r"No CMAKE_C(XX)?_COMPILER could be found|CMAKE_C(XX)?_COMPILER not set|"
    r"C(XX)? compiler .{0,80}is not able to compile"
)
NO_MEMORY = re.compile(r"Killed signal|out of memory|cannot allocate memory|bad_alloc", re.I)


class Trouble(Exception):
    """Something a person can mend; the text is one line that says how."""


# --- what happens on the screen ---------------------------------------------------------


def say(line: str) -> None:
    """Tell the person; on stderr, so that the output of `run` stays clean."""
    print(line, file=sys.stderr, flush=True)


def elapsed_text(seconds: float) -> str:
    """Minutes and seconds, as on a stopwatch."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def compiled_text(log: Path) -> str:
    """How far the compiler is, from the last `[17/260]` that the build has written."""
    with contextlib.suppress(OSError), log.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - 4096))
        counts = re.findall(rb"\[(\d+)/(\d+)\]", stream.read())
        if counts:
            return f", {int(counts[-1][0])} of {int(counts[-1][1])} files"
    return ""


def watched(title: str, command: Sequence[str], environment: dict[str, str]) -> None:
    """Run one long step: show that it lives, keep what it prints, explain how it failed.

    Raises:
        Trouble: the step failed.
    """
    log = ROOT / ".setup" / "setup.log"
    log.parent.mkdir(exist_ok=True)
    live = sys.stderr.isatty()
    started = reported = time.monotonic()
    if not live:
        say(f"{title} ...")
    with log.open("w", encoding="utf-8") as stream:
        stream.write(f"$ {shlex.join(command)}\n")
        stream.flush()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=ROOT,
        )
        try:
            while True:
                try:
                    status = process.wait(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    now = time.monotonic()
                    progress = elapsed_text(now - started) + compiled_text(log)
                    if live:
                        print(f"\r{title} ... {progress} ", end="", file=sys.stderr, flush=True)
                    elif now - reported >= 30.0:
                        reported = now
                        say(f"  ... {progress}")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    took = elapsed_text(time.monotonic() - started)
    if status == 0:
        say(f"\r{title} ... done in {took}          " if live else f"  done in {took}")
        return
    if live:
        say("")
    output = log.read_text(encoding="utf-8", errors="replace")
    raise Trouble(explain(title, output, log))


def explain(title: str, output: str, log: Path) -> str:
    """Say in one line why a step failed; show the end of its output where nothing fits."""
    kept = "What was done so far is kept."
    if NO_SPACE.search(output):
        return f"{title}: the disk is full. Free some space and run this again. {kept}"
    if NO_COMPILER.search(output):
        return f"{title}: {compiler_advice()}"
    if NO_MEMORY.search(output):
        return (
            f"{title}: memory ran out while compiling. Set CMAKE_BUILD_PARALLEL_LEVEL=1 "
            f"and run this again. {kept}"
        )
    if NO_NETWORK.search(output):
        return f"{title}: no network. Check the connection and run this again. {kept}"
    for line in output.splitlines()[-20:]:
        say(f"    {line}")
    return f"{title}: failed, see the lines above; all of them are in {log}. {kept}"


# --- what this computer offers ----------------------------------------------------------


def check_python() -> None:
    """Refuse a Python that the project does not run on."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        wanted = ".".join(str(part) for part in OLDEST_PYTHON)
        raise Trouble(
            f"Potluck needs Python {wanted} or newer and this is {platform.python_version()}. "
            f"Install a newer one from https://www.python.org and run it with dev.py."
        )


def compiler_advice() -> str:
    """The one line for a computer without a C++ compiler."""
    if sys.platform == "darwin":
        return "no C++ compiler. Install Apple's with: xcode-select --install"
    if WINDOWS:
        return (
            "no C++ compiler. Install Microsoft's with: winget install "
            "Microsoft.VisualStudio.2022.BuildTools --override "
            '"--passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"'
        )
    for program, line in (
        ("apt-get", "sudo apt-get install g++"),
        ("dnf", "sudo dnf install gcc-c++"),
        ("pacman", "sudo pacman -S gcc"),
        ("zypper", "sudo zypper install gcc-c++"),
        ("apk", "sudo apk add g++"),
    ):
        if shutil.which(program):
            return f"no C++ compiler. Install one with: {line}"
    return "no C++ compiler. Install g++ or clang++ and run this again."


def check_compiler() -> None:
    """Refuse early where llama.cpp cannot be compiled: half a minute before CMake would."""
    if sys.platform == "darwin":
        # /usr/bin/c++ exists on every Mac and only asks for the tools; this knows.
        found = subprocess.run(["xcode-select", "-p"], capture_output=True).returncode == 0
    elif WINDOWS:
        programs = os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)")
        finder = Path(programs, "Microsoft Visual Studio", "Installer", "vswhere.exe")
        found = finder.exists() or any(shutil.which(name) for name in ("cl", "clang++", "g++"))
    else:
        asked = shlex.split(os.environ.get("CXX", ""))[:1]
        found = any(shutil.which(name) for name in (*asked, "c++", "g++", "clang++"))
    if not found:
        advice = compiler_advice()
        raise Trouble(advice[0].upper() + advice[1:])


def check_space(folder: Path, gigabytes: float, advice: str) -> None:
    """Refuse before the disk is full rather than in the middle."""
    free = shutil.disk_usage(folder).free / GIGABYTE
    if free < gigabytes:
        raise Trouble(
            f"Setting up needs about {gigabytes:.1f} GB in {folder} and {free:.1f} GB is free. "
            f"{advice}"
        )


# --- the environment --------------------------------------------------------------------


def programs_folder() -> Path:
    """Where the environment keeps its programs."""
    return ROOT / ".venv" / ("Scripts" if WINDOWS else "bin")


def environment_python() -> str:
    """The Python inside the environment."""
    return str(programs_folder() / ("python.exe" if WINDOWS else "python"))


def inside() -> dict[str, str]:
    """The variables a command sees inside the environment."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    environment["VIRTUAL_ENV"] = str(ROOT / ".venv")
    environment["PATH"] = os.pathsep.join([str(programs_folder()), os.environ.get("PATH", "")])
    return environment


def for_pip() -> dict[str, str]:
    """As `inside`, with every version pinned, for what is installed and for what builds it."""
    constraints = (ROOT / "constraints.txt").as_uri()
    environment = inside()
    environment.update(
        PIP_CONSTRAINT=constraints,
        PIP_BUILD_CONSTRAINT=constraints,
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",
    )
    return environment


def engine_flags() -> str:
    """Our compile flags, then those the person has set, so that theirs win."""
    return f"{ENGINE_FLAGS} {os.environ.get('CMAKE_ARGS', '')}".strip()


def engine_version() -> str:
    """The pinned version of the engine's package."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    match = re.search(rf"^{ENGINE}==(\S+)", text, re.M)
    if match is None:
        raise Trouble(f"constraints.txt pins no {ENGINE}; restore it from the repository.")
    return match[1]


def engine_key() -> str:
    """What a compiled engine depends on, as a folder's name.

    pip's own cache would hand back a build with other flags, so ours is asked instead.
    """
    compiler = [os.environ.get(name, "") for name in ("CC", "CXX", "CFLAGS", "CXXFLAGS")]
    parts = [engine_version(), engine_flags(), sysconfig.get_platform(), *platform.libc_ver()]
    digest = hashlib.sha256(json.dumps(parts + compiler).encode()).hexdigest()
    return f"{ENGINE}-{engine_version()}-{digest[:16]}"


def cache_folder() -> Path:
    """Where this person's computer keeps what can be made again."""
    if WINDOWS:
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "potluck"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/potluck"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "potluck"


def engine_wheel() -> Path:
    """The compiled engine, from the cache or made now (minutes)."""
    wheels = cache_folder() / "wheels"
    folder = wheels / engine_key()
    for wheel in sorted(folder.glob("*.whl")):
        if zipfile.is_zipfile(wheel):
            return wheel
    check_compiler()
    check_space(
        Path(tempfile.gettempdir()),
        BUILD_SPACE_GIGABYTES,
        "Free some space, or set TMPDIR to a folder with more room, and run this again.",
    )
    environment = for_pip()
    environment["CMAKE_ARGS"] = engine_flags()
    environment.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 1))
    build = [environment_python(), "-m", "pip", "wheel", "--verbose", "--no-deps"]
    build += ["--no-cache-dir", "--no-binary", ENGINE, f"{ENGINE}=={engine_version()}"]
    wheels.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=wheels) as building:
        watched(
            "Compiling the engine (llama.cpp, 3 to 10 minutes, once)",
            [*build, "--wheel-dir", building],
            environment,
        )
        (made,) = Path(building).glob("*.whl")
        folder.mkdir(exist_ok=True)
        # A wheel appears in the cache whole or not at all.
        return made.replace(folder / made.name)


# --- setting up -------------------------------------------------------------------------


def stamp_path() -> Path:
    """The note inside the environment of what was set up."""
    return ROOT / ".venv" / "potluck-setup.json"


def fingerprint() -> str:
    """Everything that, when it changes, makes setting up again necessary."""
    digest = hashlib.sha256(engine_key().encode())
    for path in (ROOT / "pyproject.toml", ROOT / "constraints.txt", ROOT / ".venv/pyvenv.cfg"):
        digest.update(path.read_bytes() if path.exists() else b"-")
        digest.update(b"\0")
    return digest.hexdigest()


def read_stamp() -> dict[str, object]:
    """What was set up, empty when nothing was or the note is damaged."""
    with contextlib.suppress(OSError, ValueError):
        stamp = json.loads(stamp_path().read_text(encoding="utf-8"))
        if isinstance(stamp, dict):
            return stamp
    return {}


def installed_extras(stamp: dict[str, object]) -> list[str]:
    """The extras in the note, damaged entries left out."""
    noted = stamp.get("extras")
    return [extra for extra in EXTRAS if isinstance(noted, list) and extra in noted]


def ready(extras: Sequence[str]) -> bool:
    """Whether nothing is left to set up."""
    stamp = read_stamp()
    return (
        stamp.get("fingerprint") == fingerprint()
        and set(extras) <= set(installed_extras(stamp))
        and Path(environment_python()).exists()
    )


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one setup at a time work on `.venv`; the system frees the lock of a killed one."""
    folder = ROOT / ".setup"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a+") as stream:
        if sys.platform == "win32":
            import msvcrt

            def lock() -> None:
                msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            def lock() -> None:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)

        told = False
        while True:
            try:
                lock()
                break
            except OSError:
                if not told:
                    say("Another setup of this folder is running; waiting for it.")
                told = True
                time.sleep(0.5)
        yield


def make_environment() -> None:
    """Create `.venv`, or again from nothing where it cannot run."""
    python = environment_python()
    if Path(python).exists():
        works = subprocess.run([python, "-c", "import pip"], capture_output=True)
        if works.returncode == 0:
            return
    command = [sys.executable, "-m", "venv", "--clear", str(ROOT / ".venv")]
    made = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if made.returncode == 0:
        return
    output = made.stdout + made.stderr
    if NO_SPACE.search(output):
        raise Trouble("The disk is full. Free about 2 GB and run this again.")
    if "ensurepip" in output or "No module named venv" in output:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise Trouble(
            "This Python has no working venv module. On Debian and Ubuntu install it with: "
            f"sudo apt-get install python{version}-venv"
        )
    lines = [line for line in output.splitlines() if line.strip()]
    raise Trouble(f"The environment could not be created: {lines[-1] if lines else command}")


def desktop_libraries() -> None:
    """See to the system libraries that Qt needs, where that is known how (Debian)."""
    if not sys.platform.startswith("linux") or not shutil.which("apt-get"):
        return
    query = ["dpkg-query", "-W", "-f", "${Package}\t${db:Status-Status}\n", *QT_PACKAGES]
    answer = subprocess.run(query, capture_output=True, text=True).stdout
    have = {line.split("\t")[0] for line in answer.splitlines() if line.endswith("\tinstalled")}
    # Since the change to 64-bit time, libglib2.0-0 is called libglib2.0-0t64.
    missing = [name for name in QT_PACKAGES if not {name, f"{name}t64"} & have]
    if not missing:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        say(f"The window needs system libraries. Install them with: sudo {shlex.join(install)}")
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    watched("Asking Debian for its packages", ["apt-get", "update"], environment)
    watched("Installing system libraries for the window", install, environment)


def setup(extras: Sequence[str]) -> None:
    """Make the environment hold everything needed; a second time it only looks.

    Raises:
        Trouble: one line that says what is missing and how to get it.
    """
    check_python()
    if ready(extras):
        return
    with alone():
        if ready(extras):
            return
        stamp = read_stamp()
        wanted = sorted({*extras, *installed_extras(stamp)})
        new = set(wanted) - set(installed_extras(stamp)) | (set() if stamp else {"base"})
        space = sum(SPACE_GIGABYTES[name] for name in new) or SPACE_GIGABYTES["dev"]
        check_space(ROOT, space, "Free some space and run this again.")
        make_environment()
        if "desktop" in extras:
            desktop_libraries()
        wheel = engine_wheel()
        # Most of what comes is never imported; the rest is compiled when it is.
        install = [environment_python(), "-m", "pip", "install", "--no-compile"]
        if stamp.get("engine") != engine_key():
            # Same version, other flags: pip alone would see nothing to do.
            install_engine = [*install, "--force-reinstall", "--no-deps", str(wheel)]
            watched("Installing the engine", install_engine, for_pip())
        target = f"{ROOT}[{','.join(wanted)}]" if wanted else str(ROOT)
        watched("Installing the packages", [*install, "--editable", target], for_pip())
        stamp = {"fingerprint": fingerprint(), "engine": engine_key(), "extras": wanted}
        stamp_path().write_text(json.dumps(stamp), encoding="utf-8")
