"""How much of a model this computer could serve.

Pure: sizes and memory go in. What of it is needed most, `app/swarm/placement.py` says; the node
shows both before a model is chosen (`app/node/model_offers.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MEMORY_MARGIN_BYTES: Final = 1 << 30
"""Left to the owner's own programs, whatever the model."""
MEMORY_SHARE: Final = 0.8
"""Of what is free; the rest is for what passes through, and what the owner opens next."""


def room_bytes(available_bytes: int, card_bytes: Sequence[int | None]) -> int:
    """How much memory layers and conversations may take: the largest card's, or what main
    memory leaves.

    A card whose memory is unknown counts as none.
    """
    main = min(available_bytes - MEMORY_MARGIN_BYTES, int(available_bytes * MEMORY_SHARE))
    cards = [int((size or 0) * MEMORY_SHARE) for size in card_bytes]
    return max(0, main, *cards)


def block_bytes(unit_bytes: Sequence[int]) -> int:
    """The size of a whole model's blocks together; a token reads each of them once."""
    return sum(unit_bytes[1:-1])
