"""How long answers stood still, and what is told of why."""

from __future__ import annotations

import asyncio
import logging

from tests.helpers.recoveries import Pace, Quantiles, quantiles
from tests.helpers.tracing import explained, lines_here, tracing
from tests.helpers.virtual_loop import run_virtual


def test_the_token_that_counts_is_the_first_that_was_asked_for_after_the_fault() -> None:
    pace = Pace(asked=[0.0, 1.0, 2.0], came=[0.9, 1.9])
    assert pace.next_after(0.5) == 1.9
    assert pace.next_after(0.0) == 0.9
    assert pace.next_after(1.5) is None


def test_quantiles_of_few_durations_are_among_them() -> None:
    assert quantiles([]) is None
    assert quantiles([3.0]) == Quantiles(3.0, 3.0, 3.0)
    assert quantiles([1.0, 2.0, 9.0]) == Quantiles(2.0, 9.0, 9.0)


def test_what_was_waited_for_is_told_and_what_was_quick_is_not() -> None:
    lines = [(0.5, "before"), (2.2, "it stopped answering"), (2.3, "another one"), (9.0, "later")]
    told = explained(lines, 1.0, 4.0)
    assert told == "1.2 s until it stopped answering; 1.7 s until the token came"


def test_every_task_s_lines_go_to_its_own_list_with_the_time_of_the_loop() -> None:
    async def writer(name: str, seconds: float) -> list[tuple[float, str]]:
        lines: list[tuple[float, str]] = []
        lines_here.set(lines)
        await asyncio.sleep(seconds)
        logging.getLogger("app.swarm.chains").debug("here is %s", name)
        return lines

    async def both() -> list[list[tuple[float, str]]]:
        with tracing():
            return list(await asyncio.gather(writer("one", 5.0), writer("two", 60.0)))

    assert run_virtual(both()) == [[(5.0, "here is one")], [(60.0, "here is two")]]
