"""The models that Potluck itself vouches for, and the rule of whom to trust.

`resources/catalogue/catalogue.json` lists manifests that lie beside it, each by
its model id, and is signed with the project's key, whose public half is pinned
here. `tools/sign_catalogue.py` writes it; `app/engine/shelf.py` joins it with the
manifests that the owner of this computer handed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from app import signing
from app.engine.manifest import (
    MAX_MANIFEST_BYTES,
    SIGNATURE_BYTES,
    Manifest,
    VerifiedManifest,
    read_manifest,
)
from app.errors import BadInput, BadSignature, Refusal
from app.ids import MODEL_ID_BYTES, ModelId, parse_peer, peer_text
from app.sentences import Sentence, say
from app.small_files import read_small

PROJECT_KEY: Final = "5mttfzw4ce4ysqpld275eqgadvc3x2wdbhaamx7uk7j3r3ls6y7q"
"""The public key of Potluck's maintainers, who keep the private one."""
SIGNED_CONTEXT: Final = b"potluck catalogue v1\0"
CATALOGUE_FOLDER: Final = "catalogue"
CATALOGUE_FILE: Final = "catalogue.json"
MAX_CATALOGUE_BYTES: Final = 1 << 20
MAX_ENTRIES: Final = 1024
MIN_PREFIX: Final = 8
"""So many hex digits of a model's id name it."""

_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,84}\.json")
_HEX = re.compile(rf"[0-9a-f]{{{MIN_PREFIX},{2 * MODEL_ID_BYTES}}}")

Source = Literal["catalogue", "file"]


@dataclass(frozen=True)
class KnownModel:
    """A model this computer may use, and why.

    `source` is "catalogue" if the project vouches for it, "file" if the owner of
    this computer handed its manifest over; `publisher` is the key that signed it.
    """

    manifest: Manifest
    model: ModelId
    publisher: str
    source: Source

    @property
    def trust(self) -> Sentence:
        """Why it is trusted, as people read it."""
        if self.source == "catalogue":
            return say("from_catalogue")
        return say("from_file", publisher=self.publisher)


class CatalogueEntry(msgspec.Struct, frozen=True):
    """One line of the catalogue; `model` is the id in hex."""

    name: Annotated[str, msgspec.Meta(max_length=80)]
    title: Annotated[str, msgspec.Meta(max_length=200)]
    model: Annotated[str, msgspec.Meta(pattern=rf"^[0-9a-f]{{{2 * MODEL_ID_BYTES}}}\Z")]
    file: Annotated[str, msgspec.Meta(max_length=90)]


class _Body(msgspec.Struct, frozen=True):
    format: Annotated[int, msgspec.Meta(ge=1, le=1)]
    entries: Annotated[list[CatalogueEntry], msgspec.Meta(max_length=MAX_ENTRIES)]


class _SignedCatalogue(msgspec.Struct, frozen=True):
    catalogue: msgspec.Raw
    signature: Annotated[
        bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)
    ]


class Catalogue:
    """Models with the project's signature, by id."""

    def __init__(self, models: Mapping[ModelId, KnownModel]) -> None:
        self._models = dict(models)

    def __contains__(self, model: ModelId) -> bool:
        return model in self._models

    def all(self) -> list[KnownModel]:
        """Every model, in the catalogue's order: the first is the one to start with."""
        return list(self._models.values())

    def find(self, text: str) -> KnownModel:
        """The model with this name, or whose id starts with these 8 or more hex digits.

        Raises:
            Refusal: there is none ("unknown_model"), or several ("ambiguous_model").
        """
        return find_model(text, self.all())


def load_catalogue(resources: Path, *, project_key: str = PROJECT_KEY) -> Catalogue:
    """Read the catalogue and all its manifests from Potluck's resources folder.

    Raises:
        BadSignature: the project did not sign it.
        BadInput: a file is missing, damaged, or not the one that was signed.
    """
    folder = resources / CATALOGUE_FOLDER
    entries = read_entries(_read(folder / CATALOGUE_FILE, MAX_CATALOGUE_BYTES), project_key)
    models: dict[ModelId, KnownModel] = {}
    for entry in entries:
        read = read_manifest(_read(folder / entry.file, MAX_MANIFEST_BYTES))
        if read.model.hex() != entry.model or read.manifest.name != entry.name:
            raise BadInput(f"{entry.file} is not the manifest that the catalogue was signed with")
        models[read.model] = KnownModel(*read, source="catalogue")
    return Catalogue(models)


