"""A resources folder with a catalogue signed by a key of the tests' own."""

from __future__ import annotations

from pathlib import Path

from app import signing
from app.engine.catalogue import CatalogueEntry, write_catalogue
from app.engine.manifest import Manifest, read_manifest, write_manifest
from app.ids import peer_text

PROJECT = bytes(range(32))
PROJECT_KEY = peer_text(signing.public_key_of(PROJECT))
STRANGER = bytes(range(1, 33))


def entry_of(data: bytes) -> CatalogueEntry:
    """The catalogue's line for a manifest's file."""
    read = read_manifest(data)
    name = read.manifest.name
    return CatalogueEntry(name, read.manifest.title, read.model.hex(), f"{name}.json")


def write_resources(resources: Path, *manifests: Manifest) -> Path:
    """A catalogue of these models, and their manifests beside it."""
    folder = resources / "catalogue"
    folder.mkdir(parents=True)
    written = [write_manifest(manifest, PROJECT) for manifest in manifests]
    for data in written:
        (folder / entry_of(data).file).write_bytes(data)
    (folder / "catalogue.json").write_bytes(write_catalogue(map(entry_of, written), PROJECT))
    return resources
