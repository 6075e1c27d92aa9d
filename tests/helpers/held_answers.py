"""Answers that stand still after their first words, so that a test finds them in the middle.

The embedded guide writes its longest answer in a third of a second: whoever means to come in
between must not have to be quick. The scripted node's way is `FakeConversations.waits_at`.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from app.swarm.generate import Answer, AnswerRequest, Generator


def hold_answers(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """From now on no answer of this process goes on after its first words until this is set."""
    go_on = asyncio.Event()
    next_token = Generator._next

    async def held(
        self: Generator, request: AnswerRequest, answer: Answer, chance: random.Random
    ) -> int:
        if answer.text:
            await go_on.wait()
        return await next_token(self, request, answer, chance)

    monkeypatch.setattr(Generator, "_next", held)
    return go_on
