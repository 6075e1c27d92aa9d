"""Who holds how much of the room for conversations.

Pure. Room is counted in tokens: each sequence reserves the most positions it
will ever use, so that a conversation that was let in is never thrown out.
"""

from __future__ import annotations

import heapq

from app.errors import NoRoom


class KvLedger:
    """Hands out sequence numbers and the tokens they may use."""

    def __init__(self, *, tokens: int, sequences: int, tokens_per_sequence: int) -> None:
        """Room for `tokens` in all, `sequences` at once, and a bound for each."""
        self._tokens = tokens
        self._tokens_per_sequence = min(tokens, tokens_per_sequence)
        self._reserved: dict[int, int] = {}
        self._sequences = sequences
        self._free = list(range(sequences))

    @property
    def tokens_free(self) -> int:
        """Tokens that nobody has reserved."""
        return self._tokens - sum(self._reserved.values())

    @property
    def sequences_held(self) -> int:
        """How many sequences are in use."""
        return len(self._reserved)

    def lacks(self, tokens: int) -> bool:
        """Whether a conversation of so many would fit if others ended, and does not now."""
        if tokens > self._tokens_per_sequence:
            return False
        return not self._free or tokens > self.tokens_free

    def share(self, tokens: int) -> float:
        """Which part of all there is a conversation takes: of tokens or of places, the larger."""
        return max(tokens / self._tokens, 1 / self._sequences)

    def admit(self, tokens: int) -> int:
        """Reserve room for a conversation of up to `tokens`.

        Returns:
            The sequence's number, the lowest that is free.

        Raises:
            NoRoom: it does not fit, with the figures; never retryable when it
                would not fit an empty memory either.
            ValueError: fewer than one token is asked for.
        """
        if tokens < 1:
            raise ValueError(f"a conversation of {tokens} tokens is none")
        if tokens > self._tokens_per_sequence:
            raise NoRoom(
                f"a conversation of {tokens:,} tokens is longer than the"
                f" {self._tokens_per_sequence:,} this computer keeps for one",
                retry_after_seconds=None,
            )
        if not self._free:
            raise NoRoom(f"this computer already serves {len(self._reserved)} conversations")
        if tokens > self.tokens_free:
            raise NoRoom(
                f"{tokens:,} tokens are wanted and {self.tokens_free:,}"
                f" of {self._tokens:,} are free"
            )
        sequence = heapq.heappop(self._free)
        self._reserved[sequence] = tokens
        return sequence

    def limit(self, sequence: int) -> int:
        """The positions a sequence may use.

        Raises:
            KeyError: nobody holds it.
        """
        return self._reserved[sequence]

    def release(self, sequence: int) -> None:
        """Give a sequence back.

        Raises:
            KeyError: nobody holds it.
        """
        del self._reserved[sequence]
        heapq.heappush(self._free, sequence)
