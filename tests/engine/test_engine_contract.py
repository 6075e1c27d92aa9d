"""The engine with a real worker, and the fake that other tests use, keep the same rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from app.engine.ladder import PLAIN, Ladder, Rung
from app.engine.supervisor import Engine
from app.ids import Span
from tests.engine.engine_contract import KV_TOKENS, SEQUENCES, Bench, EngineContract
from tests.helpers.fake_engine import FakeEngine, ToyModel
from tests.helpers.slices import embed, mount_request


@dataclass
class FakeBench(Bench):
    fake: FakeEngine

    def __post_init__(self) -> None:
        self.engine = self.fake.engine()
        self.width = self.fake.model.width
        self.vocabulary_size = self.fake.model.vocabulary_size

    def hidden(self, rows: int) -> NDArray[np.float32]:
        return self.fake.model.embed([row % self.vocabulary_size for row in range(rows)])


class TestFakeEngine(EngineContract):
    """Everything in the contract."""

    @pytest.fixture
    def whole(self) -> Bench:
        model = ToyModel()
        return FakeBench(FakeEngine(model, model.whole, kv_tokens=KV_TOKENS, sequences=SEQUENCES))

    @pytest.fixture
    def middle(self) -> Bench:
        return FakeBench(
            FakeEngine(ToyModel(), Span(2, 4), kv_tokens=KV_TOKENS, sequences=SEQUENCES)
        )


class PlainLadder(Ladder):
    """Only the way that every computer can go, at once."""

    def rungs(self, *, gpu: bool) -> list[Rung]:
        return [PLAIN]


@dataclass
class RealBench(Bench):
    engine: Engine
    file: Path

    def __post_init__(self) -> None:
        self.width = self.engine.request.plan.width
        self.vocabulary_size = self.engine.request.plan.vocabulary_size

    def hidden(self, rows: int) -> NDArray[np.float32]:
        tokens = [row % self.vocabulary_size for row in range(rows)]
        return embed(self.file, self.engine.request.plan, tokens)


async def run_engine(file: Path, span: Span | None, folder: Path) -> AsyncIterator[RealBench]:
    """A running engine, for as long as the class that asks needs it."""
    request = mount_request(file, span, folder, kv_tokens=KV_TOKENS, sequences=SEQUENCES)
    async with Engine(request, PlainLadder(folder / "ladder.json")) as engine:
        yield RealBench(engine, file)


async def emptied(bench: RealBench) -> Bench:
    for sequence in range(SEQUENCES):
        await bench.engine.forget(sequence)
    return bench


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running_whole(
    model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RealBench]:
    async for bench in run_engine(model("llama"), None, tmp_path_factory.mktemp("whole")):
        yield bench


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running_middle(
    model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RealBench]:
    folder = tmp_path_factory.mktemp("middle")
    async for bench in run_engine(model("llama"), Span(2, 5), folder):
        yield bench


@pytest.mark.asyncio(loop_scope="module")
class TestEngine(EngineContract):
    """Everything in the contract, in a process of its own."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def whole(self, running_whole: RealBench) -> Bench:
        return await emptied(running_whole)

    @pytest_asyncio.fixture(loop_scope="module")
    async def middle(self, running_middle: RealBench) -> Bench:
        return await emptied(running_middle)
