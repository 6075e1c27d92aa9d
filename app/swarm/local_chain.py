"""A whole model on this computer alone, behind the same face as a chain over others.

The counterpart is `RingChain` in `app/swarm/chain.py`; both are a `TokenChain`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from app.engine.frames import Part, PartResult
from app.engine.mounting import BATCH_ROWS
from app.engine.supervisor import Engine
from app.errors import EngineFault
from app.swarm.token_chain import Candidates, ChainPart, compute_locally, read_candidates


class LocalChain:
    """The whole model on this computer."""

    def __init__(self, engine: Engine, *, tokens: int, candidates: int) -> None:
        """Reserve room for `tokens`.

        Raises:
            NoRoom: there is not enough.
        """
        self._engine = engine
        self._tokens = tokens
        self._candidates = candidates
        self._sequence: int | None = engine.ledger.admit(tokens)

    @property
    def parts(self) -> list[ChainPart]:
        """This computer, with everything."""
        return [ChainPart(None, self._engine.span)]

    @property
    def tokens(self) -> int:
        """As `TokenChain.tokens`."""
        return self._tokens

    async def step(self, position: int, tokens: Sequence[int]) -> Candidates:
        """As `TokenChain.step`."""
        assert self._sequence is not None
        result = PartResult()
        for start in range(0, len(tokens), BATCH_ROWS):
            piece = list(tokens[start : start + BATCH_ROWS])
            part = Part(
                sequence=self._sequence,
                position=position + start,
                rows=len(piece),
                outputs=1 if start + len(piece) == len(tokens) else 0,
                candidates=self._candidates,
                tokens=piece,
            )
            result = await compute_locally(self._engine, part)
        return read_candidates(result.ids, result.logits, rows=1)

    def begin_again(self) -> None:
        """As `TokenChain.begin_again`."""

    async def close(self) -> None:
        """As `TokenChain.close`."""
        if self._sequence is None:
            return
        sequence, self._sequence = self._sequence, None
        try:
            with contextlib.suppress(EngineFault):
                await self._engine.forget(sequence)
        finally:
            self._engine.ledger.release(sequence)
