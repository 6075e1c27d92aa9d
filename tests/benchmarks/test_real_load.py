"""What the engine alone gains is told in figures; see benchmarks/real_load.py."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType

from benchmarks.models import Shape, write_random_model
from benchmarks.real_load import engine_fields


def test_a_gain_is_what_so_many_rows_take_alone_over_what_they_take_together() -> None:
    fields = engine_fields({1: 0.02, 2: 0.025, 8: 0.04})
    assert (fields["engine_speedup_2"], fields["engine_speedup_8"]) == (1.6, 4.0)
    assert fields["engine_rows_ms"] == {"1": 20.0, "2": 25.0, "8": 40.0}
    assert "engine_speedup_1" not in fields


def test_sixteen_bit_weights_keep_the_size_of_what_goes_through_them(tmp_path: Path) -> None:
    shape = Shape(2, 256, 512, heads=4, kv_heads=2, vocabulary=96, kind=GGMLQuantizationType.F16)
    assert shape.text == "random llama 2 x 256, F16"
    reader = gguf.GGUFReader(write_random_model(tmp_path / "half.gguf", shape))
    weights = next(each.data for each in reader.tensors if each.name == "blk.0.ffn_up.weight")
    assert weights.dtype == np.float16
    assert weights.shape == (512, 256)
    spread = float(np.std(weights.astype(np.float32))) * 256**0.5
    assert 0.5 < spread < 1.5
    assert abs(float(weights.astype(np.float32).mean())) < 0.01


def test_weights_of_a_kind_that_is_not_drawn_are_refused(tmp_path: Path) -> None:
    shape = Shape(1, 64, 96, heads=2, kv_heads=1, kind=GGMLQuantizationType.Q4_K)
    with pytest.raises(ValueError, match="Q4_K"):
        write_random_model(tmp_path / "never.gguf", shape)
