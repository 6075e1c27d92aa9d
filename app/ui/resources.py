"""Where the files lie that ship with the window: icons and translations.

The counterpart is `app/data_folder.py`, which finds the node's own.
"""

from __future__ import annotations

import sys
from pathlib import Path


def resources_folder() -> Path:
    """The folder of everything that ships beside the code, packaged or not."""
    frozen = getattr(sys, "_MEIPASS", None)
    root = Path(frozen) if frozen else Path(__file__).resolve().parent.parent.parent
    return root / "resources"
