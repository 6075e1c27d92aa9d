"""`potluck status`: this computer's node, its disk, and who serves what.

Gathers a report, which `--json` prints as it is; how it reads is in `status_lines.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Collection
from typing import Any

from app.chat.client import lookup_all
from app.clock import SystemClock
from app.command_line.passing_word import said_if_long
from app.command_line.status_lines import status_lines
from app.errors import PeerLost
from app.folder.data_folder import DataFolder
from app.folder.known_contacts import KnownContacts
from app.folder.tally import served_so_far
from app.ids import ModelId, PeerId, peer_text
from app.net.addresses import parse_bootstrap
from app.net.records import Announcement
from app.node.node_file import read_node_file
from app.swarm.coverage import meets, place_of, replicas


async def status(options: argparse.Namespace) -> int:
    """`potluck status`: this computer's node, its disk, and who serves what."""
    data = DataFolder.open(options.data_dir)
    running = read_node_file(data.folder, now=time.time())
    bootstraps = data.bootstraps(options.bootstrap) or _asked_by_node(running)
    found: list[Announcement] = []
    unreachable = ""
    known = KnownContacts(data.folder).load()
    asks = bool(bootstraps or known)
    if asks:
        try:
            asking = lookup_all(bootstraps, known)
            found = await said_if_long("asking who serves what", asking)
        except PeerLost as error:
            unreachable = str(error)
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
        "asked": asks,
        "models": [_coverage(model, found, data, own=own) for model in _announced(found)],
        "repairs": _repairs(data),
    }
    if options.json:
        print(json.dumps(report))
    else:
        print("\n".join(status_lines(report)))
    return 0


def _asked_by_node(running: dict[str, Any] | None) -> list[tuple[PeerId, str]]:
    """Whom this computer's node asks first; itself, if it keeps for others who serves what."""
    if running is None:
        return []
    own = [f"{running['peer_id']}@{address}" for address in running["addresses"][:1]]
    try:
        return [parse_bootstrap(text) for text in running["bootstraps"] or own]
    except ValueError:  # somebody else wrote the file
        return []


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
