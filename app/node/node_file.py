"""`node.json` in the data folder: what the running node is, for programs that look for it.

The window finds the API's address there (`app/ui/node_process.py`), `potluck status`
the rest. It is there while the node runs; after a crash it is old, and says when it
was written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from app.api.shapes import NODE_FILE, Pause, State
from app.clock import Clock
from app.ids import peer_text
from app.layer_words import layers_of
from app.net.dht import Dht
from app.net.endpoint import ConnectionStatus
from app.node.beside import Beside
from app.node.sharing import Sharing
from app.node.snapshot import beside_told
from app.sentences import Sentence
from app.small_files import read_small, write_whole

WRITE_SECONDS: Final = 2.0
STALE_SECONDS: Final = 10.0
MAX_FILE_BYTES: Final = 1 << 20
"""Some hundred bytes for each connection, of which there are at most some hundred."""


def connection_lines(connections: Sequence[ConnectionStatus]) -> list[dict[str, object]]:
    """The connections to other computers, for programs."""
    return [
        {
            "peer_id": peer_text(connection.peer),
            "address": connection.address,
            "round_trip_seconds": connection.round_trip_seconds,
            "bad_inputs": connection.bad_inputs,
        }
        for connection in connections
    ]


def state_lines(state: State, headline: Sentence, pause: Pause | None) -> dict[str, object]:
    """What the node is about, in words, and until when it rests: seconds since 1970 or None."""
    until = None if pause is None else pause.until
    return {"state": state, "headline": headline.words, "paused_until": until}


def serving_lines(sharing: Sharing, beside: Beside) -> dict[str, object]:
    """What is served now, in words and numbers; nothing while nothing is."""
    order, engine, host = sharing.order, sharing.engine, sharing.host
    if order is None or engine is None or host is None:
        return {}
    told = beside_told(beside)
    return {
        "model": order.model.manifest.name,
        "model_id": order.model.id.hex(),
        "layers": layers_of(order.span, order.model.plan.head_unit).words,
        "configuration": engine.status.configuration,
        "threads": engine.status.threads,
        "layers_per_second": round(engine.status.layers_per_second, 1),
        "shared_layers_per_second": round(sharing.layers_per_second, 1),
        "worker_pid": engine.worker_pid,
        "worker_restarts": engine.status.restarts,
        "sessions": host.status.sessions,
        "sessions_ever": sharing.sessions_ever,
        "positions_computed": sharing.positions_computed,
        "sessions_inherited": host.status.inherited,
        "sessions_handed_over": host.status.handed_over,
        "tokens_free": host.tokens_free,
        "beside": "" if told is None else told.words,
        "beside_units": None if beside.order is None else str(beside.order.span),
        "beside_peer_id": None if beside.name is None else peer_text(beside.name),
    }


def meeting_lines(directory: Dht, *, public: bool) -> dict[str, object]:
    """Whom this computer asks first, and what it is to others if it is a meeting point.

    Args:
        public: whether strangers can reach it, as its owner says.
    """
    asked = [f"{peer_text(peer)}@{address}" for peer, address in directory.bootstraps]
    if not public:
        return {"bootstraps": asked}
    store = directory.machine.store
    return {
        "bootstraps": asked,
        "public": True,
        "addresses": directory.own_addresses(),
        "records_kept": len(store),
        "records_of": store.writer_count,
    }


async def keep_node_file(
    folder: Path, status: Callable[[], dict[str, Any]], *, clock: Clock
) -> None:
    """Write what `status` gives now and then, with the time as `written_at`.

    Runs until it is cancelled and removes the file then. A disk that cannot be written
    costs nothing but the file.
    """
    path = folder / NODE_FILE
    try:
        while True:
            text = json.dumps({**status(), "written_at": clock.wall()})
            with contextlib.suppress(OSError):
                write_whole(path, text.encode(), durable=False)
            await asyncio.sleep(WRITE_SECONDS)
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


class _Told(msgspec.Struct):
    """What has to be there, and of which kind, for the file to be shown."""

    written_at: float
    listen: str
    units: str | None
    model: str = ""
    layers: str = ""
    sessions: int = 0
    sessions_ever: int = 0
    beside: str = ""
    state: str = ""
    headline: str = ""
    peer_id: str = ""
    beside_peer_id: str | None = None
    started_at: float | None = None
    public: bool = False
    addresses: list[str] = []
    bootstraps: list[str] = []
    records_kept: int = 0
    records_of: int = 0
    connections: list[Any] = []


def read_node_file(folder: Path, *, now: float) -> dict[str, Any] | None:
    """What a node wrote about itself lately; None when none runs here, or it is no such file.

    Anybody may have written it, so what it says has to be made safe before it is shown.

    Args:
        now: in seconds since 1970.
    """
    try:
        written = json.loads(read_small(folder / NODE_FILE, MAX_FILE_BYTES))
        told = msgspec.convert(written, _Told)
    except (OSError, ValueError, RecursionError):
        return None
    if not 0 <= now - told.written_at < STALE_SECONDS:
        return None
    return {**written, **msgspec.to_builtins(told)}
