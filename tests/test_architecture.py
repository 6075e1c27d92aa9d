"""The rules of the house, as tests: who imports whom, what is pure, what lives where.

Counterpart of docs/ARCHITECTURE.md, which says why. Imports inside functions and under
TYPE_CHECKING count like any other. Each rule is a function from source text to complaints,
and is shown here to complain before it is asked about the real files.
"""

import ast
import gc
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONGEST_MODULE_LINES = 500
ENTRY = "app/__main__.py"
"""Where the program begins: it goes to any room."""

# What each room may import from the rest of `app`; "base" are the modules
# that lie in no room.
ROOMS = {
    "policy": {"base"},
    "engine": {"base"},
    "net": {"base"},
    "swarm": {"base", "policy", "engine", "net"},
    "api": {"base"},
    "update": {"base"},
    "ui": {"base", "api.shapes", "policy.schedule"},
    "folder": {"base", "engine", "net", "api.shapes"},
    "chat": {"base", "engine", "net", "swarm", "folder", "api.shapes", "api.control_port"},
    "node": {"base", "policy", "engine", "net", "swarm", "api", "folder", "chat"},
    "command_line": {"base", "engine", "net", "swarm", "folder", "chat", "node"},
}

# The only files that may import a library: a folder ends in "/".
HOMES = {
    "aioquic": ("app/net/quic.py", "app/net/port.py", "app/net/relay.py"),
    "llama_cpp": ("app/engine/llama.py",),
    "PySide6": ("app/ui/", "benchmarks/ui.py"),
    "shiboken6": ("app/ui/",),
    "pynvml": ("app/engine/hardware.py", "app/policy/"),
    "keyring": ("app/net/identity.py",),
    "aiohttp": ("app/engine/download.py", "app/engine/origins.py", "app/api/", "app/update/"),
    "torch": (),
    "tokenizers": (),
}

# Same input, same output, always: no clock, socket, file, task or chance.
PURE = {
    "": {
        "schedule",
        "setting_patterns",
        "toml_text",
        "reasons",
        "sentences",
        "wordings",
        "layer_words",
    },
    "policy": {"verdict", "readings", "remarks", "buckets", "duty", "energy", "limits"},
    "engine": {
        *("gguf_read", "gguf_write", "slicing", "slice_files", "manifest"),
        *("frames", "ledger", "progress", "ordered_room", "footprint"),
    },
    "net": {
        *("addresses", "framing", "wire", "records", "windows", "offences", "coordinates"),
        *("kademlia", "kademlia_keys", "kademlia_table", "kademlia_lookup", "kademlia_store"),
        *("dht_messages", "dht_keepers", "address_groups", "hearsay", "allowances"),
        "observed",
        *("punching", "relay_frames"),
    },
    "swarm": {
        *("placement", "route", "sampling", "text", "speculation", "repair", "boundary_log"),
        *("receipts", "reputation", "credits", "chain_search", "distances", "failures"),
        *("layout", "throughput", "standby"),
        *("coverage", "waiting"),
    },
}
IMPURE = {
    *("time", "datetime", "asyncio", "socket", "selectors", "os", "io", "pathlib", "shutil"),
    *("tempfile", "glob", "mmap", "subprocess", "threading", "multiprocessing", "concurrent"),
    *("random", "secrets", "uuid", "queue", "signal", "psutil"),
}

FORBIDDEN_LIBRARIES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_NAMES = {
    *("utils", "util", "common", "misc", "helper", "helpers", "manager", "managers"),
    *("tools", "stuff"),
}

# Paths of somebody's own computer; put together here so that this file does not hold one.
MACHINE_PATHS = ["/" + "root/", "/" + "work/", "/" + "home/", "C:\\" + "Users\\"]


def sources(*places: str) -> list[Path]:
    """The Python files of some places in the repository."""
    found: list[Path] = []
    for place in places:
        path = ROOT / place
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return found


