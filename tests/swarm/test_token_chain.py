"""What every chain has in common: who is to blame, and candidates from bytes."""

from __future__ import annotations

import numpy as np
import pytest

from app.engine.frames import Part, PartResult
from app.errors import BadInput, EngineFault
from app.ids import PeerId
from app.swarm.token_chain import ChainBroken, MemoryLost, compute_locally, read_candidates
from tests.helpers.fake_engine import FakeEngine, ToyModel

A, B = PeerId(b"a" * 32), PeerId(b"b" * 32)


def test_who_is_to_blame_is_suspected() -> None:
    assert ChainBroken("left", peer=A).suspects == (A,)
    assert ChainBroken("nobody in particular", peer=None).suspects == ()
    assert ChainBroken("one of them", peer=A, suspects=(A, B)).suspects == (A, B)
    assert MemoryLost("gone").suspects == ()


def test_candidates_are_rows_of_ids_and_logits() -> None:
    ids, logits = np.array([[3, 1], [7, 0]], "<i4"), np.array([[2, 1], [9, 8]], "<f4")
    found = read_candidates(ids.tobytes(), logits.tobytes(), rows=2)
    assert np.array_equal(found.ids, ids)
    assert np.array_equal(found.logits, logits)


@pytest.mark.parametrize(
    ("ids", "logits", "rows"),
    [(b"", b"", 1), (bytes(4), bytes(8), 1), (bytes(12), bytes(12), 2), (bytes(5), bytes(5), 1)],
)
def test_bytes_that_do_not_agree_are_refused(ids: bytes, logits: bytes, rows: int) -> None:
    with pytest.raises(BadInput, match="candidates are missing"):
        read_candidates(ids, logits, rows=rows)


async def test_an_engine_of_our_own_that_fails_only_forgets() -> None:
    model = ToyModel()
    engine = FakeEngine(model, model.whole)
    engine.fail("out of order")
    part = Part(sequence=0, position=0, rows=1, tokens=[1])
    with pytest.raises(ChainBroken, match="out of order") as caught:
        await compute_locally(engine.engine(), part)
    assert caught.value.forgotten
    with pytest.raises(ChainBroken) as caught:
        await compute_locally(engine.engine(), Part(sequence=0, position=5, rows=1, tokens=[1]))
    assert caught.value.forgotten
    assert isinstance(await compute_locally(engine.engine(), part), PartResult)
    assert not isinstance(caught.value, EngineFault)
