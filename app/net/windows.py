"""Credit: how much may be on its way on one channel.

Pure bookkeeping of two counters. QUIC's own windows open as bytes arrive, not as
they are used, so they push back on nobody; these open when the program has taken
a message. `SendWindow` and `ReceiveWindow` are each other's counterparts on the
two ends of a channel; `app/net/channel.py` moves the frames.

A frame is charged its bytes, at least `MINIMUM_CHARGE`: otherwise a window full
of ten-byte messages would cost the receiver a hundred times the window in memory.
`OpenChannel` and `Credit` themselves are free.
"""

from __future__ import annotations

from app.errors import BadInput
from app.net.wire import WINDOW_BYTES

MINIMUM_CHARGE = 512
CREDIT_STEP_BYTES = WINDOW_BYTES // 4
"""Credit is given back in steps, so that a short answer costs no extra packet. A
sender still always has room for one largest frame: 4 MiB - 1 MiB > 2 MiB."""


def frame_charge(frame_bytes: int) -> int:
    """What a frame of this many bytes, prefix included, takes from the window."""
    return max(frame_bytes, MINIMUM_CHARGE)


class SendWindow:
    """The sender's side: never send what the other end has no room for."""

    def __init__(self) -> None:
        self._on_its_way = 0

    def has_room(self, charge: int) -> bool:
        """Whether a frame of this charge may go now."""
        return self._on_its_way + charge <= WINDOW_BYTES

    def spend(self, charge: int) -> None:
        """A frame of this charge goes; ValueError when there was no room."""
        if not self.has_room(charge):
            raise ValueError(f"no credit for {charge} bytes")
        self._on_its_way += charge

    def returned(self, taken: int) -> None:
        """The other end took frames; BadInput when they were never sent."""
        if taken > self._on_its_way:
            raise BadInput(f"credit for {taken} bytes, of which {self._on_its_way} were sent")
        self._on_its_way -= taken


class ReceiveWindow:
    """The receiver's side: refuse what overruns the credit, give credit back."""

    def __init__(self) -> None:
        self._outstanding = 0
        self._taken = 0

    def arrived(self, charge: int) -> None:
        """A frame came in; BadInput when the sender had no credit for it."""
        if self._outstanding + charge > WINDOW_BYTES:
            raise BadInput(f"more than {WINDOW_BYTES} bytes sent without credit")
        self._outstanding += charge

    def taken(self, charge: int) -> int:
        """The program took a frame; the credit to send back now, 0 for none yet."""
        self._taken += charge
        if self._taken < CREDIT_STEP_BYTES:
            return 0
        credit, self._taken = self._taken, 0
        self._outstanding -= credit
        return credit
