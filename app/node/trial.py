"""A short trial of a whole model on this computer: how fast it writes, before anybody asked.

It does what a chat does, token by token, and measures as a chat does (`Answer.tokens_per_second`
of `app/swarm/generate.py`). `app/node/model_offers.py` keeps what comes out.
"""

from __future__ import annotations

from typing import Final

from app.clock import Clock
from app.engine.supervisor import Engine
from app.swarm.local_chain import LocalChain
from app.swarm.sampling import SamplingOptions, choose

TOKENS: Final = 24
MOST_SECONDS: Final = 3.0
"""A slow model is tried no longer; two tokens are enough to tell."""


async def try_writing(engine: Engine, clock: Clock) -> float | None:
    """Tokens a second; None when it wrote too few to tell. Takes one place in the engine.

    Raises:
        NoRoom, EngineFault: it cannot be tried now.
    """
    options = SamplingOptions()
    chain = LocalChain(engine, tokens=TOKENS + 1, candidates=options.candidates)
    try:
        tokens = [0]
        began = last = clock.monotonic()
        first = began
        while len(tokens) <= TOKENS and last - began < MOST_SECONDS:
            found = await chain.step(len(tokens) - 1, tokens[-1:])
            token = choose(found.ids[0], found.logits[0], options, earlier=tokens, draw=0.5)
            tokens.append(token)
            last = clock.monotonic()
            first = last if len(tokens) == 2 else first
    finally:
        await chain.close()
    written = len(tokens) - 1
    return (written - 1) / (last - first) if written > 1 and last > first else None
