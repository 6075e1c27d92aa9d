"""Where the files lie that ship with the window: icons and translations.

The counterpart is `app/folder/data_folder.py`, which finds the node's own.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path


def root_folder() -> Path:
    """The folder that holds the code and all that ships with it, packaged or not."""
    frozen = getattr(sys, "_MEIPASS", None)
    return Path(frozen) if frozen else Path(__file__).resolve().parent.parent.parent


def resources_folder() -> Path:
    """The folder of everything that ships beside the code."""
    return root_folder() / "resources"


def licence_text() -> str:
    """The licence, word for word; "" where it was not brought along."""
    beside = root_folder() / "LICENSE"
    try:
        return beside.read_text(encoding="utf-8")
    except OSError:
        return _installed_licence()


def _installed_licence() -> str:
    """The copy that an installer of Python packages keeps elsewhere."""
    try:
        files = metadata.files("potluck") or []
        found = next((file for file in files if file.name == "LICENSE"), None)
        return "" if found is None else found.read_text(encoding="utf-8")
    except (metadata.PackageNotFoundError, OSError):
        return ""
