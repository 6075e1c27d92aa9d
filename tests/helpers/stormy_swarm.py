"""A swarm in memory and in virtual time, in which everything goes wrong by a seed.

    outcome = weather(seed=7)

Hosts vanish, come back, stand still, lose their workers, leave politely and lose sight of
each other, while clients write greedy and seeded answers. The same seed is the same story.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from app.ids import ModelId, PeerId, Span, parse_span
from app.net.channel import Channel, Knocker
from app.net.identity import Identity
from app.swarm import generate
from app.swarm.chain import RingChain
from app.swarm.chains import Chains
from app.swarm.generate import Answer, AnswerRequest, Generator
from app.swarm.host import Host
from app.swarm.local_chain import LocalChain
from app.swarm.route import Offer, Route
from app.swarm.sampling import SamplingOptions
from app.swarm.token_chain import MemoryLost, ModelShape, OwnEnds, TokenChain
from app.tasks import TaskOwner
from tests.helpers.fake_engine import FakeEngine, ToyModel
from tests.helpers.memory_network import MemoryEndpoint, MemoryNetwork
from tests.helpers.recoveries import Pace
from tests.helpers.tracing import Line, explained, lines_here
from tests.helpers.virtual_loop import LoopClock, run_virtual

MODEL = ModelId(b"m" * 32)
TOY = ToyModel(blocks=6)
SPANS = ("0:3", "3:6", "6:8", "0:3", "3:6", "6:8", "0:6", "3:8", "0:4", "4:8")
ALIKE = ("0:3", "3:6", "6:8") * 3
"""Where only leaving is told of, there is always somebody for the very same units."""
LEARNS_SECONDS = 2.0
"""How long a directory still names a computer that has vanished."""
SECONDS_BETWEEN = 0.5
"""In the mean between two troubles: too much for any swarm."""
SECONDS_BETWEEN_SPARED = 2.0
CLIENTS = 3
ANSWERS = 2
KV_TOKENS = 400


@dataclass(frozen=True)
class Recovery:
    """After what, how many seconds to the next token, and what was waited for."""

    kind: str
    seconds: float
    why: str


@dataclass
class Outcome:
    """What became of one storm."""

    seed: int
    answers: list[Answer] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    troubles: int = 0
    handed_over: int = 0
    recoveries: list[Recovery] = field(default_factory=list)
    """One for each trouble and answer under way over that computer."""
    longest_wait_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def repairs(self) -> int:
        return sum(answer.repairs for answer in self.answers)


@dataclass
class _Struck:
    """A trouble, and the answers that were being written over that computer."""

    kind: str
    moment: float
    writing: list[tuple[Pace, list[Line]]]


class Words:
    """Every token is a letter, and none ends a text."""

    def piece(self, token: int) -> bytes:
        return bytes([65 + token])

    def ends_text(self, token: int) -> bool:
        return False


class StormHost:
    """A computer that serves a span, as often as it is started."""

    def __init__(self, swarm: StormySwarm, span: Span, number: int) -> None:
        self.swarm = swarm
        self.span = span
        self.identity = Identity(number.to_bytes(32, "big"))
        self.up = False
        self.listed_until = float("inf")
        self.engine = FakeEngine(TOY, span, kv_tokens=KV_TOKENS)
        self._stack = AsyncExitStack()

    @property
    def peer(self) -> PeerId:
        return self.identity.peer_id

    async def start(self) -> None:
        self.engine = FakeEngine(TOY, self.span, kv_tokens=KV_TOKENS)
        handlers = {"session": self._session, "hop": self._hop, "state": self._hop}
        self.endpoint = await self._stack.enter_async_context(
            self.swarm.network.endpoint(self.identity, handlers=handlers)  # type: ignore[arg-type]
        )
        self.host = Host(self.engine.engine(), MODEL, self.endpoint, clock=self.swarm.clock)
        tasks = await self._stack.enter_async_context(TaskOwner("host"))
        tasks.start(self.host.sweep(), name="sweep")
        self.up = True
        self.listed_until = float("inf")

    async def vanish(self) -> None:
        self.up = False
        self.listed_until = self.swarm.clock.monotonic() + LEARNS_SECONDS
        self.swarm.network.cut(self.peer)
        await self._stack.aclose()

    async def leave(self) -> None:
        self.up = False
        self.listed_until = self.swarm.clock.monotonic()
        await self.host.drain(2.0)
        self.swarm.outcome.handed_over += self.host.status.handed_over
        await self._stack.aclose()

    @property
    def offer(self) -> Offer:
        address = self.endpoint.address
        return Offer(self.peer, (address,), self.span, 100.0, self.host.tokens_free)

    async def _session(self, channel: Channel) -> None:
        await self.host.serve_session(channel)

    async def _hop(self, channel: Channel) -> None:
        await self.host.serve_hop(channel)


class StormySwarm:
    """The computers of one story. Use with `async with`."""

    def __init__(self, seed: int, *, only_leaving: bool = False, spares: bool = False) -> None:
        """`spares`: whether it is a storm as in `tests/chaos`, in which there is always a chain
        of computers to which nothing happens."""
        self.only_leaving = only_leaving
        self._spares = spares
        self._seconds_between = SECONDS_BETWEEN_SPARED if spares else SECONDS_BETWEEN
        self._troubled: Counter[PeerId] = Counter()
        self.chance = random.Random(seed)
        self.clock = LoopClock()
        delays: dict[frozenset[PeerId], float] = {}

        def delay(one: PeerId, other: PeerId) -> float:
            pair = frozenset((one, other))
            return delays.setdefault(pair, self.chance.uniform(0.002, 0.08))

        self.network = MemoryNetwork(delay=delay)
        self.outcome = Outcome(seed)
        spans = [parse_span(span) for span in (ALIKE if only_leaving else SPANS)]
        self.hosts = [StormHost(self, span, number + 1) for number, span in enumerate(spans)]
        self._struck: list[_Struck] = []
        # What is being written now, how it goes, and what is logged of it.
        self._writing: list[tuple[Answer, Pace, list[Line]]] = []
        self._tasks = TaskOwner("storm")
        self._numbers = itertools.count(1000)

    async def run(self) -> Outcome:
        """Clients write while the storm goes on, and all is quiet afterwards."""
        began = self.clock.monotonic()
        async with self._tasks:
            for host in self.hosts:
                await host.start()
            storm = self._tasks.start(self._storm(), name="storm")
            clients = [
                self._tasks.start(self._client(number), name=f"client {number}")
                for number in range(CLIENTS)
            ]
            await asyncio.wait(clients)
            for client in clients:
                client.result()
            storm.cancel()
            await asyncio.wait([storm])
            self._look_back()
            await self._look_for_leaks()
            for host in self.hosts:
                if host.up:
                    await host.vanish()
        self.outcome.seconds = self.clock.monotonic() - began
        return self.outcome

    # ── the storm ────────────────────────────────────────────────────────────

    async def _storm(self) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(1.0 / self._seconds_between))
            host = self.chance.choice(self.hosts)
            if self._spares and not self._is_spare(host):
                continue
            trouble = self.chance.choice(
                [self._vanishes, self._freezes, self._forgets, self._stalls, self._leaves]
                + [self._parts] * 2
            )
            if self.only_leaving:
                trouble = self._leaves
            if host.up:
                self.outcome.troubles += 1
                self._note(trouble.__name__.strip("_"), host)
                self._tasks.start(self._suffer(trouble, host), name="trouble")

    async def _suffer(
        self, trouble: Callable[[StormHost], Awaitable[None]], host: StormHost
    ) -> None:
        self._troubled[host.peer] += 1
        try:
            await trouble(host)
        finally:
            self._troubled[host.peer] -= 1

    def _is_spare(self, *hosts: StormHost) -> bool:
        """Whether those to whom nothing happens are a chain without these."""
        whole = [one for one in self.hosts if one not in hosts and not self._troubled[one.peer]]
        reached = {0}
        for one in sorted(whole, key=lambda each: each.span.start):
            if one.span.start in reached:
                reached.add(one.span.stop)
        return TOY.head_unit + 1 in reached

    def _look_back(self) -> None:
        for struck in self._struck:
            for pace, lines in struck.writing:
                came = pace.next_after(struck.moment)
                if came is not None:
                    why = explained(lines, struck.moment, came)
                    found = Recovery(struck.kind, came - struck.moment, why)
                    self.outcome.recoveries.append(found)

    def _note(self, kind: str, host: StormHost) -> None:
        writing = [
            (pace, lines)
            for answer, pace, lines in self._writing
            if any(part.peer == host.peer for part in answer.parts)
        ]
        self._struck.append(_Struck(kind, self.clock.monotonic(), writing))

    async def _vanishes(self, host: StormHost) -> None:
        await host.vanish()
        await asyncio.sleep(self.chance.uniform(0.5, 6))
        await host.start()

    async def _leaves(self, host: StormHost) -> None:
        await host.leave()
        await asyncio.sleep(self.chance.uniform(0.5, 6))
        await host.start()

    async def _freezes(self, host: StormHost) -> None:
        self.network.freeze(host.peer)
        await asyncio.sleep(self.chance.uniform(0.2, 5))
        self.network.thaw(host.peer)

    async def _forgets(self, host: StormHost) -> None:
        host.engine.die()

    async def _stalls(self, host: StormHost) -> None:
        engine = host.engine
        engine.hold()
        await asyncio.sleep(1.0)
        engine.overdue = True
        await asyncio.sleep(self.chance.uniform(0.2, 5))
        engine.overdue = False
        engine.go_on()

    async def _parts(self, host: StormHost) -> None:
        other = self.chance.choice(self.hosts)
        if other is not host and (not self._spares or self._is_spare(host, other)):
            self._troubled[other.peer] += 1
            self.network.part(host.peer, other.peer)
            await asyncio.sleep(self.chance.uniform(0.2, 5))
            self.network.join(host.peer, other.peer)
            self._troubled[other.peer] -= 1

    # ── clients ──────────────────────────────────────────────────────────────

    async def _client(self, number: int) -> None:
        identity = Identity(next(self._numbers).to_bytes(32, "big"))
        lines_here.set([])
        async with self.network.endpoint(identity) as endpoint:
            generator = self._generator(endpoint)
            prompt = [self.chance.randrange(TOY.vocabulary_size) for _ in range(number * 20 + 5)]
            for turn in range(ANSWERS):
                warm = SamplingOptions(temperature=1.2) if (number + turn) % 2 else None
                request = AnswerRequest(
                    tuple(prompt), warm or SamplingOptions(), max_tokens=14, seed=number
                )
                answer = Answer()
                self.outcome.answers.append(answer)
                await self._write(generator, request, answer)
                if answer.tokens != await alone(request):
                    self.outcome.wrong.append(f"client {number}, answer {turn}")
                prompt += [*answer.tokens, self.chance.randrange(TOY.vocabulary_size)]
            await generator.close()

    async def _write(self, generator: Generator, request: AnswerRequest, answer: Answer) -> None:
        pace = Pace(asked=[self.clock.monotonic()])
        lines = lines_here.get()
        assert lines is not None
        self._writing.append((answer, pace, lines))
        async for _ in generator.write(request, answer):
            now = self.clock.monotonic()
            waited = now - pace.asked[-1]
            self.outcome.longest_wait_seconds = max(self.outcome.longest_wait_seconds, waited)
            pace.came.append(now)
            pace.asked.append(now)
        self._writing.remove((answer, pace, lines))

    def _generator(self, endpoint: MemoryEndpoint) -> Generator:
        shape = ModelShape(MODEL, TOY.width, TOY.vocabulary_size, TOY.head_unit)

        async def opener() -> Knocker:
            return endpoint

        async def ends(route: Route) -> OwnEnds:
            span = Span(TOY.head_unit, TOY.head_unit + 1)
            return OwnEnds(
                FakeEngine(TOY, Span(0, 1)).engine() if route.own_embedding else None,
                FakeEngine(TOY, span).engine() if route.own_head else None,
            )

        chains = Chains(shape, lookup=self._lookup, opener=opener, ends=ends, clock=self.clock)

        async def open_chain(avoid: object, tokens: int) -> TokenChain:
            return await chains.open(tokens=tokens, candidates=48, avoid=avoid)  # type: ignore[arg-type]

        async def mend(chain: TokenChain, lost: object, avoid: object) -> None:
            if not isinstance(chain, RingChain):
                raise MemoryLost("not a ring")
            await chains.mend(chain, lost, avoid)  # type: ignore[arg-type]

        return Generator(open_chain, Words(), clock=self.clock, mend_chain=mend)

    async def _lookup(self) -> Sequence[Offer]:
        await asyncio.sleep(0.05)
        now = self.clock.monotonic()
        return [host.offer for host in self.hosts if now < host.listed_until]

    async def _look_for_leaks(self) -> None:
        """When everybody has gone, every place is free."""
        await asyncio.sleep(10)
        for host in self.hosts:
            if host.up and host.host.tokens_free != KV_TOKENS:
                held = KV_TOKENS - host.host.tokens_free
                self.outcome.wrong.append(f"{host.span} still holds {held} tokens")


async def alone(request: AnswerRequest) -> list[int]:
    """What the whole model writes."""

    async def open_chain(avoid: object, tokens: int) -> TokenChain:
        engine = FakeEngine(TOY, TOY.whole).engine()
        return LocalChain(engine, tokens=tokens, candidates=48)

    answer = Answer()
    async for _ in Generator(open_chain, Words(), clock=LoopClock()).write(request, answer):
        pass
    return answer.tokens


def weather(seed: int, *, only_leaving: bool = False, spares: bool = False) -> Outcome:
    """One story, from its beginning to its end; or one in which everybody leaves politely.
    `spares` as in `StormySwarm`."""
    return run_virtual(StormySwarm(seed, only_leaving=only_leaving, spares=spares).run())


__all__ = ["Outcome", "StormySwarm", "generate", "weather"]
