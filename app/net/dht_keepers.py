"""Who keeps what this computer announced, key by key; remembered by `app/net/dht.py`.

Pure. Their connections are kept open, so that they notice when this computer goes, and it
notices when they go.
"""

from __future__ import annotations

from app.ids import ModelId, PeerId
from app.net.kademlia_keys import Holders, Shelf

MAX_SHELVES_REMEMBERED = 64
"""Four models with sixteen keys each; more are not written by one node."""


class Keepers:
    """The computers that were found for each key, bounded."""

    def __init__(self) -> None:
        self._holders: dict[Shelf, Holders] = {}

    def of(self, shelf: Shelf) -> Holders:
        """Those of one key; empty when it was not written to lately."""
        holders = self._holders.pop(shelf, None) or Holders()
        self._holders[shelf] = holders  # the newest is last
        while len(self._holders) > MAX_SHELVES_REMEMBERED:
            del self._holders[next(iter(self._holders))]
        return holders

    def groups_of(self, model: ModelId) -> list[Shelf]:
        """The groups that were written to."""
        return [s for s in self._holders if s.model == model and s.name == "group"]

    def __contains__(self, peer: object) -> bool:
        return any(peer == c.peer for h in self._holders.values() for c in h.contacts)

    def lost(self, peer: PeerId) -> bool:
        """This one is gone; whether it kept anything."""
        kept = peer in self
        for holders in self._holders.values():
            holders.failed(peer)
        return kept

    def clear(self) -> None:
        """Begin anew: with other computers."""
        self._holders.clear()
