"""Which model and layers the owner chose to share: DATA/chosen.json.

A file that cannot be used means that nothing was chosen; it is said in the log.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Final

import msgspec

from app.errors import UsageError
from app.ids import MODEL_ID_BYTES, Span
from app.sentences import say
from app.small_files import read_small, write_whole

logger = logging.getLogger(__name__)

CHOICE_FILE: Final = "chosen.json"
MAX_FILE_BYTES: Final = 4096


class Choice(msgspec.Struct, frozen=True):
    """A model's id in hex, and the units of it; without a span, what fits and is needed.

    `automatic`: the owner named no units, so others may be served where they are needed more.
    """

    model: Annotated[str, msgspec.Meta(pattern=rf"^[0-9a-f]{{{2 * MODEL_ID_BYTES}}}$")]
    span: Span | None = None
    automatic: bool = False


def load_choice(folder: Path) -> Choice | None:
    """What was chosen; None when nothing was."""
    path = folder / CHOICE_FILE
    try:
        return msgspec.json.decode(read_small(path, MAX_FILE_BYTES), type=Choice)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s cannot be used (%s); choose a model again.", path, error)
        return None


def save_choice(folder: Path, choice: Choice) -> None:
    """Keep what was chosen, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    path = folder / CHOICE_FILE
    try:
        write_whole(path, msgspec.json.encode(choice))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(say("choice_unkept", path=str(path), reason=reason)) from None
