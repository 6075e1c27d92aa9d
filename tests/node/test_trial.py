"""How fast a whole model writes is tried before anybody asks; see app/node/trial.py."""

from __future__ import annotations

import pytest

from app.errors import NoRoom
from app.node.trial import TOKENS, try_writing
from tests.helpers.fake_engine import FakeEngine, ToyModel
from tests.helpers.virtual_clock import VirtualClock


class Ticking(VirtualClock):
    """So many seconds pass between two looks at it."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def monotonic(self) -> float:
        self.advance(self._seconds)
        return super().monotonic()


def whole() -> FakeEngine:
    model = ToyModel()
    return FakeEngine(model, model.whole)


async def test_it_writes_some_tokens_and_gives_its_place_back() -> None:
    engine = whole()
    free = engine.ledger.tokens_free
    assert await try_writing(engine.engine(), Ticking(0.004)) == pytest.approx(250)
    assert len(engine.computed) == TOKENS
    assert engine.ledger.tokens_free == free


async def test_a_slow_model_is_not_tried_for_long() -> None:
    engine = whole()
    assert await try_writing(engine.engine(), Ticking(1.0)) == pytest.approx(1)
    assert len(engine.computed) == 3


async def test_one_token_tells_nothing() -> None:
    assert await try_writing(whole().engine(), Ticking(9.0)) is None


async def test_a_full_engine_is_left_alone() -> None:
    engine = whole()
    engine.ledger.admit(engine.ledger.tokens_free)
    with pytest.raises(NoRoom):
        await try_writing(engine.engine(), Ticking(0.004))
