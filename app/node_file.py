"""`node.json` in the data folder: what the running node is, for programs that look for it.

The window finds the API's address there (`app/ui/node_process.py`), `potluck status`
the rest. It is there while the node runs; after a crash it is old, and says when it
was written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from app.api.shapes import NODE_FILE
from app.clock import Clock
from app.ids import peer_text
from app.net.endpoint import ConnectionStatus

WRITE_SECONDS: Final = 2.0


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


async def keep_node_file(
    folder: Path, status: Callable[[], dict[str, Any]], *, clock: Clock
) -> None:
    """Write what `status` gives now and then, with the time as `written_at`.

    Runs until it is cancelled and removes the file then. A disk that cannot be written
    costs nothing but the file.
    """
    path = folder / NODE_FILE
    draft = path.with_suffix(".draft")
    try:
        while True:
            text = json.dumps({**status(), "written_at": clock.wall()})
            with contextlib.suppress(OSError):
                draft.write_text(text)
                os.replace(draft, path)
            await asyncio.sleep(WRITE_SECONDS)
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
