"""Chooses the next token from the best candidates a head returned.

Pure: chance comes in as a number. The order of the steps is llama.cpp's:
repetition penalty, top-k, top-p, min-p, temperature, draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

GREEDY_CANDIDATES: Final = 1
FEWEST_CANDIDATES: Final = 64
"""Asked for when chance or penalties may prefer another than the first."""
MOST_CANDIDATES: Final = 1024
PENALTY_WINDOW: Final = 64
"""How many of the last tokens a repetition penalty looks at, as in llama.cpp."""


class SamplingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a token is chosen; temperature 0 always takes the likeliest.

    `top_k` 0 and `top_p` 1 and `min_p` 0 and `repetition_penalty` 1 switch each off.
    """

    temperature: Annotated[float, msgspec.Meta(ge=0.0, le=10.0)] = 0.0
    top_k: Annotated[int, msgspec.Meta(ge=0, le=MOST_CANDIDATES)] = 40
    top_p: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 0.95
    min_p: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.05
    repetition_penalty: Annotated[float, msgspec.Meta(ge=0.1, le=10.0)] = 1.0

    @property
    def candidates(self) -> int:
        """How many candidates of each position a head has to send."""
        if self.temperature == 0 and self.repetition_penalty == 1:
            return GREEDY_CANDIDATES
        if self.top_k == 0:
            return MOST_CANDIDATES
        return max(self.top_k, FEWEST_CANDIDATES)


def choose(
    ids: NDArray[np.int32],
    logits: NDArray[np.float32],
    options: SamplingOptions,
    *,
    earlier: Sequence[int],
    draw: float,
) -> int:
    """The next token.

    Args:
        ids: candidates [n], best first.
        logits: their logits [n], falling.
        options: how to choose.
        earlier: the tokens so far; the last `PENALTY_WINDOW` count.
        draw: a number of chance, 0 <= draw < 1.
    """
    values = _penalised(ids, logits, options.repetition_penalty, earlier)
    order = np.argsort(-values, kind="stable")
    ids, values = ids[order], values[order]
    if options.temperature == 0:
        return int(ids[0])
    if options.top_k:
        ids, values = ids[: options.top_k], values[: options.top_k]
    values = values[: _top_p_count(values, options.top_p)]
    if options.min_p:
        values = values[values >= values[0] + np.log(options.min_p)]
    with np.errstate(over="ignore"):  # near 0 all others are infinitely far behind the first
        weights = np.exp((values - values[0]) / options.temperature)
    reached = np.cumsum(weights) / weights.sum()
    return int(ids[min(int(np.searchsorted(reached, draw, side="right")), len(values) - 1)])


def _penalised(
    ids: NDArray[np.int32],
    logits: NDArray[np.float32],
    penalty: float,
    earlier: Sequence[int],
) -> NDArray[np.float64]:
    values = logits.astype(np.float64)
    if penalty != 1:
        seen = np.isin(ids, np.array(earlier[-PENALTY_WINDOW:], dtype=np.int64))
        values[seen] = np.where(values[seen] > 0, values[seen] / penalty, values[seen] * penalty)
    return values


def _top_p_count(values: NDArray[np.float64], top_p: float) -> int:
    """How many of the best reach `top_p` of the probability together."""
    if top_p >= 1:
        return len(values)
    weights = np.exp(values - values[0])
    reached = np.cumsum(weights) / weights.sum()
    return int(np.searchsorted(reached, top_p)) + 1
