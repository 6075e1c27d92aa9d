"""Lets modules of a large package be imported without all that the package brings along.

`gguf` and `llama_cpp` import a YAML reader, Jinja, caches, chat formats and a server's
helpers as soon as one of their modules is asked for. The engine needs none of these, and
they are a quarter of a worker's memory and of the time it takes to start. The counterpart
is `app/engine/__init__.py`, which says which packages are meant before any is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

_ASKED_BY_LOOKERS: Final = {"__wrapped__", "__file__", "__path__", "__warningregistry__"}
"""What debuggers, tests and warnings ask of every module that they meet."""


class BarePackage(ModuleType):
    """A package whose own code runs when something of its own is asked for, and not before."""

    def __getattr__(self, attribute: str) -> object:
        """Called for what is not there: a module, or something that the package's code makes."""
        missing = AttributeError(f"module {self.__name__!r} has no attribute {attribute!r}")
        spec = self.__spec__
        if spec is None or attribute in _ASKED_BY_LOOKERS:
            raise missing
        if importlib.util.find_spec(f"{self.__name__}.{attribute}") is not None:
            return importlib.import_module(f"{self.__name__}.{attribute}")
        if isinstance(spec.loader, _Later):
            spec.loader = spec.loader.real
            spec.loader.exec_module(self)
            return getattr(self, attribute)
        raise missing


class _Later(Loader):
    """Leaves a package's code to `BarePackage`."""

    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> None:
        """An ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Nothing of the package's code yet."""
        module.__class__ = BarePackage


class BareFinder(MetaPathFinder):
    """Finds some packages where Python finds them, and has them come bare."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the finders after this one know, with another loader; None for other modules."""
        if fullname not in self._names:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Later(spec.loader)
                return spec
        return None


def import_bare(*names: str) -> None:
    """From now on these packages come without what their own code imports.

    Whoever asks one of them for a name of its own gets all of it after all. One that is
    imported already stays as it is.
    """
    sys.meta_path.insert(0, BareFinder(names))
