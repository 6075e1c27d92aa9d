"""What this computer gave and took, as it counted by itself.

The unit is the layer-token: one position through one block of a model. What it computed for
others is given, what others computed for its own conversations is taken; what it computes for
itself is neither, even when its conversation comes over the network under a name of its own.
Nobody else vouches for these numbers, and they buy nothing.

Pure: `app/swarm/host.py` and `app/chat/desk.py` report here, `app/folder/tally.py` keeps the sums.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.ids import PeerId, Span
from app.swarm.token_chain import ChainPart


class Credits:
    """The counts since the program started.

    Attributes:
        given, taken: in layer-tokens.
        positions: how many positions of others' conversations ran through this computer.
        own_names: what this computer is called at present besides its name as a host: each of its
            own conversations takes a name and gives it back (`app/chat/talk.py`), so there are as
            many as chains, and so does what it serves besides (`app/node/beside.py`).
    """

    def __init__(self) -> None:
        self.given = 0
        self.taken = 0
        self.positions = 0
        self.own_names: set[PeerId] = set()

    def gave(self, client: PeerId, *, positions: int, blocks: int) -> None:
        """This computer ran so many positions through so many blocks for a client."""
        if client not in self.own_names:
            self.given += positions * blocks
            self.positions += positions

    def took(
        self,
        parts: Iterable[ChainPart],
        *,
        positions: int,
        head_unit: int,
        own: PeerId | None = None,
    ) -> None:
        """A chain ran so many positions for this computer, which is `own` as a host."""
        for part in parts:
            if part.peer not in (None, own) and part.peer not in self.own_names:
                self.taken += positions * blocks_in(part.span, head_unit)


def blocks_in(span: Span, head_unit: int) -> int:
    """How many blocks a span has: the embedding and the head are none."""
    return max(0, min(span.stop, head_unit) - max(span.start, 1))
