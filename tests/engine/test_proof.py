"""A model is shown to be one that can be cut, or is refused; see app/engine/proof.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.engine import proof
from app.engine.llama import WholeModel
from app.engine.slicing import Plan
from app.errors import EngineFault, UnsupportedModel
from tests.helpers.slices import plan_of
from tests.helpers.tiny_models import write_llama
from tests.helpers.worded_models import write_worded

pytestmark = pytest.mark.real

Models = Callable[[str], Path]


def test_a_model_that_can_be_cut_is_proven_in_a_process_of_its_own(model: Models) -> None:
    path = model("llama")
    proof.prove(path, plan_of(path))


@pytest.mark.parametrize("family", ["qwen2", "gemma3", "gpt-oss"])
def test_slices_give_the_bits_of_the_whole(model: Models, family: str, tmp_path: Path) -> None:
    path = model(family)
    proof.compare(path, plan_of(path), tmp_path)
    assert list(tmp_path.glob("[1-9]*.gguf")) == []


def test_a_model_with_words_is_proven_too(tmp_path: Path) -> None:
    path = write_worded(tmp_path / "worded.gguf")
    proof.compare(path, plan_of(path), tmp_path)


def test_an_embedding_that_is_scaled_otherwise_is_noticed(model: Models, tmp_path: Path) -> None:
    path = model("llama")
    cut = replace(plan_of(path), embedding_scale=1.5)
    with pytest.raises(UnsupportedModel, match=r"alone, layer 1 would compute .* \(off by \d"):
        proof.compare(path, cut, tmp_path)


def test_a_block_that_is_not_the_wholes_is_noticed(
    model: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model("llama")
    other = write_llama(tmp_path / "other.gguf", seed=99)
    store = proof._stored

    def store_another(asked: Path, cut: Plan, unit: int, folder: Path) -> Path:
        return store(other if unit == 3 else asked, cut, unit, folder)

    monkeypatch.setattr(proof, "_stored", store_another)
    with pytest.raises(UnsupportedModel, match="alone, layer 3 would"):
        proof.compare(path, plan_of(path), tmp_path)


def test_a_graph_that_names_too_few_layers_is_refused(
    model: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model("llama")
    whole = WholeModel.layer_outputs

    def fewer(self: WholeModel, tokens: list[int]) -> object:
        layers, logits = whole(self, tokens)
        return layers[1:], logits

    monkeypatch.setattr(WholeModel, "layer_outputs", fewer)
    with pytest.raises(UnsupportedModel, match="names 5 layer outputs for 6 blocks"):
        proof.compare(path, plan_of(path), tmp_path)


def test_a_file_llama_cpp_cannot_load_is_refused_with_a_reason(
    model: Models, tmp_path: Path
) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(model("llama").read_bytes()[:-4000])
    with pytest.raises(UnsupportedModel) as refused:
        proof.prove(path, plan_of(model("llama")))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os\nos.abort()", "llama.cpp could not run it"),
        ("print('not JSON')\nraise SystemExit(3)", r"could not run it \(exit code 3\)"),
        ("print('[]')\nraise SystemExit(1)", "could not run it"),
        ('print(\'{"refused": "odd shapes"}\')\nraise SystemExit(1)', "^odd shapes$"),
    ],
    ids=["crashes", "babbles", "says nothing", "refuses"],
)
def test_a_proof_that_dies_is_a_refusal_and_harms_nobody(
    model: Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, words: str
) -> None:
    script = tmp_path / "proof"
    script.write_text(f"#!{sys.executable}\n{program}\n")
    script.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(script))
    path = model("llama")
    with pytest.raises(UnsupportedModel, match=words):
        proof.prove(path, plan_of(path))


@pytest.mark.parametrize("error", [EngineFault("no room"), OSError(28, "No space left on device")])
def test_the_process_says_why_in_one_line(
    model: Models,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    def fails(path: Path, cut: Plan, folder: Path) -> None:
        raise error

    monkeypatch.setattr(proof, "compare", fails)
    assert proof.main([str(model("llama"))]) == 1
    assert json.loads(capsys.readouterr().out) == {"refused": str(error)}
