"""The commands that are not a conversation: node, publish, models, doctor.

`potluck status` is in `status.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from app.chat.client import count_answers
from app.command_line.columns import columns
from app.command_line.passing_word import said_if_long
from app.command_line.terminal import one_line
from app.engine.hardware import Hardware, free_disk_bytes, read_hardware
from app.engine.manifest import read_manifest
from app.engine.publish import publish
from app.engine.slicing import Plan
from app.engine.store import gigabytes
from app.errors import PeerLost, PotluckError, UsageError
from app.folder.data_folder import DataFolder, OpenModel
from app.folder.known_contacts import KnownContacts
from app.ids import Span, parse_span, short_peer_text
from app.logs import held_back
from app.node.node import Node, NodeOptions
from app.settings import SETTINGS_FILE, read_settings

logger = logging.getLogger(__name__)

SHORT_ID_DIGITS: Final = 8
"""As many as suffice to name a model by; see `app/engine/shelf.py`."""


async def node(options: argparse.Namespace) -> int:
    """`potluck node`: serve until it is stopped."""
    wanted = NodeOptions(
        data_dir=options.data_dir,
        listen=options.listen,
        announce=options.announce,
        bootstraps=options.bootstrap,
        model=options.model,
        units=options.units,
        public=options.public,
        api=options.api,
    )
    with held_back() as show_log:
        async with Node(wanted) as running:
            show_log()
            if wanted.model is None and wanted.units is None:
                logger.info("%s", _without_layers(running, wanted))
            print(json.dumps(running.ready_line()), flush=True)
            await running.wait_until_quit()
    return 0


def _without_layers(running: Node, wanted: NodeOptions) -> str:
    """What a node does that was given no layers to serve."""
    if running.service.governor.manual.consented:
        return "serving what was chosen in the window, as far as its settings allow"
    keeps = (
        "keeping the list of who serves what, for others (potluck status tells how they name this"
        " computer); "
        if wanted.public
        else ""
    )
    return (
        f"{keeps}sharing no layers: name a model with --model, or units with --units,"
        " or agree to share in the window"
    )


async def publish_model(options: argparse.Namespace) -> int:
    """`potluck publish`: prove that a model can be cut, then sign its manifest."""
    data = DataFolder.open(options.data_dir)
    identity = await data.identity()
    if not options.file.name:
        raise UsageError(f"{options.file} is no file.")
    target = _place_for(options.out or options.file.with_suffix(".manifest.json"))
    signed = await asyncio.to_thread(
        publish,
        options.file,
        options.url,
        key=identity.private_key.private_bytes_raw(),
        name=options.name,
        licence=options.licence,
        prove=_prove,
    )
    name = read_manifest(signed).manifest.name
    if any(
        known.source == "catalogue" and known.manifest.name == name for known in data.shelf.all()
    ):
        raise UsageError(
            f"Potluck's catalogue has a model called {name} already; nothing was written."
            " Give yours another name with --name."
        )
    await asyncio.to_thread(target.write_bytes, signed)
    known = data.shelf.adopt(target)
    manifest = known.manifest
    print(f"{target}: {manifest.name}, {_layers(manifest.block_count)}")
    print(f"id {known.model.hex()}")
    print(f"publisher {known.publisher}")
    return 0


def _place_for(target: Path) -> Path:
    """Checked before the proof, which takes long for a large model."""
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"{target} is no place for a file; choose another one with --out.")
    if target.suffix.lower() != ".json":
        raise UsageError(f"{target} does not end with .json; nothing was written.")
    return target


def _prove(file: Path, cut: Plan) -> None:
    from app.engine.proof import prove  # brings llama.cpp's library, which no node may load

    print(f"proving that {file.name} can be shared by layers ...", file=sys.stderr, flush=True)
    prove(file, cut)


async def models(options: argparse.Namespace) -> int:
    """`potluck models`: what this computer knows, and how much of each it holds."""
    data = DataFolder.open(options.data_dir)
    rows: list[dict[str, Any]] = []
    for known in data.shelf.all():
        manifest = known.manifest
        held = [u for u, unit in enumerate(manifest.units) if data.store.has(unit)]
        rows.append(
            {
                "name": manifest.name,
                "id": known.model.hex(),
                "title": manifest.title,
                "architecture": manifest.architecture,
                "licence": manifest.licence,
                "units": str(_whole(manifest.block_count)),
                "bytes": manifest.payload_bytes,
                "units_held": held,
                "trusted": known.trust.words,
            }
        )
    if options.json:
        print(json.dumps(rows))
        return 0
    table = [
        (
            row["name"],
            row["id"][:SHORT_ID_DIGITS],
            _layers(len(parse_span(row["units"])) - 2),
            gigabytes(row["bytes"]),
            f"{row['licence']}, {row['trusted']}",
        )
        for row in rows
    ]
    if table:
        print("\n".join(columns(table, right=[2, 3])))
    else:
        print("no models are known; hand one over with --model M.json")
    return 0


def _whole(block_count: int) -> Span:
    return Span(0, block_count + 2)


def _layers(block_count: int) -> str:
    return "1 layer" if block_count == 1 else f"{block_count} layers"


# ── doctor ───────────────────────────────────────────────────────────────────


async def doctor(options: argparse.Namespace) -> int:
    """`potluck doctor`: one line for each thing that matters; exit code 1 if one is missing."""
    data = DataFolder.open(options.data_dir)
    hardware = await asyncio.to_thread(read_hardware)
    good = True
    for fine, line in [*_hardware_lines(hardware), *_folder_lines(data)]:
        good &= fine
        print(f"{'ok  ' if fine else 'MISS'} {line}")
    fine, line = await _network_line(data)
    good &= fine
    print(f"{'ok  ' if fine else 'MISS'} {line}")
    try:
        identity = await data.identity()
        print(f"ok   identity {short_peer_text(identity.peer_id)}..., kept in {identity.kept_in}")
        model = data.model(None)
        print(f"ok   {await _measured(data, model)}")
    except PotluckError as error:
        print(f"MISS {error}")
        good = False
    return 0 if good else 1


def _hardware_lines(hardware: Hardware) -> Iterator[tuple[bool, str]]:
    processor = hardware.processor
    cores = processor.cores or processor.threads
    known = ", ".join(processor.instructions) or "unknown instruction sets"
    yield True, f"processor: {processor.name}, {cores} cores ({known})"
    memory = hardware.memory
    yield (
        memory.available_bytes > 1 << 30,
        f"memory: {gigabytes(memory.available_bytes)} free of {gigabytes(memory.total_bytes)}",
    )
    for card in hardware.cards:
        size = "unknown memory" if card.total_bytes is None else gigabytes(card.total_bytes)
        yield True, f"graphics card: {card.name}, {size}"
    if not hardware.cards:
        yield True, "graphics card: none that NVIDIA's driver answers for; the processor computes"


def _folder_lines(data: DataFolder) -> Iterator[tuple[bool, str]]:
    free = free_disk_bytes(data.folder)
    if free is None:
        yield False, f"disk: the free space of {data.folder} cannot be read"
    else:
        quota = gigabytes(data.store.quota_bytes)
        yield free > 2 << 30, f"disk: {gigabytes(free)} free; Potluck may use {quota}"
    writable = os.access(data.folder, os.W_OK)
    yield writable, f"data folder: {data.folder}{'' if writable else ' cannot be written'}"
    if read_settings(data.folder / SETTINGS_FILE).doubtful:
        yield False, f"settings: nothing is shared until you mend {data.folder / SETTINGS_FILE}"


async def _network_line(data: DataFolder) -> tuple[bool, str]:
    """Whom this computer asks first, and whether one of them is there."""
    bootstraps, known = data.bootstraps([]), KnownContacts(data.folder).load()
    words = (
        f"bootstraps: {len(bootstraps) or 'none'} known,"
        f" and {len(known) or 'no'} computer{'' if len(known) == 1 else 's'} from earlier runs"
    )
    if not bootstraps and not known:
        return True, f"{words}; name one in settings.toml, or give node and chat --bootstrap"
    try:
        answers = await said_if_long("asking who is there", count_answers(bootstraps, known))
    except PeerLost as error:
        return False, f"{words}; {one_line(str(error))}"
    return True, f"{words}; {answers} computer{' answers' if answers == 1 else 's answer'}"


async def _measured(data: DataFolder, model: OpenModel) -> str:
    """Run the embedded model for a moment and say how fast it went."""
    from app.chat.client import whole_engine

    async with whole_engine(data, model) as engine:
        status = engine.status
        threads = "1 thread" if status.threads == 1 else f"{status.threads} threads"
        return (
            f"engine: {model.manifest.name} runs at {status.layers_per_second:,.0f} layers a second"
            f" ({status.configuration}, {threads})"
        )
