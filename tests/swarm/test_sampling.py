"""Choosing the next token: each step by itself, their order, and the extremes."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.swarm.sampling import (
    FEWEST_CANDIDATES,
    GREEDY_CANDIDATES,
    MOST_CANDIDATES,
    PENALTY_WINDOW,
    SamplingOptions,
    choose,
)

IDS = np.array([10, 20, 30, 40], np.int32)
LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05])).astype(np.float32)
EVERYTHING = SamplingOptions(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)


def pick(
    options: SamplingOptions,
    *,
    draw: float = 0.0,
    earlier: list[int] | None = None,
    logits: np.ndarray = LOGITS,
) -> int:
    return choose(IDS, logits, options, earlier=earlier or [], draw=draw)


def reachable(options: SamplingOptions, *, logits: np.ndarray = LOGITS) -> set[int]:
    """Every token that some chance leads to."""
    draws = np.linspace(0, 1, 997, endpoint=False)
    return {pick(options, draw=float(draw), logits=logits) for draw in draws}


def test_temperature_zero_takes_the_likeliest_whatever_the_chance() -> None:
    assert {pick(SamplingOptions(), draw=draw) for draw in (0.0, 0.5, 0.999999)} == {10}


@pytest.mark.parametrize(
    ("draw", "token"),
    [(0.0, 10), (0.49, 10), (0.51, 20), (0.79, 20), (0.81, 30), (0.94, 30), (0.96, 40)],
)
def test_chance_falls_on_each_token_by_its_probability(draw: float, token: int) -> None:
    assert pick(EVERYTHING, draw=draw) == token


def test_top_k_keeps_the_best() -> None:
    assert reachable(msgspec.structs.replace(EVERYTHING, top_k=2)) == {10, 20}
    assert reachable(msgspec.structs.replace(EVERYTHING, top_k=1)) == {10}


def test_top_k_zero_keeps_all() -> None:
    assert reachable(EVERYTHING) == {10, 20, 30, 40}


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.4, {10}), (0.6, {10, 20}), (0.9, {10, 20, 30}), (0.99, {10, 20, 30, 40}), (1e-9, {10})],
)
def test_top_p_keeps_the_fewest_that_reach_it_together(top_p: float, kept: set[int]) -> None:
    assert reachable(msgspec.structs.replace(EVERYTHING, top_p=top_p)) == kept


@pytest.mark.parametrize(
    ("min_p", "kept"), [(0.05, {10, 20, 30, 40}), (0.2, {10, 20, 30}), (0.5, {10, 20}), (1, {10})]
)
def test_min_p_drops_what_is_far_below_the_best(min_p: float, kept: set[int]) -> None:
    assert reachable(msgspec.structs.replace(EVERYTHING, min_p=min_p)) == kept


def test_a_high_temperature_evens_out_and_a_low_one_sharpens() -> None:
    hot = msgspec.structs.replace(EVERYTHING, temperature=10.0)
    cold = msgspec.structs.replace(EVERYTHING, temperature=0.1)
    assert pick(hot, draw=0.3) == 20
    assert pick(EVERYTHING, draw=0.3) == 10
    assert pick(cold, draw=0.98) == 10


def test_temperature_comes_after_the_cuts() -> None:
    # Warm first and top-p 0.6 would keep three; cut first, two are left.
    options = msgspec.structs.replace(EVERYTHING, temperature=10.0, top_p=0.6)
    assert reachable(options) == {10, 20}


def test_top_p_counts_only_what_top_k_left() -> None:
    # Of the first two, 10 alone has 0.625; of all four it has 0.5.
    options = msgspec.structs.replace(EVERYTHING, top_k=2, top_p=0.6)
    assert reachable(options) == {10}


def test_the_penalty_comes_before_top_k() -> None:
    options = msgspec.structs.replace(EVERYTHING, top_k=1, repetition_penalty=4.0)
    assert pick(options, earlier=[10]) == 20


def test_greedy_takes_the_penalty_into_account() -> None:
    options = SamplingOptions(repetition_penalty=10.0)
    assert pick(options) == 10
    assert pick(options, earlier=[10]) == 20
    assert pick(options, earlier=[10, 20, 30]) == 40


def test_the_penalty_lowers_positive_and_negative_logits_alike() -> None:
    logits = np.array([2.0, 1.5, -1.0, -1.5], np.float32)
    options = SamplingOptions(repetition_penalty=2.0)
    assert pick(options, earlier=[10], logits=logits) == 20
    below = np.array([-1.0, -1.5, -3.0, -4.0], np.float32)
    assert pick(options, earlier=[10], logits=below) == 20


def test_a_penalty_below_one_invites_repetition() -> None:
    assert pick(SamplingOptions(repetition_penalty=0.1), earlier=[40]) == 40


def test_the_penalty_forgets_what_is_long_ago() -> None:
    options = SamplingOptions(repetition_penalty=4.0)
    assert pick(options, earlier=[10, *[99] * (PENALTY_WINDOW - 1)]) == 20
    assert pick(options, earlier=[10, *[99] * PENALTY_WINDOW]) == 10


def test_of_equals_the_first_wins_greedily() -> None:
    assert pick(SamplingOptions(), logits=np.zeros(4, np.float32)) == 10


@pytest.mark.parametrize(
    ("options", "candidates"),
    [
        (SamplingOptions(), GREEDY_CANDIDATES),
        (SamplingOptions(repetition_penalty=1.1), FEWEST_CANDIDATES),
        (SamplingOptions(temperature=1.0, top_k=5), FEWEST_CANDIDATES),
        (SamplingOptions(temperature=1.0, top_k=500), 500),
        (SamplingOptions(temperature=1.0, top_k=0), MOST_CANDIDATES),
        (SamplingOptions(repetition_penalty=1.1, top_k=0), MOST_CANDIDATES),
    ],
)
def test_it_asks_for_as_many_candidates_as_it_needs(
    options: SamplingOptions, candidates: int
) -> None:
    assert options.candidates == candidates


@pytest.mark.parametrize(
    "field",
    [
        {"temperature": -0.1},
        {"temperature": 11.0},
        {"temperature": math.nan},
        {"top_k": -1},
        {"top_k": MOST_CANDIDATES + 1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"min_p": -0.1},
        {"min_p": 1.1},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": math.inf},
        {"beams": 4},
    ],
)
def test_options_out_of_bounds_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(field, SamplingOptions)


OPTIONS = st.builds(
    SamplingOptions,
    temperature=st.floats(0, 10),
    top_k=st.integers(0, MOST_CANDIDATES),
    top_p=st.floats(0, 1, exclude_min=True),
    min_p=st.floats(0, 1),
    repetition_penalty=st.floats(0.1, 10),
)
ANY_LOGITS = arrays.arrays(
    np.float32,
    st.integers(1, 40),
    elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
).map(lambda values: np.sort(values)[::-1].copy())


@settings(deadline=None, max_examples=80)
@given(ANY_LOGITS, OPTIONS, st.floats(0, 1, exclude_max=True), st.lists(st.integers(0, 40)))
def test_the_token_is_always_one_of_the_candidates(
    logits: np.ndarray, options: SamplingOptions, draw: float, earlier: list[int]
) -> None:
    ids = np.arange(len(logits), dtype=np.int32)
    token = choose(ids, logits, options, earlier=earlier, draw=draw)
    assert 0 <= token < len(logits)
    assert choose(ids, logits, options, earlier=earlier, draw=draw) == token
    if options.top_k and options.repetition_penalty == 1:
        assert token < max(options.top_k, 1)


@settings(deadline=None, max_examples=80)
@given(
    arrays.arrays(np.float32, 8, elements=st.floats(-5, 5, width=32)),
    st.floats(0.2, 3),
    st.floats(0, 1, exclude_max=True),
)
def test_chance_alone_agrees_with_the_textbook(
    values: np.ndarray, temperature: float, draw: float
) -> None:
    logits = np.sort(values)[::-1].copy()
    options = msgspec.structs.replace(EVERYTHING, temperature=temperature)
    token = choose(np.arange(8, dtype=np.int32), logits, options, earlier=[], draw=draw)
    weights = np.exp(logits.astype(np.float64) / temperature)
    reached = np.concatenate([[0], np.cumsum(weights / weights.sum())])
    assert reached[token] - 1e-9 <= draw <= reached[token + 1] + 1e-9


def test_a_temperature_of_almost_nothing_takes_the_likeliest() -> None:
    for temperature in (5e-324, 1e-320, 1e-300):
        ids = np.arange(3, dtype=np.int32)
        logits = np.array([9.0, 8.5, -40.0], dtype=np.float32)
        options = SamplingOptions(temperature=temperature, top_k=0, top_p=1.0, min_p=0.0)
        assert choose(ids, logits, options, earlier=[], draw=0.999) == 0
