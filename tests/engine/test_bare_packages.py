"""Packages that run their own code when something of their own is asked for."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from app.engine.bare_packages import import_bare

LARGE = "large_package_of_a_test"


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with two modules; its own code brings one of them and makes a name."""
    folder = tmp_path / LARGE
    folder.mkdir()
    (folder / "__init__.py").write_text("from .heavy import weight\nfrom .light import *\n")
    (folder / "heavy.py").write_text("weight = 1000\n")
    (folder / "light.py").write_text("feather = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    import_bare(LARGE)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == LARGE]:
        del sys.modules[name]


def loaded() -> set[str]:
    return {name for name in sys.modules if name.startswith(f"{LARGE}.")}


@pytest.mark.usefixtures("large")
def test_a_module_comes_without_the_package_s_own_code() -> None:
    assert importlib.import_module(f"{LARGE}.light").feather == 1
    assert loaded() == {f"{LARGE}.light"}


@pytest.mark.usefixtures("large")
def test_whoever_asks_for_the_package_s_own_names_gets_them_all() -> None:
    light = importlib.import_module(f"{LARGE}.light")
    package = importlib.import_module(LARGE)
    assert package.weight == 1000
    assert loaded() == {f"{LARGE}.light", f"{LARGE}.heavy"}
    assert package.light is light
    assert not hasattr(package, "more")


@pytest.mark.usefixtures("large")
def test_a_module_can_be_asked_for_by_its_name_in_the_package() -> None:
    assert importlib.import_module(LARGE).light.feather == 1
    assert loaded() == {f"{LARGE}.light"}


@pytest.mark.usefixtures("large")
def test_a_name_that_is_nowhere_is_missed() -> None:
    with pytest.raises(AttributeError, match="more"):
        _ = importlib.import_module(LARGE).more


def test_what_is_there_or_nowhere_is_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    import_bare("json", "no_such_package_anywhere")
    assert type(importlib.import_module("json")) is ModuleType
    with pytest.raises(ModuleNotFoundError, match="no_such_package_anywhere"):
        importlib.import_module("no_such_package_anywhere")


def test_a_worker_starts_without_what_it_does_not_need() -> None:
    program = (
        "import sys, app.engine.worker; "
        "print({'yaml', 'jinja2', 'diskcache', 'llama_cpp.llama', 'gguf.gguf_writer'} "
        "& set(sys.modules)); import gguf; print(gguf.GGUFWriter.__module__)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ended.stdout, ended.stderr) == ("set()\ngguf.gguf_writer\n", "")
