"""Write the catalogue of models that Potluck vouches for, signed with the project's key.

    python tools/sign_catalogue.py --new-key                 once, by the maintainers
    python tools/sign_catalogue.py FILE.gguf [URL ...]       add or renew one model
    python tools/sign_catalogue.py                           list and sign anew

A model without a URL must lie in `resources/`, and is then read from there. Every
manifest in `resources/catalogue/` is checked and listed. The private key is one
line of 64 hex digits in the file named by `--key`, by POTLUCK_PROJECT_KEY, or
`~/.config/potluck-project-key`; it never enters the repository. The counterpart
that reads the catalogue is `app/engine/catalogue.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app import signing  # noqa: E402 - the path has to be set first
from app.engine.catalogue import (  # noqa: E402
    CATALOGUE_FILE,
    CATALOGUE_FOLDER,
    PROJECT_KEY,
    CatalogueEntry,
    load_catalogue,
    write_catalogue,
)
from app.engine.manifest import RESOURCE, check_consistency, read_manifest  # noqa: E402
from app.engine.publish import publish  # noqa: E402
from app.errors import PotluckError, UsageError  # noqa: E402
from app.ids import peer_text  # noqa: E402

KEY_VARIABLE = "POTLUCK_PROJECT_KEY"
DEFAULT_KEY_FILE = Path("~/.config/potluck-project-key")


def main(arguments: list[str] | None = None) -> int:
    """Run the tool; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, help="a GGUF file to add")
    parser.add_argument("urls", nargs="*", metavar="URL", help="where others find that file")
    parser.add_argument("--name", help="what people type; made from the file's name if absent")
    parser.add_argument("--licence", help="made from the file's metadata if absent")
    parser.add_argument("--key", type=Path, help="file with the project's private key")
    parser.add_argument("--new-key", action="store_true", help="make that file, and nothing else")
    parser.add_argument("--resources", type=Path, default=ROOT / "resources")
    chosen = parser.parse_args(arguments)
    key_file = (chosen.key or Path(os.environ.get(KEY_VARIABLE) or DEFAULT_KEY_FILE)).expanduser()
    try:
        if chosen.new_key:
            make_key(key_file)
            return 0
        key = read_key(key_file)
        if chosen.file is not None:
            add(
                chosen.file,
                chosen.urls,
                key=key,
                resources=chosen.resources,
                name=chosen.name,
                licence=chosen.licence,
            )
        sign(key=key, resources=chosen.resources)
    except PotluckError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def add(
    file: Path,
    urls: list[str],
    *,
    key: bytes,
    resources: Path,
    name: str | None = None,
    licence: str | None = None,
) -> Path:
    """Publish one GGUF file into the catalogue's folder; the manifest's path."""
    if not urls:
        try:
            inside = file.resolve().relative_to(resources.resolve())
        except ValueError:
            raise UsageError(f"{file} lies outside of {resources}: say its URL.") from None
        urls = [RESOURCE + inside.as_posix()]
    data = publish(file, urls, key=key, name=name, licence=licence)
    folder = resources / CATALOGUE_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{read_manifest(data).manifest.name}.json"
    path.write_bytes(data)
    return path


def sign(*, key: bytes, resources: Path) -> None:
    """Check and list every manifest in the catalogue's folder, smallest model first."""
    folder = resources / CATALOGUE_FOLDER
    listed: list[tuple[int, CatalogueEntry]] = []
    for path in folder.glob("*.json"):
        if path.name == CATALOGUE_FILE:
            continue
        manifest, model, _ = read_manifest(path.read_bytes())
        check_consistency(manifest)
        entry = CatalogueEntry(manifest.name, manifest.title, model.hex(), path.name)
        listed.append((manifest.file_bytes, entry))
    listed.sort(key=lambda item: (item[0], item[1].name))
    (folder / CATALOGUE_FILE).write_bytes(write_catalogue([entry for _, entry in listed], key))
    public = peer_text(signing.public_key_of(key))
    load_catalogue(resources, project_key=public)
    for _, entry in listed:
        print(f"{entry.name}  {entry.model}")
    if public != PROJECT_KEY:
        print(f"Signed with {public}, which app/engine/catalogue.py does not name: pin it there.")


def read_key(path: Path) -> bytes:
    """The project's private key."""
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        key = b""
    if len(key) != signing.PRIVATE_KEY_BYTES:
        raise UsageError(f"{path} holds no private key: name its file with --key or {KEY_VARIABLE}")
    return key


def make_key(path: Path) -> None:
    """Write a new private key where none is yet, readable by nobody else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = signing.generate_private_key()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists already and was kept") from None
    with open(handle, "w") as file:
        file.write(key.hex() + "\n")
    print(f"Public key, to be pinned: {peer_text(signing.public_key_of(key))}")


if __name__ == "__main__":
    sys.exit(main())
