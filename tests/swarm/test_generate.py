"""Writing answers: over whatever chain there is, and on another one when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing

import numpy as np
import pytest

from app.errors import NotServed
from app.ids import PeerId, Span
from app.net import wire
from app.swarm import generate
from app.swarm.generate import (
    LOOK_AGAIN_SECONDS,
    PATIENCE_SECONDS,
    QUICK_REPAIRS,
    Answer,
    AnswerRequest,
    Generator,
)
from app.swarm.local_chain import LocalChain
from app.swarm.route import Offer, find_route
from app.swarm.sampling import SamplingOptions
from app.swarm.token_chain import Candidates, ChainBroken, ChainPart, TokenChain
from tests.helpers.fake_engine import FakeEngine, ToyModel
from tests.helpers.memory_network import MemoryEndpoint
from tests.helpers.session_words import SOON_SECONDS
from tests.helpers.small_swarm import HostComputer, SmallSwarm, settled
from tests.helpers.virtual_clock import VirtualClock
from tests.helpers.virtual_loop import LoopClock, run_virtual

PROMPT = (5, 17, 3, 44, 21, 8)
GREEDY = SamplingOptions()
WARM = SamplingOptions(temperature=1.5, top_k=0, top_p=1.0, min_p=0.0)


class Letters:
    """A vocabulary of 48 words, "a0" to "l3"; token `end` ends an answer."""

    def __init__(self, end: int = -1) -> None:
        self.end = end

    def piece(self, token: int) -> bytes:
        return f"{chr(97 + token // 4)}{token % 4} ".encode()

    def ends_text(self, token: int) -> bool:
        return token == self.end

    def text(self, tokens: Sequence[int]) -> str:
        return b"".join(map(self.piece, tokens)).decode()


class Party:
    """A client with hosts to choose from, and every chain it opened."""

    def __init__(
        self, swarm: SmallSwarm, client: MemoryEndpoint, hosts: list[HostComputer]
    ) -> None:
        self.swarm = swarm
        self.client = client
        self.hosts = hosts
        self.opened: list[tuple[set[PeerId], int]] = []
        self.words = Letters()
        self.candidates = 48
        self.least_tokens = 64
        self.generator = Generator(self.open_chain, self.words, clock=swarm.clock)

    async def open_chain(self, avoid: Collection[PeerId], tokens: int) -> TokenChain:
        tokens = max(tokens, self.least_tokens)
        self.opened.append((set(avoid), tokens))
        offers = [host.offer for host in self.hosts]
        head = self.swarm.model.head_unit
        route = find_route(offers, head, tokens=tokens, avoid=avoid, may_run_ends=False)
        by_peer = {host.peer: host for host in self.hosts}
        chain = self.swarm.ring(
            self.client,
            [by_peer[link.offer.peer] for link in route.links],
            tokens=tokens,
            candidates=self.candidates,
        )
        await chain.open()
        return chain

    def steps(self) -> list[tuple[int, int]]:
        """Position and rows of every step the client sent so far, and forget them."""
        steps = [
            (sent.message.position, sent.message.rows)
            for sent in self.swarm.sent
            if sent.sender == self.client.peer_id and isinstance(sent.message, wire.Step)
        ]
        self.swarm.sent.clear()
        return steps

    def peers(self, answer: Answer) -> list[PeerId | None]:
        return [part.peer for part in answer.parts]


@pytest.fixture
async def party(swarm: SmallSwarm) -> AsyncIterator[Party]:
    hosts = await swarm.hosts("0:3", "3:6")
    party = Party(swarm, await swarm.computer(), hosts)
    yield party
    await party.generator.close()


def asked(prompt: Sequence[int] = PROMPT, *, max_tokens: int = 12, **more: object) -> AnswerRequest:
    options = more.pop("options", GREEDY)
    assert isinstance(options, SamplingOptions)
    return AnswerRequest(tuple(prompt), options, max_tokens, **more)  # type: ignore[arg-type]


async def write(generator: Generator, request: AnswerRequest) -> Answer:
    answer = Answer()
    pieces = []
    async with asyncio.timeout(SOON_SECONDS):
        async for piece in generator.write(request, answer):
            pieces.append(piece)
    assert "".join(pieces) == answer.text
    assert all(pieces)
    return answer


def alone(model: ToyModel, words: Letters, clock: VirtualClock) -> Generator:
    """The same, on one computer."""

    async def open_chain(avoid: Collection[PeerId], tokens: int) -> TokenChain:
        return LocalChain(FakeEngine(model, model.whole).engine(), tokens=tokens, candidates=48)

    return Generator(open_chain, words, clock=clock)


async def expected(party: Party, request: AnswerRequest) -> Answer:
    return await write(alone(party.swarm.model, party.words, party.swarm.clock), request)


# ── an answer ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("spans", [["0:6"], ["0:3", "3:6"], ["0:2", "2:4", "4:6"]], ids=" ".join)
async def test_the_answer_is_that_of_one_computer(swarm: SmallSwarm, spans: list[str]) -> None:
    party = Party(swarm, await swarm.computer(), await swarm.hosts(*spans))
    wanted = await expected(party, asked())
    answer = await write(party.generator, asked())
    assert answer.tokens == wanted.tokens
    assert answer.text == wanted.text == party.words.text(answer.tokens)
    assert len(answer.tokens) == 12
    assert answer.finish == "length"
    assert answer.repairs == 0
    assert party.peers(answer) == [host.peer for host in party.hosts]
    await party.generator.close()


async def test_the_same_seed_writes_the_same_answer(party: Party) -> None:
    texts = [(await write(party.generator, asked(options=WARM, seed=7))).text for _ in range(2)]
    other = await write(party.generator, asked(options=WARM, seed=8))
    assert texts[0] == texts[1]
    assert other.text != texts[0]
    assert (await expected(party, asked(options=WARM, seed=7))).text == texts[0]


async def test_a_repetition_penalty_looks_at_the_whole_conversation(party: Party) -> None:
    plain = await write(party.generator, asked())
    options = SamplingOptions(repetition_penalty=10.0, top_k=0)
    answer = await write(party.generator, asked(options=options))
    assert len(set(answer.tokens) | set(PROMPT)) == len(answer.tokens) + len(set(PROMPT))
    assert answer.tokens != plain.tokens


async def test_an_answer_ends_with_the_token_that_says_so(party: Party) -> None:
    wanted = await expected(party, asked())
    end = next(t for i, t in enumerate(wanted.tokens) if i > 3 and t not in wanted.tokens[:i])
    party.words.end = end
    answer = await write(party.generator, asked())
    assert answer.finish == "stop"
    assert answer.tokens == wanted.tokens[: wanted.tokens.index(end)]
    assert answer.text == party.words.text(answer.tokens)


async def test_a_stop_string_ends_it_and_is_not_shown(party: Party) -> None:
    wanted = await expected(party, asked())
    stop = wanted.text[7:11]  # begins and ends inside tokens
    answer = await write(party.generator, asked(stops=(stop,)))
    assert answer.finish == "stop"
    assert answer.text == wanted.text[: wanted.text.index(stop)]
    assert len(answer.tokens) < 12


async def test_the_beginning_of_a_stop_string_is_shown_at_the_end(party: Party) -> None:
    wanted = await expected(party, asked())
    answer = await write(party.generator, asked(stops=(wanted.text[-4:] + "never",)))
    assert answer.finish == "length"
    assert answer.text == wanted.text


async def test_no_more_tokens_than_asked_for(party: Party) -> None:
    answer = await write(party.generator, asked(max_tokens=3))
    assert (len(answer.tokens), answer.finish) == (3, "length")
    nothing = await write(party.generator, asked(max_tokens=0))
    assert (nothing.tokens, nothing.text, nothing.finish) == ([], "", "length")


async def test_speed_is_measured_from_the_first_token(party: Party) -> None:
    answer = Answer()
    party.swarm.clock.advance(5)
    writing = party.generator.write(asked(max_tokens=5), answer)
    party.swarm.clock.advance(5)  # nothing has begun
    async with aclosing(writing):
        async for _ in writing:
            party.swarm.clock.advance(0.5)
    assert answer.first_token_seconds == 0
    assert answer.tokens_per_second == pytest.approx(2.0)


# ── deadlines and cancelling ─────────────────────────────────────────────────────────────


async def test_a_deadline_ends_an_answer_with_what_there_is(party: Party) -> None:
    wanted = await expected(party, asked())
    answer = Answer()
    async for _ in party.generator.write(asked(deadline_seconds=3.5), answer):
        party.swarm.clock.advance(1)
    assert answer.finish == "deadline"
    assert answer.tokens == wanted.tokens[:4]


async def test_a_deadline_does_not_wait_for_a_slow_chain(party: Party) -> None:
    await write(party.generator, asked(max_tokens=2))
    party.hosts[1].engine.hold()
    answer = await write(party.generator, asked([*PROMPT, 1], deadline_seconds=0.01))
    assert (answer.finish, answer.tokens) == ("deadline", [])
    party.hosts[1].engine.go_on()
    wanted = await expected(party, asked([*PROMPT, 2]))
    assert (await write(party.generator, asked([*PROMPT, 2]))).text == wanted.text
    assert len(party.opened) == 1


async def test_no_time_at_all_gives_no_answer(party: Party) -> None:
    answer = await write(party.generator, asked(deadline_seconds=0))
    assert (answer.finish, answer.tokens) == ("deadline", [])


async def test_a_cancelled_answer_leaves_the_chain_to_the_next(party: Party) -> None:
    answer = Answer()
    async with aclosing(party.generator.write(asked(), answer)) as writing:
        async for _ in writing:
            if len(answer.tokens) == 4:
                break
    assert answer.finish is None
    wanted = await expected(party, asked())
    assert answer.tokens == wanted.tokens[:4]
    assert (await write(party.generator, asked())).text == wanted.text
    assert len(party.opened) == 1


async def test_an_answer_cancelled_in_the_middle_of_a_step_leaves_the_chain_to_the_next(
    party: Party,
) -> None:
    await write(party.generator, asked(max_tokens=2))
    party.hosts[1].engine.hold()
    task = party.swarm.tasks.start(write(party.generator, asked([*PROMPT, 40])), name="write")
    await settled()
    task.cancel()
    await asyncio.wait([task])
    again = party.swarm.tasks.start(write(party.generator, asked([*PROMPT, 41])), name="write")
    await settled()
    party.hosts[1].engine.go_on()
    wanted = await expected(party, asked([*PROMPT, 41]))
    assert (await again).text == wanted.text
    assert len(party.opened) == 1


async def test_what_a_cancelled_step_overwrote_is_not_taken_for_known(party: Party) -> None:
    conversation = [*PROMPT, 1, 2, 3, 4]
    wanted = await expected(party, asked([*conversation, 5]))
    await write(party.generator, asked(conversation, max_tokens=1))
    party.hosts[1].engine.hold()
    other = asked([*PROMPT, *[9] * 20], max_tokens=1)
    task = party.swarm.tasks.start(write(party.generator, other), name="write")
    await settled()
    task.cancel()
    await asyncio.wait([task])
    party.hosts[1].engine.go_on()
    await settled()
    assert (await write(party.generator, asked([*conversation, 5]))).text == wanted.text
    assert len(party.opened) == 1


# ── one conversation, several answers ────────────────────────────────────────────────────


async def test_the_second_answer_sends_only_what_is_new(party: Party) -> None:
    first = await write(party.generator, asked(max_tokens=4))
    assert party.steps() == [(0, 6), (6, 1), (7, 1), (8, 1)]
    longer = [*PROMPT, *first.tokens, 30, 31]
    second = await write(party.generator, asked(longer, max_tokens=2))
    assert party.steps() == [(9, 3), (12, 1)]
    assert second.tokens == (await expected(party, asked(longer, max_tokens=2))).tokens


async def test_another_beginning_rolls_back_to_where_they_part(party: Party) -> None:
    await write(party.generator, asked(max_tokens=4))
    party.steps()
    changed = [*PROMPT[:4], 9, 9, 9]
    answer = await write(party.generator, asked(changed, max_tokens=3))
    assert party.steps()[0] == (4, 3)
    assert answer.tokens == (await expected(party, asked(changed, max_tokens=3))).tokens


async def test_the_same_question_again_sends_its_last_token(party: Party) -> None:
    first = await write(party.generator, asked(max_tokens=1))
    party.steps()
    again = await write(party.generator, asked(max_tokens=1))
    assert party.steps() == [(5, 1)]
    assert again.tokens == first.tokens


async def test_a_chain_too_small_for_the_next_answer_is_opened_anew(party: Party) -> None:
    party.least_tokens = 0
    await write(party.generator, asked(max_tokens=10))
    await write(party.generator, asked(max_tokens=10))
    longer = [*PROMPT, *range(20)]
    answer = await write(party.generator, asked(longer, max_tokens=10))
    assert answer.tokens == (await expected(party, asked(longer, max_tokens=10))).tokens
    assert party.opened == [(set(), 16), (set(), 36)]
    assert answer.repairs == 0
    await settled()
    assert party.hosts[0].host.tokens_free == 512 - 36


async def test_closing_gives_the_room_back(party: Party) -> None:
    await write(party.generator, asked())
    await party.generator.close()
    await party.generator.close()
    await settled()
    assert [host.host.tokens_free for host in party.hosts] == [512, 512]
    wanted = await expected(party, asked())
    assert (await write(party.generator, asked())).text == wanted.text


# ── repairs ──────────────────────────────────────────────────────────────────────────────


async def interrupt(party: Party, request: AnswerRequest, after: int, trouble: object) -> Answer:
    """Write an answer, with trouble once so many tokens are there."""
    answer = Answer()
    happened = False
    async with asyncio.timeout(SOON_SECONDS):
        async for _ in party.generator.write(request, answer):
            if len(answer.tokens) == after and not happened:
                happened = True
                assert callable(trouble)
                trouble()
    assert happened
    return answer


@pytest.mark.parametrize("options", [GREEDY, WARM], ids=["greedy", "by chance"])
async def test_a_host_that_dies_is_replaced_and_the_text_goes_on(
    party: Party, options: SamplingOptions
) -> None:
    request = asked(options=options, seed=3)
    wanted = await expected(party, request)
    spare = await party.swarm.host("3:6")
    dying = party.hosts[1]
    party.hosts = [party.hosts[0], dying]
    party.steps()

    def trouble() -> None:
        party.swarm.cut(dying)
        party.hosts = [party.hosts[0], dying, spare]

    answer = await interrupt(party, request, 5, trouble)
    assert answer.text == wanted.text
    assert answer.tokens == wanted.tokens
    assert (answer.repairs, answer.declined) == (1, 0)
    assert party.peers(answer) == [party.hosts[0].peer, spare.peer]
    assert party.opened[1][0] == {dying.peer}
    assert (0, 11) in party.steps()  # everything so far was sent again


async def test_a_worker_that_died_is_filled_again_on_the_same_chain(party: Party) -> None:
    wanted = await expected(party, asked())
    answer = await interrupt(party, asked(), 5, party.hosts[1].engine.die)
    assert answer.text == wanted.text
    assert answer.repairs == 1
    assert len(party.opened) == 1


async def test_a_host_that_lies_is_counted_and_avoided(party: Party) -> None:
    wanted = await expected(party, asked())
    liar, honest = party.hosts[1], await party.swarm.host("3:6")
    party.hosts.append(honest)

    def trouble() -> None:
        liar.engine.spoil = lambda result: type(result)(
            ids=result.ids, logits=np.full(48, np.nan, "<f4").tobytes()
        )

    answer = await interrupt(party, asked(), 5, trouble)
    assert answer.text == wanted.text
    assert party.client.bad_inputs == {liar.peer: 1}
    assert party.peers(answer) == [party.hosts[0].peer, honest.peer]
    later = await write(party.generator, asked([*PROMPT, 1]))
    assert party.peers(later) == [party.hosts[0].peer, honest.peer]


async def test_a_host_that_declines_is_not_asked_again(party: Party) -> None:
    full = await party.swarm.host("0:6", kv_tokens=10)
    announced = full.offer
    party.hosts.insert(0, full)

    class Boaster(HostComputer):
        @property
        def offer(self) -> Offer:
            return Offer(announced.peer, announced.addresses, announced.span, 1e6, 1_000_000)

    party.hosts[0] = Boaster(full.engine, full.host, full.endpoint)
    wanted = await expected(party, asked())
    answer = await write(party.generator, asked())
    assert answer.text == wanted.text
    assert (answer.repairs, answer.declined) == (0, 1)
    assert [avoid for avoid, _ in party.opened] == [set(), {full.peer}]
    assert full.peer not in party.peers(answer)


async def test_when_nobody_is_left_it_says_who_is_missing(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "PATIENCE_SECONDS", -1.0)
    with pytest.raises(NotServed, match="layers 3 to 4 and the output"):
        await interrupt(party, asked(), 3, lambda: party.swarm.cut(party.hosts[1]))
    await settled()
    assert party.hosts[0].host.tokens_free == 512


class Hopeless:
    """A chain on which nothing works."""

    def __init__(self, *, forgotten: bool) -> None:
        self.forgotten = forgotten
        self.steps = 0
        self.closed = False

    @property
    def parts(self) -> list[ChainPart]:
        return [ChainPart(None, Span(0, 6))]

    @property
    def tokens(self) -> int:
        return 1000

    async def step(self, position: int, tokens: Sequence[int]) -> Candidates:
        self.steps += 1
        raise ChainBroken("it just does not work", peer=None, forgotten=self.forgotten)

    def begin_again(self) -> None:
        assert self.forgotten

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("forgotten", [False, True])
def test_what_never_works_is_not_tried_for_ever(forgotten: bool) -> None:
    chains: list[Hopeless] = []

    async def open_chain(avoid: Collection[PeerId], tokens: int) -> TokenChain:
        chains.append(Hopeless(forgotten=forgotten))
        return chains[-1]

    async def dialogue() -> None:
        clock = LoopClock()
        generator = Generator(open_chain, Letters(), clock=clock)
        answer = Answer()
        with pytest.raises(ChainBroken, match="just does not work"):
            async for _ in generator.write(asked(), answer):
                pass
        assert PATIENCE_SECONDS <= clock.monotonic() <= PATIENCE_SECONDS + 2 * LOOK_AGAIN_SECONDS
        # At first at once, then with a pause each time.
        tries = sum(chain.steps for chain in chains)
        pauses = PATIENCE_SECONDS / LOOK_AGAIN_SECONDS
        assert pauses <= tries <= pauses + 2 * QUICK_REPAIRS
        assert (answer.repairs, answer.declined) == (tries, 0)
        assert answer.parts == [], "whoever was asked and computed nothing wrote nothing"
        await generator.close()
        assert all(chain.closed for chain in chains)
        # A chain that forgets is asked once more before another one is tried.
        assert len(chains) == (tries - 1 if forgotten else tries)

    run_virtual(dialogue())
