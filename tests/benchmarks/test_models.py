"""The random models of the benchmarks: they can be published, cut and put in place."""

from __future__ import annotations

import hashlib
from pathlib import Path

from app.engine.slice_files import HEADER_ROOM_BYTES
from app.ids import Span
from benchmarks.models import Shape, publish_here, write_random_model

SMALL = Shape(blocks=2, width=64, feed_forward=96, heads=4, kv_heads=2, vocabulary=96, context=128)


def test_a_random_model_is_cut_into_units_that_are_put_in_place(tmp_path: Path) -> None:
    model = publish_here(write_random_model(tmp_path / "small.gguf", SMALL), tmp_path)
    assert (model.plan.block_count, model.plan.width) == (2, 64)
    data, opened = model.stock(tmp_path / "data", Span(1, 3))
    for unit, entry in enumerate(opened.manifest.units):
        assert data.store.has(entry) == (unit in (1, 2))
    payload = data.store.path(opened.manifest.units[1].sha256).read_bytes()[HEADER_ROOM_BYTES:]
    assert hashlib.sha256(payload).digest() == opened.manifest.units[1].sha256


def test_the_same_seed_writes_the_same_model(tmp_path: Path) -> None:
    first = write_random_model(tmp_path / "first.gguf", SMALL, seed=3).read_bytes()
    assert first == write_random_model(tmp_path / "again.gguf", SMALL, seed=3).read_bytes()
    assert first != write_random_model(tmp_path / "other.gguf", SMALL, seed=4).read_bytes()


def test_a_shape_says_what_it_is() -> None:
    assert SMALL.text == "random llama 2 x 64, Q8_0"
