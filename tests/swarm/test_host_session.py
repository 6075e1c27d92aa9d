"""The answers a host gives about a session."""

from __future__ import annotations

from app.engine.frames import PartResult
from app.errors import NoRoom, PeerLost
from app.net import wire
from app.swarm.host_session import refused, relink_fault, step_result
from tests.helpers.session_words import opening
from tests.helpers.small_swarm import SESSION


def test_a_refusal_keeps_its_code_and_when_to_come_back() -> None:
    answer = refused(opening("0:3"), NoRoom("full", retry_after_seconds=4.0))
    assert (answer.session, answer.code, answer.retry_after_seconds) == (SESSION, "no_room", 4.0)


def test_a_next_host_that_is_lost_is_the_reason() -> None:
    answer = refused(opening("0:3"), PeerLost("x" * 900))
    assert (answer.code, answer.retry_after_seconds) == ("next_lost", None)
    assert len(answer.reason) == wire.MAX_REASON_CHARACTERS


def test_a_relink_that_cannot_be_names_its_epoch() -> None:
    relink = wire.SessionRelink(session=SESSION, epoch=3, replay=7)
    answer = relink_fault(relink, "log_gone", "y" * 900)
    assert (answer.epoch, answer.position, answer.code) == (3, 7, "log_gone")
    assert len(answer.reason) == wire.MAX_REASON_CHARACTERS


def test_only_the_wanted_rows_go_back() -> None:
    step = wire.Step(session=SESSION, epoch=1, position=4, rows=3, outputs=2, hidden=bytes(12))
    rows = b"aaaabbbbcccc"
    answer = step_result(step, PartResult(hidden=rows))
    assert (answer.hidden, answer.rows, answer.outputs) == (b"bbbbcccc", 3, 2)
    best = step_result(step, PartResult(hidden=rows, ids=bytes(8), logits=bytes(8)))
    assert (best.hidden, best.ids) == (b"", bytes(8))
