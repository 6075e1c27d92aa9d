"""What mypy has learnt outlives a clone: the next fresh one begins with it.

Standard library only, like its counterpart `dev.py`, which asks before and after mypy. What is
kept can be old or of another branch and is right all the same: of every file, of a library's
too, mypy compares size and content with what it has noted, and looks anew where one differs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

FOLDER = ".mypy_cache"


def take_over(root: Path, kept: Path) -> bool:
    """Give a clone that knows nothing what is kept; True when it knew nothing.

    Damaged or missing, it is as if nothing were kept.
    """
    known = root / FOLDER
    if known.exists():
        return False
    with (
        contextlib.suppress(OSError, zipfile.BadZipFile),
        tempfile.TemporaryDirectory(prefix=".taking-over-", dir=root) as place,
    ):
        shutil.unpack_archive(kept, place, "zip")
        # All of it or nothing: half a database would be worse.
        (Path(place) / FOLDER).replace(known)
    return True


def keep(root: Path, kept: Path) -> None:
    """Keep what mypy knows of a clone; whoever reads meanwhile has the old one, whole.

    Not being able to is no failure: the next clone only takes longer.
    """
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="keeping-", dir=kept.parent) as place:
            made = shutil.make_archive(str(Path(place) / "types"), "zip", root, FOLDER)
            os.replace(made, kept)
