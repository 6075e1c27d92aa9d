"""Datagrams wait in order, each as long as it is told to."""

from __future__ import annotations

import asyncio

from app.net.shaping import DelayLine

HERE = ("127.0.0.1", 1)


class Judge:
    """Says what it was told to say, in order; then that nothing waits."""

    def __init__(self, *seconds: float | None) -> None:
        self.seconds = list(seconds)
        self.sizes: list[int] = []

    def __call__(self, size: int) -> float | None:
        self.sizes.append(size)
        return self.seconds.pop(0) if self.seconds else 0.0


def line(judge: Judge) -> tuple[DelayLine, list[bytes]]:
    passed: list[bytes] = []
    loop = asyncio.get_running_loop()
    return DelayLine(loop, judge, lambda data, address: passed.append(data)), passed


async def until_empty(made: DelayLine) -> None:
    async with asyncio.timeout(30.0):
        while len(made):  # noqa: ASYNC110 - a line tells nobody that it is empty
            await asyncio.sleep(0.001)


async def test_what_need_not_wait_passes_at_once() -> None:
    judge = Judge()
    made, passed = line(judge)
    made.put(b"one", HERE)
    assert passed == [b"one"]
    assert judge.sizes == [3]


async def test_what_has_to_wait_passes_later_and_in_order() -> None:
    made, passed = line(Judge(0.01, 0.02, 0.0))
    for data in (b"one", b"two", b"three"):
        made.put(data, HERE)
    assert passed == []
    assert len(made) == 3
    await until_empty(made)
    assert passed == [b"one", b"two", b"three"], "the third did not overtake"


async def test_what_is_to_be_lost_is_lost() -> None:
    made, passed = line(Judge(None, 0.0))
    made.put(b"one", HERE)
    made.put(b"two", HERE)
    assert passed == [b"two"]


async def test_the_last_words_go_out_when_the_socket_closes() -> None:
    made, passed = line(Judge(9.0, 9.0))
    made.put(b"one", HERE)
    made.put(b"two", HERE)
    made.flush()
    assert passed == [b"one", b"two"]
    assert len(made) == 0


async def test_a_closed_line_passes_nothing_more() -> None:
    made, passed = line(Judge(0.005))
    made.put(b"one", HERE)
    made.close()
    await asyncio.sleep(0.02)
    assert passed == []


async def test_what_is_put_while_others_pass_waits_behind_them() -> None:
    loop = asyncio.get_running_loop()
    passed: list[bytes] = []

    def pass_on(data: bytes, address: object) -> None:
        passed.append(data)
        if data == b"one":
            made.put(b"late", HERE)

    made = DelayLine(loop, Judge(0.005, 0.006), pass_on)
    made.put(b"one", HERE)
    made.put(b"two", HERE)
    await until_empty(made)
    assert passed == [b"one", b"two", b"late"]