def read_entries(data: bytes, project_key: str = PROJECT_KEY) -> list[CatalogueEntry]:
    """Check the catalogue's signature and its own rules.

    Raises:
        BadSignature: the project did not sign it.
        BadInput: anything else that is wrong.
    """
    if len(data) > MAX_CATALOGUE_BYTES:
        raise BadInput(f"a catalogue of {len(data):,} bytes is larger than any honest one")
    try:
        signed = msgspec.json.decode(data, type=_SignedCatalogue)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadInput(f"this is not a catalogue: {error}") from None
    body = bytes(signed.catalogue)
    try:
        signing.verify(parse_peer(project_key), signed.signature, SIGNED_CONTEXT + body)
    except BadSignature:
        raise BadSignature("the catalogue is not signed by Potluck's maintainers") from None
    try:
        entries = msgspec.json.decode(body, type=_Body).entries
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadInput(f"the catalogue breaks a rule: {error}") from None
    for entry in entries:
        if not _FILE_NAME.fullmatch(entry.file) or entry.file == CATALOGUE_FILE:
            raise BadInput(f"the catalogue names {entry.file!r}, which is no manifest's file")
    if len({entry.name for entry in entries}) < len(entries):
        raise BadInput("the catalogue lists two models with the same name")
    return entries


def write_catalogue(entries: Iterable[CatalogueEntry], key: bytes) -> bytes:
    """The catalogue's file, signed with a private key of 32 bytes.

    Raises:
        BadInput: an entry breaks a rule that every reader enforces.
    """
    # On one line: nothing that rewrites line ends can break the signature.
    body = msgspec.json.encode(_Body(1, list(entries)))
    signature = signing.sign(key, SIGNED_CONTEXT + body)
    data = msgspec.json.encode(_SignedCatalogue(msgspec.Raw(body), signature)) + b"\n"
    read_entries(data, peer_text(signing.public_key_of(key)))
    return data


def trust(read: VerifiedManifest, catalogue: Catalogue, *, handed_over: bool) -> KnownModel:
    """Decide whether a manifest may be used at all.

    One that the owner of this computer handed over as a file is trusted by that
    act, and its publisher's key is shown. One met anywhere else needs the
    catalogue's signature.

    Raises:
        Refusal: it is not to be trusted ("untrusted_model").
    """
    if read.model in catalogue:
        return KnownModel(*read, source="catalogue")
    if handed_over:
        return KnownModel(*read, source="file")
    raise Refusal(say("not_in_catalogue", model=read.manifest.name), code="untrusted_model")


def find_model(text: str, models: list[KnownModel]) -> KnownModel:
    """The model among these with this name or beginning of an id.

    A name in the catalogue belongs to the catalogue's model.

    Raises:
        Refusal: there is none ("unknown_model"), or several ("ambiguous_model").
    """
    wanted = text.strip().lower()
    found = [known for known in models if known.manifest.name == wanted]
    if any(known.source == "catalogue" for known in found):
        found = [known for known in found if known.source == "catalogue"]
    if not found and _HEX.fullmatch(wanted):
        found = [known for known in models if known.model.hex().startswith(wanted)]
    if not found:
        names = ", ".join(sorted({known.manifest.name for known in models}))
        called = ascii(text[:80])
        words = say("no_such_model", name=called, models=names)
        raise Refusal(words if names else say("no_models", name=called), code="unknown_model")
    if len(found) > 1:
        ids = ", ".join(known.model.hex()[:12] for known in found)
        words = say("several_models", name=ascii(text[:80]), ids=ids)
        raise Refusal(words, code="ambiguous_model")
    return found[0]


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        return read_small(path, most_bytes)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"the catalogue's {path.name} cannot be read: {why}") from None
