"""What a chain waits for comes, or fails with its reason; see app/swarm/awaited_results.py."""

from __future__ import annotations

import pytest

from app.ids import SessionId
from app.net.wire import StepResult
from app.swarm.awaited_results import AwaitedResults
from app.swarm.token_chain import ChainBroken

SESSION = SessionId(bytes(16))


def result_at(position: int) -> StepResult:
    return StepResult(session=SESSION, epoch=0, position=position, rows=1)


def broken(reason: str = "a helper left") -> ChainBroken:
    return ChainBroken(reason, peer=None)


async def test_a_result_goes_to_whoever_waits_for_its_position() -> None:
    awaited = AwaitedResults()
    result = awaited.expect(3)
    awaited.deliver(result_at(2))
    assert not result.done()
    awaited.deliver(result_at(3))
    assert result.result() == result_at(3)


async def test_a_result_that_nobody_waits_for_is_late_and_not_wrong() -> None:
    awaited = AwaitedResults()
    result = awaited.expect(3)
    awaited.deliver(result_at(3))
    awaited.deliver(result_at(3))
    assert result.result() == result_at(3)
    awaited.expect_no_more(3)
    awaited.deliver(result_at(3))


async def test_a_failure_ends_the_wait_and_the_chain_may_go_on() -> None:
    awaited = AwaitedResults()
    result = awaited.expect(0)
    awaited.fail(broken())
    with pytest.raises(ChainBroken, match="a helper left"):
        result.result()
    awaited.expect_no_more(0)
    assert awaited.broken is None
    result = awaited.expect(0)
    awaited.deliver(result_at(0))
    assert result.result() == result_at(0)


async def test_a_failure_that_nobody_waits_for_any_more_leaves_nothing_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    awaited = AwaitedResults()
    awaited.expect(0)
    awaited.fail(broken("told to nobody"))
    awaited.expect_no_more(0)
    gone = awaited.expect(1)
    awaited.expect_no_more(1)
    assert gone.cancelled()
    assert "told to nobody" not in caplog.text


async def test_of_what_breaks_a_chain_the_first_reason_is_kept_until_it_is_mended() -> None:
    awaited = AwaitedResults()
    result = awaited.expect(0)
    awaited.break_off(broken("the first"))
    awaited.break_off(broken("the second"))
    with pytest.raises(ChainBroken, match="the first"):
        result.result()
    assert str(awaited.broken) == "the first"
    awaited.stand_still(broken("mended"))
    awaited.break_off(broken("the third"))
    assert str(awaited.broken) == "mended"
    awaited.go_on()
    assert awaited.broken is None


async def test_the_first_failure_is_told_once_and_one_before_a_mending_is_over() -> None:
    awaited = AwaitedResults()
    awaited.fail(broken("nobody asked yet"))
    failure = awaited.failure
    assert not failure.done()
    awaited.fail(broken("the first"))
    awaited.fail(broken("the second"))
    assert str(awaited.failure.result()) == "the first"
    awaited.stand_still(broken("mended"))
    assert not awaited.failure.done()