def name_of(path: Path) -> str:
    """A path as people read it: relative to the repository, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, at any depth of the code."""
    for node in parts(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (
                (node.lineno, "." * node.level + f"{node.module or ''}.{alias.name}")
                for alias in node.names
            )


def named_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every function called by its plain name."""
    for node in parts(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.lineno, node.func.id


def home(dotted: str) -> str:
    """What part of `app` a dotted name belongs to: a room, or "base"."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "base"


# --- the rules: (path, tree) to complaints ----------------------------------------------


def import_complaints(path: str, tree: ast.Module) -> Iterator[str]:
    """Rooms import only what ROOMS allows; base modules import no room."""
    parts = path.removesuffix(".py").split("/")
    room = parts[1] if len(parts) > 2 else "base"
    for line, dotted in imports(tree):
        if dotted.startswith("."):
            yield f"{path}:{line}: write the import in full, from app..."
        if not (dotted == "app" or dotted.startswith("app.")) or path == ENTRY:
            continue
        target = home(dotted)
        allowed = {"base"} if room == "base" else {room, *ROOMS.get(room, set())}
        inside = any(dotted.startswith(f"app.{name}") for name in allowed if "." in name)
        if target not in allowed and not inside:
            yield (
                f"{path}:{line}: {room} may not import {dotted}. Hand the thing in through the "
                f"constructor, or move what both need out of the rooms."
            )


def home_complaints(path: str, tree: ast.Module) -> Iterator[str]:
    """Each heavy library has one home, so that one module knows its ways."""
    for line, dotted in imports(tree):
        homes = HOMES.get(dotted.split(".")[0])
        if homes is not None and not path.startswith(homes or ("tools/",)):
            where = ", ".join(homes) or "tools/"
            yield f"{path}:{line}: {dotted} is imported only in {where}; ask that module instead."


def pure_complaints(path: str, tree: ast.Module) -> Iterator[str]:
    """Pure modules take the time, the bytes and the chance as arguments."""
    advice = "this module is pure; take what it would give as an argument."
    for line, dotted in imports(tree):
        if dotted.split(".")[0] in IMPURE:
            yield f"{path}:{line}: imports {dotted}; {advice}"
    for line, called in named_calls(tree):
        if called in ("open", "input", "print"):
            yield f"{path}:{line}: calls {called}(); {advice}"
    for node in parts(tree):
        if isinstance(node, ast.AsyncFunctionDef):
            yield f"{path}:{node.lineno}: async function {node.name}; {advice}"


def danger_complaints(path: str, tree: ast.Module) -> Iterator[str]:
    """Nothing turns bytes into code."""
    for line, dotted in imports(tree):
        if dotted.split(".")[0] in FORBIDDEN_LIBRARIES:
            yield f"{path}:{line}: {dotted} runs what it reads; use msgspec or JSON."
    for line, called in named_calls(tree):
        if called in FORBIDDEN_CALLS:
            yield f"{path}:{line}: {called}() runs text as code; write it out."


def task_complaints(path: str, tree: ast.Module) -> Iterator[str]:
    """Every task has an owner and a name; cleaning up is never left to `__del__`."""
    for line, dotted in imports(tree):
        if dotted in ("asyncio.create_task", "asyncio.ensure_future"):
            yield f"{path}:{line}: start tasks with a TaskOwner (app/tasks.py)."
    for node in parts(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "__del__":
            yield f"{path}:{node.lineno}: __del__ runs whenever; use `async with` or close()."
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        starter = node.func.attr in ("create_task", "ensure_future")
        on = ast.unparse(node.func.value)
        if starter and (on == "asyncio" or "loop" in on):
            yield f"{path}:{node.lineno}: start tasks with a TaskOwner (app/tasks.py)."


def opening_complaints(path: str, tree: ast.Module) -> Iterator[str]:
    """A module opens by saying what it is."""
    if tree.body and ast.get_docstring(tree) is None:
        yield f"{path}: open it with a docstring that says what it is and its counterpart."


Rule = Callable[[str, ast.Module], Iterator[str]]


@cache
def parsed(path: Path) -> ast.Module:
    """A file's tree; each rule asks for it."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def parts(tree: ast.AST) -> list[ast.AST]:
    """What rules look at of a tree, in one walk for all of them."""
    kinds = (ast.Import, ast.ImportFrom, ast.Call, ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


@pytest.fixture(scope="module", autouse=True)
def _trees_go_afterwards() -> Iterator[None]:
    # A million new objects that all stay: looking for garbage among them takes longer than they.
    gc.disable()
    yield
    parsed.cache_clear()
    parts.cache_clear()
    gc.enable()


def ask(rule: Rule, paths: list[Path]) -> str:
    """Every complaint of a rule about some files, one a line."""
    complaints: list[str] = []
    for path in paths:
        complaints += rule(name_of(path), parsed(path))
    return "\n".join(complaints)


def pure_files() -> list[Path]:
    """The pure modules that exist."""
    named = [ROOT / "app" / room / f"{name}.py" for room in PURE for name in PURE[room]]
    return sorted(path for path in named if path.exists())


# --- the rules complain -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (import_complaints, "app/engine/x.py", "from app.net.wire import Step"),
        (import_complaints, "app/net/x.py", "def f():\n    import app.engine.llama"),
        (import_complaints, "app/net/x.py", "from app import swarm"),
        (import_complaints, "app/policy/x.py", "import app.engine"),
        (import_complaints, "app/api/x.py", "from app.swarm import host"),
        (import_complaints, "app/ui/x.py", "from app.api import server"),
        (import_complaints, "app/errors.py", "from app.net import wire"),
        (import_complaints, "app/net/x.py", "from . import wire"),
        (home_complaints, "app/net/wire.py", "from aioquic.quic import packet"),
        (home_complaints, "app/swarm/x.py", "import llama_cpp"),
        (home_complaints, "app/engine/x.py", "def f():\n    import torch"),
        (home_complaints, "app/settings.py", "from PySide6 import QtCore"),
        (pure_complaints, "app/net/wire.py", "from time import monotonic"),
        (pure_complaints, "app/net/wire.py", "import os.path"),
        (pure_complaints, "app/net/wire.py", "async def f(): ..."),
        (pure_complaints, "app/net/wire.py", "def f(): open('x')"),
        (danger_complaints, "app/command_line/cli.py", "import pickle"),
        (danger_complaints, "app/command_line/cli.py", "def f(x): return eval(x)"),
        (task_complaints, "app/node/node.py", "asyncio.create_task(f())"),
        (task_complaints, "app/node/node.py", "asyncio.get_running_loop().create_task(f())"),
        (task_complaints, "app/node/node.py", "from asyncio import ensure_future"),
        (task_complaints, "app/node/node.py", "class A:\n    def __del__(self): ..."),
        (opening_complaints, "app/node/node.py", "import asyncio"),
    ],
)
def test_a_breach_is_named_with_its_place(rule: Rule, path: str, source: str) -> None:
    complaints = list(rule(path, ast.parse(source)))
    assert len(complaints) == 1
    assert complaints[0].startswith(path)


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (import_complaints, "app/swarm/x.py", "from app.net.wire import Step\nimport app.engine"),
        (import_complaints, "app/net/x.py", "from app.ids import PeerId\nimport app.net.wire"),
        (import_complaints, "app/ui/x.py", "from app.api.shapes import Status"),
        (import_complaints, "app/node/node.py", "from app.swarm import host\nimport app.net"),
        (home_complaints, "app/engine/llama.py", "import llama_cpp"),
        (home_complaints, "tools/x.py", "import torch"),
        (pure_complaints, "app/net/wire.py", "import math\nimport msgspec"),
        (danger_complaints, "app/command_line/cli.py", "def f(model): model.eval()"),
        (task_complaints, "app/node/node.py", "owner.start(f(), name='f')"),
        (opening_complaints, "app/net/__init__.py", ""),
    ],
)
def test_what_is_allowed_passes(rule: Rule, path: str, source: str) -> None:
    assert list(rule(path, ast.parse(source))) == []


# --- the real files ---------------------------------------------------------------------


def test_rooms_import_only_what_they_may() -> None:
    complaints = ask(import_complaints, sources("app"))
    assert not complaints, complaints


def test_every_folder_in_app_is_a_room() -> None:
    folders = {path.parent.name for path in (ROOT / "app").rglob("*.py")} - {"app"}
    strange = sorted(folders - set(ROOMS))
    assert strange == [], "draw the room in docs/ARCHITECTURE.md and in ROOMS first"


def test_heavy_libraries_stay_at_home() -> None:
    complaints = ask(home_complaints, sources("app", "benchmarks", "dev.py"))
    assert not complaints, complaints


def test_pure_modules_know_no_clock_file_socket_task_or_chance() -> None:
    assert pure_files(), "the pure modules have moved; correct PURE"
    complaints = ask(pure_complaints, pure_files())
    assert not complaints, complaints


def test_nothing_runs_what_it_reads() -> None:
    places = sources("app", "tools", "benchmarks", "tests", "dev.py")
    complaints = ask(danger_complaints, places)
    assert not complaints, complaints


def test_every_task_has_an_owner() -> None:
    files = [path for path in sources("app") if name_of(path) != "app/tasks.py"]
    complaints = ask(task_complaints, files)
    assert not complaints, complaints


def test_every_module_says_what_it_is() -> None:
    complaints = ask(opening_complaints, sources("app", "tools", "benchmarks", "tests", "dev.py"))
    assert not complaints, complaints


def test_no_module_is_a_drawer_for_leftovers() -> None:
    names = [name_of(p) for p in sources("app") if {p.stem, p.parent.name} & FORBIDDEN_NAMES]
    assert names == [], "name the module after what it is about"


def test_every_module_has_a_test_file() -> None:
    missing = []
    for path in sources("app"):
        if path.stem in ("__init__", "__main__"):
            continue
        test = ROOT / "tests" / path.relative_to(ROOT / "app").parent / f"test_{path.stem}.py"
        if not test.exists():
            missing.append(f"{name_of(path)}: write {name_of(test)}")
    assert not missing, "\n".join(missing)


def test_no_module_is_too_long_to_read() -> None:
    long = []
    for path in sources("app", "tools", "benchmarks", "tests", "dev.py"):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > LONGEST_MODULE_LINES:
            long.append(f"{name_of(path)}: {lines} lines; find the seam and split it")
    assert not long, "\n".join(long)


def test_texts_name_only_files_that_exist() -> None:
    named = re.compile(r"(?<![\w/])(?:app|benchmarks|docs|tests|tools)/[\w/-]+\.(?:py|md)\b")
    texts = [*sources("app", "tools", "benchmarks", "dev.py"), *(ROOT / "docs").rglob("*.md")]
    found = []
    for path in [*texts, *ROOT.glob("*.md")]:
        for name in named.findall(path.read_text(encoding="utf-8")):
            if not (ROOT / name).exists():
                found.append(f"{name_of(path)}: speaks of {name}, which is not there")
    assert not found, "\n".join(found)


def test_no_file_names_a_place_on_somebodys_computer() -> None:
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    found = []
    for name in listing.stdout.split("\0"):
        path = ROOT / name
        if not name or not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" in data:
            continue
        text = data.decode("utf-8", errors="replace")
        found += [f"{name}: holds {place}" for place in MACHINE_PATHS if place in text]
    assert not found, "\n".join(found)
