"""What each computer of a chain knows of the conversation, as far as its client can tell.

Pure. A computer can lack everything, because it is new or forgot; or it can have been handed
over what another one knew (`app/swarm/handover.py`). Then it lacks the rest, if any, and what it
would have handed on itself: should the one after it be lost, both are sent everything again.
`app/swarm/chain.py` does what follows from it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from app.ids import PeerId


class ChainMemory:
    """Who knows what.

    Attributes:
        empty: who has to be sent something again, everything or what it was not handed over;
            who was new stays so until a step has come through: should another computer fail
            before, it may have got only a part.
    """

    def __init__(self) -> None:
        self.empty: set[PeerId] = set()
        # Who inherited, and cannot send again what was before; and how much it was, in a repair.
        self._logless: set[PeerId] = set()
        self._inherited: dict[PeerId, int] = {}

    def forgot(self, peer: PeerId) -> None:
        """A computer knows nothing any more."""
        self.empty.add(peer)

    def goes_on_over(
        self, peers: Sequence[PeerId], connected: Collection[PeerId], heirs: Collection[PeerId]
    ) -> None:
        """These are the chain from now on, in this order.

        Args:
            connected: those that were there before; the others know nothing.
            heirs: those of the others that may yet be handed something over.
        """
        self.empty = {peer for peer in peers if peer in self.empty or peer not in connected}
        self._logless &= set(peers)
        self._inherited.clear()
        self._ask_further_back(peers, heirs)

    def were_handed_over(
        self, peers: Sequence[PeerId], positions: dict[PeerId, int], total: int
    ) -> None:
        """Newcomers know so many of `total` positions now."""
        for peer, count in positions.items():
            if count:
                self._inherited[peer] = count
                self._logless.add(peer)
                if count == total:
                    self.empty.discard(peer)
        self._ask_further_back(peers, ())

    def known_from(self, peer: PeerId) -> int:
        """From which position on it has to be sent what it lacks."""
        return self._inherited.get(peer, 0)

    def step_came_through(self, position: int) -> None:
        """All of them know everything up to the end of a step from this position on."""
        if position == 0:
            self._logless.clear()
        self._logless -= self.empty - self._inherited.keys()
        self.empty.clear()
        self._inherited.clear()

    def begins_again(self) -> None:
        """Everything is sent again from position 0."""
        self.empty.clear()
        self._inherited.clear()

    def _ask_further_back(self, peers: Sequence[PeerId], heirs: Collection[PeerId]) -> None:
        """Who cannot send the next one what that lacks is sent it itself, and hands it on."""
        for before, after in reversed(list(pairwise(peers))):
            if after in self.empty and after not in heirs and before in self._logless:
                self.empty.add(before)
                self._inherited.pop(before, None)
