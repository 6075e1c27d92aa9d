"""What a span takes besides its weights; see app/engine/footprint.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app.engine.footprint import GRAPH_WIDTHS, MASK_BYTES, WORKER_BYTES, footprint
from tests.helpers.slices import plan_of

BATCH = 128


def test_keys_and_values_of_all_tokens_are_counted_on_every_block(
    model: Callable[[str], Path],
) -> None:
    cut = replace(plan_of(model("llama")), position_bytes=(10, 10, 30, 10, 10, 0))
    cells = 8192 + 1024  # one in eight is there besides
    taken = footprint(cut, tokens=8192, batch_rows=BATCH).unit_bytes
    assert len(taken) == len(cut.units)
    # Once more for the moment in which they are written anew.
    assert taken[1:-1] == tuple(size * (cells + 8192) for size in (10, 10, 30, 10, 10, 0))
    assert taken[0] == 0
    assert taken[-1] == 2 * 4 * cut.vocabulary_size * BATCH


def test_what_is_handed_on_is_kept_as_wide_as_it_crosses_the_wire(
    model: Callable[[str], Path],
) -> None:
    cut = plan_of(model("llama"))
    assert footprint(cut, tokens=8192, batch_rows=BATCH).handing_on_bytes == 8192 * cut.width * 4


def test_more_tokens_take_more_of_everything_but_the_head(model: Callable[[str], Path]) -> None:
    cut = plan_of(model("llama"))
    few, many = (footprint(cut, tokens=tokens, batch_rows=BATCH) for tokens in (1024, 4096))
    assert many.handing_on_bytes == 4 * few.handing_on_bytes
    assert many.unit_bytes[1] == 4 * few.unit_bytes[1]
    assert many.unit_bytes[-1] == few.unit_bytes[-1]
    assert many.span_bytes - few.span_bytes == MASK_BYTES * BATCH * (3072 + 384)
    assert few.span_bytes > WORKER_BYTES + GRAPH_WIDTHS * 4 * cut.width * BATCH
