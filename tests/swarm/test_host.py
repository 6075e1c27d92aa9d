"""A host with strangers: who is let in, whose steps count, and what happens when they go."""

from __future__ import annotations

import numpy as np
import pytest

from app.engine.frames import Part
from app.errors import PeerLost
from app.ids import PeerId
from app.net import wire
from app.net.offences import MAX_BAD_INPUTS
from app.swarm import host as host_module
from app.swarm.host import SESSIONS_PER_PEER
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.session_words import (
    call,
    fault,
    hidden_step,
    lost,
    opened,
    opening,
    receive,
    refused,
    result,
    tokens_step,
)
from tests.helpers.small_swarm import SESSION, SmallSwarm, settled

TOKENS = [5, 17, 3, 44]


async def what_it_gives(part: Part, span_of: FakeEngine) -> bytes:
    """What another engine with the same span makes of a part."""
    computed = await FakeEngine(span_of.model, span_of.span).compute(part)
    return computed.ids or computed.hidden


# ── being let in ─────────────────────────────────────────────────────────────────────────


async def test_a_session_takes_room_and_gives_it_back(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await call(client, host)
    await channel.send(opening("0:6", tokens=100))
    answer = await receive(channel)
    assert answer == wire.SessionOpened(session=SESSION, tokens_left=412)
    assert host.host.tokens_free == 412
    assert host.host.status.sessions == 1
    await channel.send(wire.SessionClose(session=SESSION))
    await settled()
    assert host.host.tokens_free == 512
    assert host.host.status.sessions == 0
    assert host.host.status.sessions_ever == 1


async def test_a_session_without_a_next_host_answers_its_client(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6", candidates=3))
    await channel.send(tokens_step(0, TOKENS))
    answer = await result(channel)
    assert (answer.session, answer.epoch, answer.position) == (SESSION, 0, 0)
    assert (answer.rows, answer.outputs, len(answer.ids)) == (4, 1, 12)
    part = Part(sequence=0, position=0, rows=4, outputs=1, candidates=3, tokens=TOKENS)
    assert answer.ids == await what_it_gives(part, host.engine)
    assert host.host.status.positions_computed == 4


async def test_a_host_without_the_head_returns_the_wanted_rows_only(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:3"), await swarm.computer()
    channel = await opened(client, host, opening("0:3"))
    await channel.send(tokens_step(0, TOKENS, outputs=2))
    answer = await result(channel)
    everything = await what_it_gives(
        Part(sequence=0, position=0, rows=4, tokens=TOKENS), host.engine
    )
    assert answer.hidden == everything[len(everything) // 2 :]
    assert answer.ids == b""


async def test_a_step_without_outputs_is_not_answered(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6"))
    await channel.send(tokens_step(0, TOKENS, outputs=0))
    await channel.send(tokens_step(4, [9]))
    assert (await result(channel)).position == 4


async def test_an_unknown_model_is_refused(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    answer = await refused(client, host, opening("0:6", model=b"?" * 32))
    assert answer.code == "unknown_model"
    assert host.host.status.refusals == 1
    assert client.bad_inputs == host.endpoint.bad_inputs == {}


@pytest.mark.parametrize("span", ["1:4", "2:5", "3:4", "2:3", "0:4"])
async def test_another_span_than_the_mounted_one_is_refused(swarm: SmallSwarm, span: str) -> None:
    host, client = await swarm.host("2:4"), await swarm.computer()
    answer = await refused(client, host, opening(span))
    assert answer.code == "wrong_span"
    assert "2:4 are mounted here" in answer.reason


async def test_a_host_of_the_embedding_takes_rows_from_who_has_embedded(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("1:6"))
    rows = swarm.model.embed(TOKENS).tobytes()
    await channel.send(hidden_step(0, rows, rows=4))
    part = Part(sequence=0, position=0, rows=4, outputs=1, candidates=1, tokens=TOKENS)
    assert (await result(channel)).ids == await what_it_gives(part, host.engine)


async def test_lack_of_room_is_told_with_figures_and_when_to_try_again(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    await opened(client, host, opening("0:6", tokens=400))
    answer = await refused(client, host, opening("0:6", session=b"2" * 16, tokens=200))
    assert answer.code == "no_room"
    assert "200 tokens are wanted and 112 of 512 are free" in answer.reason
    assert answer.retry_after_seconds is not None
    assert host.host.tokens_free == 112


async def test_a_conversation_longer_than_a_sequence_need_not_be_tried_again(
    swarm: SmallSwarm,
) -> None:
    host, client = await swarm.host("0:6", tokens_per_sequence=100), await swarm.computer()
    answer = await refused(client, host, opening("0:6", tokens=101))
    assert answer.code == "no_room"
    assert answer.retry_after_seconds is None


async def test_one_client_cannot_take_every_place(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    for index in range(SESSIONS_PER_PEER):
        await opened(client, host, opening("0:6", session=bytes([index]) * 16, tokens=8))
    answer = await refused(client, host, opening("0:6", session=b"z" * 16, tokens=8))
    assert answer.code == "no_room"
    assert f"you have {SESSIONS_PER_PEER} conversations" in answer.reason
    somebody_else = await swarm.computer()
    await opened(somebody_else, host, opening("0:6", session=b"e" * 16, tokens=8))


async def test_a_next_host_that_cannot_be_reached_is_named_so(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:3"), await swarm.computer()
    nowhere = wire.NextHop(peer=b"n" * 32, addresses=["10.0.0.1:9"])
    answer = await refused(client, host, opening("0:3", following=nowhere))
    assert answer.code == "next_lost"
    assert host.host.tokens_free == 512


@pytest.mark.parametrize(
    "words",
    [
        wire.SessionClose(session=SESSION),
        tokens_step(0, TOKENS),
        wire.HopAttach(session=SESSION, epoch=0),
        opening("0:6", previous=PeerId(b"p" * 32)),
    ],
)
async def test_a_wrong_beginning_is_counted(swarm: SmallSwarm, words: wire.ChannelMessage) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await call(client, host)
    await channel.send(words)
    await lost(channel)
    assert host.endpoint.bad_inputs[client.peer_id] == 1
    assert host.host.tokens_free == 512


# ── whose session it is ──────────────────────────────────────────────────────────────────


async def test_a_stranger_who_knows_the_session_cannot_open_it_again(swarm: SmallSwarm) -> None:
    host, client, thief = await swarm.host("0:6"), await swarm.computer(), await swarm.computer()
    channel = await opened(client, host, opening("0:6"))
    await channel.send(tokens_step(0, TOKENS))
    before = await result(channel)
    other = await call(thief, host)
    await other.send(opening("0:6"))
    await lost(other)
    assert host.endpoint.bad_inputs[thief.peer_id] == 1
    await channel.send(tokens_step(0, TOKENS))
    assert await result(channel) == before


async def test_a_stranger_who_knows_the_session_cannot_feed_it(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "ATTACH_SECONDS", 0.05)
    host, client, thief = await swarm.host("3:6"), await swarm.computer(), await swarm.computer()
    await opened(client, host, opening("3:6"))
    hop = await thief.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    await hop.send(hidden_step(0, swarm.model.embed([1]).tobytes(), epoch=9))
    await lost(hop)
    assert host.engine.computed == []
    # Perhaps a client sent it here under false pretences, so it is not blamed.
    assert host.endpoint.bad_inputs[thief.peer_id] == 0


async def test_a_stranger_cannot_use_the_session_from_a_session_of_its_own(
    swarm: SmallSwarm,
) -> None:
    host, client, thief = await swarm.host("0:6"), await swarm.computer(), await swarm.computer()
    await opened(client, host, opening("0:6"))
    own = await opened(thief, host, opening("0:6", session=b"t" * 16))
    await own.send(tokens_step(0, TOKENS))
    await lost(own)
    assert host.engine.computed == []
    assert host.endpoint.bad_inputs[thief.peer_id] == 1


async def test_the_host_before_may_feed_it(swarm: SmallSwarm) -> None:
    host, client, before = await swarm.host("3:6"), await swarm.computer(), await swarm.computer()
    channel = await opened(client, host, opening("3:6", previous=before.peer_id))
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    await hop.send(hidden_step(0, swarm.model.embed(TOKENS).tobytes(), rows=4))
    assert (await result(channel)).rows == 4


async def test_the_host_before_may_come_earlier_than_the_client(swarm: SmallSwarm) -> None:
    host, client, before = await swarm.host("3:6"), await swarm.computer(), await swarm.computer()
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    await hop.send(hidden_step(0, swarm.model.embed(TOKENS).tobytes(), rows=4))
    await settled()
    channel = await opened(client, host, opening("3:6", previous=before.peer_id))
    assert (await result(channel)).rows == 4


async def test_a_host_before_whose_client_never_comes_is_let_go(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "ATTACH_SECONDS", 0.001)
    host, before = await swarm.host("3:6"), await swarm.computer()
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    await lost(hop)
    assert host.endpoint.bad_inputs[before.peer_id] == 0


async def test_a_hop_that_begins_with_something_else_is_counted(swarm: SmallSwarm) -> None:
    host, stranger = await swarm.host("3:6"), await swarm.computer()
    hop = await stranger.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(opening("3:6"))
    await lost(hop)
    assert host.endpoint.bad_inputs[stranger.peer_id] == 1


async def test_only_steps_come_over_a_hop(swarm: SmallSwarm) -> None:
    host, client, before = await swarm.host("3:6"), await swarm.computer(), await swarm.computer()
    await opened(client, host, opening("3:6", previous=before.peer_id))
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    await hop.send(wire.SessionClose(session=SESSION))
    await lost(hop)
    assert host.endpoint.bad_inputs[before.peer_id] == 1
    assert host.host.status.sessions == 1


async def test_steps_after_the_session_ended_are_nobodys_fault(swarm: SmallSwarm) -> None:
    host, client, before = await swarm.host("3:6"), await swarm.computer(), await swarm.computer()
    channel = await opened(client, host, opening("3:6", previous=before.peer_id))
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    await settled()
    await channel.send(wire.SessionClose(session=SESSION))
    await settled()
    await hop.send(hidden_step(0, swarm.model.embed([1]).tobytes()))
    await lost(hop)
    assert host.engine.computed == []
    assert host.endpoint.bad_inputs[before.peer_id] == 0


# ── steps ────────────────────────────────────────────────────────────────────────────────


async def test_a_repeated_step_is_answered_the_same(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6", candidates=4))
    await channel.send(tokens_step(0, TOKENS))
    await channel.send(tokens_step(4, [9, 8]))
    await channel.send(tokens_step(4, [9, 8]))
    await channel.send(tokens_step(0, TOKENS))
    answers = [await result(channel) for _ in range(4)]
    assert answers[1] == answers[2]
    assert answers[0] == answers[3]


async def test_a_step_that_skips_positions_is_a_gap(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6"))
    await channel.send(tokens_step(0, TOKENS, outputs=0))
    await channel.send(tokens_step(5, [1]))
    told = await fault(channel)
    assert (told.code, told.position) == ("gap", 5)
    await channel.send(tokens_step(4, [1]))
    assert (await result(channel)).position == 4
    assert host.endpoint.bad_inputs[client.peer_id] == 0


async def test_steps_of_an_old_epoch_are_dropped(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6", epoch=3))
    await channel.send(tokens_step(0, TOKENS, epoch=2))
    await channel.send(tokens_step(0, [7], epoch=5))
    await channel.send(tokens_step(0, TOKENS, epoch=4))
    await channel.send(tokens_step(1, [8], epoch=5))
    answers = [await result(channel) for _ in range(2)]
    assert [(a.epoch, a.position, a.rows) for a in answers] == [(5, 0, 1), (5, 1, 1)]
    assert len(host.engine.computed) == 2


async def test_more_positions_than_were_asked_for_are_a_fault(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6", tokens=5))
    await channel.send(tokens_step(0, [1, 2, 3, 4, 5, 6]))
    assert (await fault(channel)).code == "over_budget"
    assert host.engine.computed == []
    await channel.send(tokens_step(0, [1, 2, 3, 4, 5]))
    assert (await result(channel)).rows == 5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
async def test_values_that_are_not_finite_are_a_fault_and_counted(
    swarm: SmallSwarm, value: float
) -> None:
    host, client, before = await swarm.host("3:6"), await swarm.computer(), await swarm.computer()
    channel = await opened(client, host, opening("3:6", previous=before.peer_id))
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    rows = swarm.model.embed(TOKENS)
    rows[2, 5] = value
    await hop.send(hidden_step(0, rows.tobytes(), rows=4))
    assert (await fault(channel)).code == "input"
    assert host.endpoint.bad_inputs == {before.peer_id: 1}
    await hop.send(hidden_step(0, swarm.model.embed(TOKENS).tobytes(), rows=4))
    assert (await result(channel)).rows == 4


async def test_rows_of_the_wrong_width_are_a_fault_and_counted(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("3:6"), await swarm.computer()
    channel = await opened(client, host, opening("3:6"))
    await channel.send(hidden_step(0, bytes(4 * 5)))
    assert (await fault(channel)).code == "input"
    assert host.endpoint.bad_inputs[client.peer_id] == 1


async def test_a_token_outside_the_vocabulary_is_a_fault_and_counted(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6"))
    await channel.send(tokens_step(0, [swarm.model.vocabulary_size]))
    assert (await fault(channel)).code == "input"
    assert host.endpoint.bad_inputs[client.peer_id] == 1


@pytest.mark.parametrize(
    ("span", "step"),
    [("3:6", tokens_step(0, [1])), ("0:6", hidden_step(0, bytes(32)))],
)
async def test_tokens_for_rows_and_rows_for_tokens_end_the_session(
    swarm: SmallSwarm, span: str, step: wire.Step
) -> None:
    host, client = await swarm.host(span), await swarm.computer()
    channel = await opened(client, host, opening(span))
    await channel.send(step)
    await lost(channel)
    assert host.endpoint.bad_inputs[client.peer_id] == 1
    assert host.host.tokens_free == 512


@pytest.mark.parametrize(
    "words",
    [
        wire.Refused(code="full", reason="no room"),
        opening("0:6"),
        wire.SessionRenew(session=b"?" * 16),
        wire.SessionClose(session=b"?" * 16),
        wire.StepResult(session=SESSION, epoch=0, position=0, rows=1),
    ],
)
async def test_words_that_have_no_place_in_a_session_end_it(
    swarm: SmallSwarm, words: wire.ChannelMessage
) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6"))
    await channel.send(words)
    await lost(channel)
    assert host.endpoint.bad_inputs[client.peer_id] == 1
    assert host.host.tokens_free == 512


async def test_who_breaks_rules_too_often_is_not_listened_to(swarm: SmallSwarm) -> None:
    host, client, decent = await swarm.host("0:6"), await swarm.computer(), await swarm.computer()
    theirs = await opened(decent, host, opening("0:6", session=b"d" * 16))
    for _ in range(MAX_BAD_INPUTS):
        channel = await call(client, host)
        await channel.send(wire.Refused(code="full", reason="no room"))
        await lost(channel)
    with pytest.raises(PeerLost):
        await call(client, host)
    await theirs.send(tokens_step(0, TOKENS, session=b"d" * 16))
    assert (await result(theirs)).rows == 4


async def test_two_sessions_do_not_mix(swarm: SmallSwarm) -> None:
    host, one, other = await swarm.host("0:6"), await swarm.computer(), await swarm.computer()
    first = await opened(one, host, opening("0:6", session=b"1" * 16, candidates=4))
    second = await opened(other, host, opening("0:6", session=b"2" * 16, candidates=4))
    for position, token in enumerate(TOKENS):
        await first.send(tokens_step(position, [token], session=b"1" * 16))
        await second.send(tokens_step(position, [token + 1], session=b"2" * 16))
    *_, mine = [await result(first) for _ in TOKENS]
    *_, theirs = [await result(second) for _ in TOKENS]
    for answer, tokens in ((mine, TOKENS), (theirs, [token + 1 for token in TOKENS])):
        part = Part(sequence=0, position=0, rows=4, outputs=1, candidates=4, tokens=tokens)
        assert answer.ids == await what_it_gives(part, host.engine)
    assert max(host.engine.decodes) == 2  # they shared a decode
