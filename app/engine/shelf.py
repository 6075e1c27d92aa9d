"""The models this computer knows: the catalogue's, and those handed over as files.

A manifest that was handed over is kept in the data folder, so that naming its
model suffices from then on. Who may be trusted, `app/engine/catalogue.py` decides.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from app.engine.catalogue import Catalogue, KnownModel, find_model, trust
from app.engine.manifest import MAX_MANIFEST_BYTES, check_consistency, read_manifest
from app.errors import BadInput, UsageError
from app.ids import ModelId
from app.sentences import say
from app.small_files import read_small

logger = logging.getLogger(__name__)

_FILE_NAME = re.compile(r"[0-9a-f]{64}\.json")


class ModelShelf:
    """Catalogue and adopted manifests together.

    Args:
        catalogue: what the project vouches for.
        folder: where adopted manifests are kept; made when there is one.
    """

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        self._catalogue = catalogue
        self._folder = folder
        self._adopted: dict[ModelId, KnownModel] = {}

    def load(self) -> None:
        """Read what was adopted earlier; a damaged file is named in the log and left out."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            if not _FILE_NAME.fullmatch(path.name):
                continue
            try:
                read = read_manifest(_read(path))
            except (BadInput, OSError) as error:
                logger.warning("the manifest %s is left out: %s", path, error)
                continue
            if read.model not in self._catalogue:
                self._adopted[read.model] = trust(read, self._catalogue, handed_over=True)

    def adopt(self, path: Path) -> KnownModel:
        """Take a manifest that the owner of this computer hands over, and keep it.

        Its header is cut anew and compared with what it says. Blocks for up to a
        second on a large vocabulary.

        Raises:
            UsageError: the file cannot be read, or is no sound manifest.
            UnsupportedModel: the model cannot be cut into units.
        """
        try:
            data = _read(path)
            read = read_manifest(data)
            check_consistency(read.manifest)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(say("manifest_unread", path=str(path), reason=reason)) from None
        except BadInput as error:
            # What is wrong helps whoever made the file, and nobody who was given it.
            logger.info("the manifest %s was not taken: %s", path, error)
            raise UsageError(say("manifest_not_taken", file=path.name)) from None
        known = trust(read, self._catalogue, handed_over=True)
        if known.source == "file":
            self._keep(known.model, data)
            self._adopted[known.model] = known
        return known

    def all(self) -> list[KnownModel]:
        """Every model: the catalogue's in its order, then the adopted ones."""
        return [*self._catalogue.all(), *self._adopted.values()]

    def get(self, model: ModelId) -> KnownModel | None:
        """The model with this id, if this computer knows it."""
        return next((known for known in self.all() if known.model == model), None)

    def find(self, text: str) -> KnownModel:
        """The model with this name, or whose id starts with these 8 or more hex digits.

        Raises:
            Refusal: there is none ("unknown_model"), or several ("ambiguous_model").
        """
        return find_model(text, self.all())

    def find_or_adopt(self, text: str) -> KnownModel:
        """What a person named: a manifest's file if it ends in `.json`, else as `find`.

        Raises:
            UsageError, UnsupportedModel: as `adopt`.
            Refusal: as `find`.
        """
        if text.lower().endswith(".json"):
            return self.adopt(Path(text))
        if text.lower().endswith(".gguf"):
            raise UsageError(say("model_file_itself", file=text))
        return self.find(text)

    def _keep(self, model: ModelId, data: bytes) -> None:
        """Write the manifest whole or not at all."""
        path = self._folder / f"{model.hex()}.json"
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            reason = error.strerror or str(error)
            words = say("manifest_unkept", folder=str(self._folder), reason=reason)
            raise UsageError(words) from None


def _read(path: Path) -> bytes:
    try:
        return read_small(path, MAX_MANIFEST_BYTES)
    except ValueError as error:  # too large, or no name that a file can have
        raise BadInput(str(error)) from None
