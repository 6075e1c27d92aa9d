"""A whole model with the memory of one conversation, wherever it runs: the face of it.

`RingChain` (`app/swarm/chain.py`) runs it over other computers, `LocalChain`
(`app/swarm/local_chain.py`) on this one alone; whoever writes an answer
(`app/swarm/generate.py`) need not know which it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.engine.frames import Part, PartResult
from app.engine.supervisor import Engine
from app.errors import BadInput, EngineFault, PeerLost
from app.ids import ModelId, PeerId, Span
from app.net.wire import StepResult
from app.sentences import Sentence


@dataclass(frozen=True)
class Candidates:
    """For each wanted row the best tokens: `ids` and `logits` are [rows, count], best first."""

    ids: NDArray[np.int32]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class ChainPart:
    """Who runs which units; `peer` None is this computer."""

    peer: PeerId | None
    span: Span


class ChainBroken(PeerLost):
    """The chain cannot go on as it is.

    Attributes:
        peer: who should not be asked again in this conversation; None: nobody in particular.
        suspects: everybody who may be to blame; `peer` alone unless it is not known.
        forgotten: the same chain can go on if everything is sent again from the start;
            if that does not help, `peer` is to be avoided.
        retry_after_seconds: `peer` is only busy, and can be asked again then.
    """

    def __init__(
        self,
        reason: str | Sentence,
        *,
        peer: PeerId | None,
        forgotten: bool = False,
        suspects: tuple[PeerId, ...] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.peer = peer
        self.retry_after_seconds = retry_after_seconds
        self.suspects = suspects or (() if peer is None else (peer,))
        self.forgotten = forgotten


class MemoryLost(ChainBroken):
    """What the chain knew cannot be brought to another computer: everything is sent again."""

    def __init__(self, reason: str | Sentence) -> None:
        super().__init__(reason, peer=None)


class TokenChain(Protocol):
    """A whole model, wherever it runs, with the memory of one conversation."""

    @property
    def parts(self) -> list[ChainPart]:
        """Who runs what, in order."""
        ...

    @property
    def tokens(self) -> int:
        """How many positions the conversation may have."""
        ...

    async def step(self, position: int, tokens: Sequence[int]) -> Candidates:
        """Candidates for the token after these; everything at or after `position` is forgotten.

        Raises:
            ChainBroken: a computer of the chain failed.
        """
        ...

    def begin_again(self) -> None:
        """What was sent before does not count any more; the next step starts at position 0."""
        ...

    async def close(self) -> None:
        """Give back the room. A second call does nothing."""
        ...


@dataclass(frozen=True)
class OwnEnds:
    """The ends of the model that the client runs itself; None where a host does."""

    embedding: Engine | None = None
    head: Engine | None = None


@dataclass(frozen=True)
class ModelShape:
    """What a client knows of a model: its id, its sizes, and its last unit's number."""

    model: ModelId
    width: int
    vocabulary_size: int
    head_unit: int


async def compute_locally(engine: Engine, part: Part) -> PartResult:
    """Run a part on an engine of this computer.

    Raises:
        ChainBroken: it failed; `forgotten` when starting over will do.
    """
    try:
        result = await engine.compute(part)
    except EngineFault as error:
        raise ChainBroken(str(error), peer=None, forgotten=True) from None
    if result.code:
        raise ChainBroken(result.fault, peer=None, forgotten=result.code == "gap")
    return result


async def candidates_of(head: Engine, hidden: bytes, *, count: int) -> Candidates:
    """The best candidates for one row of hidden states, by a head of this computer.

    Raises:
        ChainBroken: as `compute_locally`.
    """
    part = Part(sequence=0, position=0, rows=1, outputs=1, candidates=count, hidden=hidden)
    own = await compute_locally(head, part)
    return read_candidates(own.ids, own.logits, rows=1)


def read_candidates(ids: bytes, logits: bytes, *, rows: int) -> Candidates:
    """Candidates from their bytes.

    Raises:
        BadInput: the lengths do not agree, or there are none.
    """
    count = len(ids) // (4 * rows)
    if count == 0 or len(ids) != 4 * rows * count or len(logits) != len(ids):
        raise BadInput("candidates are missing, or ids and logits do not agree")
    return Candidates(
        np.frombuffer(ids, "<i4").reshape(rows, count),
        np.frombuffer(logits, "<f4").reshape(rows, count),
    )


def check_result(
    result: StepResult, shape: ModelShape, *, most: int, own_head: Engine | None
) -> None:
    """Whether the last host of a chain can have computed this, for one row.

    Args:
        most: how many candidates were asked for.
        own_head: what turns its hidden states into candidates; None where it does so itself.

    Raises:
        BadInput: it is not one result, or not of this model, not finite or not in order.
    """
    if result.outputs != 1:
        raise BadInput(f"{result.outputs} results where one was asked for")
    if own_head is not None:
        hidden = np.frombuffer(result.hidden, "<f4")
        if hidden.size != shape.width or not np.isfinite(hidden).all():
            raise BadInput("hidden states of the wrong size, or not finite")
        return
    candidates = read_candidates(result.ids, result.logits, rows=1)
    if candidates.ids.shape[1] > most:
        raise BadInput("more candidates than were asked for")
    if candidates.ids.min() < 0 or candidates.ids.max() >= shape.vocabulary_size:
        raise BadInput("a token outside the vocabulary")
    if not np.isfinite(candidates.logits).all():
        raise BadInput("a logit that is not a finite number")
    if (np.diff(candidates.logits, axis=1) > 0).any():
        raise BadInput("candidates that are not in order")
