"""Layers as people count them; see app/layer_words.py."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import Span
from app.layer_words import layers_among, layers_of

HEAD_UNIT = 9


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (Span(0, 10), "all 8 layers"),
        (Span(0, 4), "the input and layers 1 to 3"),
        (Span(1, 9), "layers 1 to 8"),
        (Span(3, 4), "layer 3"),
        (Span(7, 10), "layers 7 to 8 and the output"),
        (Span(0, 1), "the input"),
        (Span(9, 10), "the output"),
    ],
)
def test_a_span_is_told_in_layers_and_the_ends_are_none(span: Span, words: str) -> None:
    assert layers_of(span, HEAD_UNIT).words == words


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ([4, 5, 6], "layers 4 to 6"),
        ([2, 5], "layers 2, 5"),
        ([7, 1, 2, 3, 5], "layers 1-3, 5, 7"),
        ([0, 9], "the input and the output"),
        ([0, 3, 9], "the input, layer 3 and the output"),
        (range(10), "the input, layers 1 to 8 and the output"),
    ],
)
def test_single_units_are_each_named(units: list[int], words: str) -> None:
    assert layers_among(units, HEAD_UNIT).words == words


def test_where_a_model_ends_need_not_be_known() -> None:
    assert layers_of(Span(0, 10), None).words == "the input and layers 1 to 9"


@settings(deadline=None)
@given(units=st.sets(st.integers(0, 60), min_size=1), head_unit=st.integers(2, 60) | st.none())
def test_whatever_is_lacking_is_named_once_each(units: set[int], head_unit: int | None) -> None:
    told = layers_among(units, head_unit).words
    named = set()
    if "the input" in told:
        named.add(0)
    if head_unit is not None and "the output" in told:
        named.add(head_unit)
    for part in told.replace(" to ", "-").replace(" and", ",").split(", "):
        numbers = part.removeprefix("layers ").removeprefix("layer ").split("-")
        if numbers[0].isdigit():
            named |= set(range(int(numbers[0]), int(numbers[-1]) + 1))
    assert named == units
