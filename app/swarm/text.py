"""Turns tokens' bytes into text that may be shown, piece by piece.

Pure. A character is shown only when all its bytes are there, and nothing is
shown that may yet turn out to be the beginning of a stop string.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Feed it bytes; it gives back text. It says when a stop string was met."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        """`stops`: strings that end the text; empty ones are ignored."""
        self._stops = tuple(stop for stop in stops if stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self.stopped = False

    def feed(self, data: bytes) -> str:
        """The text that is safe to show now; "" once a stop string was met."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(data)
        return self._release()

    def finish(self) -> str:
        """What is left when nothing more comes; half a character becomes U+FFFD."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(b"", final=True)
        shown = self._release()
        rest, self._held = self._held, ""
        return shown if self.stopped else shown + rest

    def _release(self) -> str:
        # The stop string that is complete first counts, and of several the one that began
        # first: so the text does not depend on the pieces in which it came.
        met = min(
            ((at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0),
            default=None,
        )
        if met is not None:
            self.stopped = True
            shown, self._held = self._held[: met[1]], ""
            return shown
        keep = self._possible_beginning()
        shown, self._held = self._held[: len(self._held) - keep], self._held[-keep:] if keep else ""
        return shown

    def _possible_beginning(self) -> int:
        """How many characters at the end may begin a stop string."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0
