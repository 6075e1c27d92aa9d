"""What a chain waits for: who sent a step gets its result, or learns why none comes.

The counterpart that sends the steps and hears the hosts is `app/swarm/chain.py`.
"""

from __future__ import annotations

import asyncio

from app.net.wire import StepResult
from app.swarm.token_chain import ChainBroken


class AwaitedResults:
    """The results that one chain waits for, and what broke it.

    Attributes:
        broken: why no step can be sent; None while the chain goes on.
    """

    def __init__(self) -> None:
        self.broken: ChainBroken | None = None
        # By position; one at a time, as whoever sends a step waits for it.
        self._results: dict[int, asyncio.Future[StepResult]] = {}
        self._failure: asyncio.Future[ChainBroken] | None = None

    @property
    def failure(self) -> asyncio.Future[ChainBroken]:
        """Done with the first failure after it was asked for, or after `stand_still`."""
        if self._failure is None:
            self._failure = asyncio.get_running_loop().create_future()
        return self._failure

    def expect(self, position: int) -> asyncio.Future[StepResult]:
        """The result at this position, when it comes; raises `ChainBroken` when none will."""
        result: asyncio.Future[StepResult] = asyncio.get_running_loop().create_future()
        self._results[position] = result
        return result

    def expect_no_more(self, position: int) -> None:
        """Nobody waits for this result any more, whether it came or not."""
        result = self._results.pop(position)
        _ = result.cancel() or result.cancelled() or result.exception()

    def deliver(self, result: StepResult) -> None:
        """Hand it to whoever waits; one that nobody waits for is late, not wrong."""
        future = self._results.get(result.position)
        if future is not None and not future.done():
            future.set_result(result)

    def fail(self, error: ChainBroken) -> None:
        """What is waited for now does not come; the chain itself may go on."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(error)
        for future in self._results.values():
            if not future.done():
                future.set_exception(error)

    def break_off(self, error: ChainBroken) -> None:
        """Nothing comes any more until the chain is mended; the first reason is kept."""
        self.broken = self.broken or error
        self.fail(error)

    def stand_still(self, reason: ChainBroken) -> None:
        """The chain is mended now: what failed before is over, and no step goes out."""
        self._failure = None
        self.broken = reason

    def go_on(self) -> None:
        """Steps may be sent again."""
        self.broken = None
