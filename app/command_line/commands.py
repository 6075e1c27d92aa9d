"""The commands that are not a conversation: node, publish, models, status, doctor."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from app.chat.client import count_answers, lookup_all
from app.clock import SystemClock
from app.command_line.terminal import one_line, shown
from app.engine.hardware import Hardware, free_disk_bytes, read_hardware
from app.engine.manifest import read_manifest
from app.engine.publish import publish
from app.engine.slicing import Plan
from app.engine.store import gigabytes
from app.errors import PeerLost, PotluckError, UsageError
from app.folder.data_folder import DataFolder, OpenModel
from app.folder.known_contacts import KnownContacts
from app.folder.tally import served_so_far
from app.ids import ModelId, PeerId, Span, peer_text, short_peer_text
from app.logs import held_back
from app.net.records import Announcement
from app.node.node import Node, NodeOptions
from app.node.node_file import read_node_file
from app.settings import SETTINGS_FILE, read_settings
from app.swarm.coverage import meets, place_of, replicas, runs

logger = logging.getLogger(__name__)

MY_PLACE: Final = {
    "only": "some of which nobody else serves",
    "second": "some of which only one other computer serves",
    "spare": "which at least two others serve too",
}


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
    keeps = "keeping the list of who serves what, for others; " if wanted.public else ""
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
    print(f"{target}: {manifest.name}, units {_whole(manifest.block_count)}")
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
    for row in rows:
        print(
            f"{row['name']}  {row['id'][:12]}  units {row['units']}"
            f"  {gigabytes(row['bytes'])}  {row['licence']}  ({row['trusted']})"
        )
    if not rows:
        print("no models are known; hand one over with --model M.json")
    return 0


def _whole(block_count: int) -> Span:
    return Span(0, block_count + 2)


# ── status ───────────────────────────────────────────────────────────────────


async def status(options: argparse.Namespace) -> int:
    """`potluck status`: this computer's node, its disk, and who serves what."""
    data = DataFolder.open(options.data_dir)
    bootstraps = data.bootstraps(options.bootstrap)
    found: list[Announcement] = []
    unreachable = ""
    known = KnownContacts(data.folder).load()
    if bootstraps or known:
        try:
            found = await lookup_all(bootstraps, known)
        except PeerLost as error:
            unreachable = str(error)
    running = read_node_file(data.folder, now=time.time())
    own = set() if running is None else {running["peer_id"], running["beside_peer_id"]}
    report = {
        "data_dir": str(data.folder),
        "node": running,
        "disk": {
            "used_bytes": data.store.used_bytes(),
            "quota_bytes": data.store.quota_bytes,
        },
        "bootstraps": [f"{peer_text(peer)}@{address}" for peer, address in bootstraps],
        "bootstrap_error": unreachable,
        "models": [_coverage(model, found, data, own=own) for model in _announced(found)],
        "repairs": _repairs(data),
    }
    if options.json:
        print(json.dumps(report))
    else:
        print("\n".join(_status_lines(report)))
    return 0


def _announced(found: list[Announcement]) -> list[ModelId]:
    return sorted({ModelId(record.model) for record in found if record.span is not None})


def _repairs(data: DataFolder) -> dict[str, int] | None:
    """How often helpers were replaced in the node's answers, as it kept it last."""
    served = served_so_far(data.folder, clock=SystemClock())
    if served is None:
        return None
    return {"today": served.repairs_today, "ever": served.repairs_ever}


def _coverage(
    model: ModelId, found: list[Announcement], data: DataFolder, *, own: Collection[str | None]
) -> dict[str, Any]:
    """Who serves a model; `own` are the names of this computer's node, if one runs.

    Who is fetching a part announces it already, but serves nobody yet.
    """
    records = [r for r in found if r.model == model and r.span is not None]
    ready = {peer_text(PeerId(r.peer)): r.span for r in records if r.ready and r.span is not None}
    mine = next((ready[name] for name in own if name in ready), None)
    known = data.shelf.get(model)
    units = None if known is None else known.manifest.block_count + 2
    stop = units or max(r.span.stop for r in records if r.span is not None)
    counts = replicas(list(ready.values()), stop)
    return {
        "model_id": model.hex(),
        "name": known.manifest.name if known else records[0].model_name,
        "units": units,
        "replicas": counts,
        "missing": [unit for unit, count in enumerate(counts) if count == 0],
        "computers": len(ready),
        "coming": len(records) - len(ready),
        "joins": meets(list(ready.values()), stop),
        "my_units": None if mine is None else str(mine),
        "my_place": place_of(mine, counts),
        "hosts": [
            {
                "peer_id": peer_text(PeerId(r.peer)),
                "units": str(r.span),
                "ready": r.ready,
                "mine": peer_text(PeerId(r.peer)) in own,
                "layers_per_second": round(r.layers_per_second, 1),
                "tokens_free": r.kv_tokens_free,
            }
            for r in sorted(records, key=lambda r: (str(r.span), r.peer))
        ],
    }


def _status_lines(report: dict[str, Any]) -> Iterator[str]:
    running = report["node"]
    if running is None:
        yield f"no node runs in {report['data_dir']}"
    elif running["units"] is None:
        yield f"a node runs at {one_line(running['listen'])} and serves no layers"
    else:
        yield (
            f"sharing units {one_line(running['units'])} of {one_line(running['model'])}"
            f" at {one_line(running['listen'])}:"
            f" {running['sessions']} conversations now, {running['sessions_ever']} ever"
        )
    if running is not None and running["state"] != "sharing" and running["headline"]:
        yield one_line(running["headline"])
    if running is not None and running["beside"]:
        yield one_line(running["beside"])
    disk = report["disk"]
    yield f"layers on disk: {gigabytes(disk['used_bytes'])} of {gigabytes(disk['quota_bytes'])}"
    if report["bootstrap_error"]:
        yield one_line(report["bootstrap_error"])
    repairs = report["repairs"]
    if repairs is not None and repairs["ever"]:
        yield f"helpers replaced in your chats: {repairs['today']} today, {repairs['ever']} ever"
    for model in report["models"]:
        yield from _model_lines(model)


def _model_lines(model: dict[str, Any]) -> Iterator[str]:
    counts = model["replicas"]
    if model["missing"]:
        lacking = [str(span) for span, count in runs(counts) if not count]
        state = f"nobody serves units {', '.join(lacking)}"
    elif not model["joins"]:
        state = "every unit is served, but the parts do not meet"
    elif min(counts) > 1:
        state = f"every unit is served by {min(counts)} or more"
    else:
        state = "every unit is served, some by one computer only"
    helpers = f"{model['computers']} helper{'s' if model['computers'] != 1 else ''}"
    if model["coming"]:
        helpers += f" and {model['coming']} on their way"
    yield f"{shown(model['name'])}: {helpers}, {state}"
    yield f"  computers per unit: {', '.join(f'{span} {count}' for span, count in runs(counts))}"
    if model["my_units"] is not None:
        yield f"  this computer: units {model['my_units']}, {MY_PLACE[model['my_place']]}"
    for host in model["hosts"]:
        mine = "  (this computer)" if host["mine"] else ""
        coming = "" if host["ready"] else "  (on its way)"
        yield f"  {host['peer_id'][:8]}  units {host['units']}{mine}{coming}"


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
        answers = await count_answers(bootstraps, known)
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
