"""Trains the guide, the small model that comes with Potluck, and its draft model.

Run from the repository's root, in an environment with torch 2.13, tokenizers and gguf:

    python -m tools.train_guide --out resources/models

On two processor cores it takes about 40 minutes. `--start` goes on from the work folder of a
former round, with other samples if `--seed` is another. `--smoke` checks the whole path in a
minute, with models that know nothing. Seeds are fixed: the same machine and versions repeat a
run, as long as `--steps` and not `--minutes` ends it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.guide_gguf import (
    DRAFT,
    GUIDE,
    Shape,
    Vocabulary,
    count_parameters,
    write_model,
)
from tools.guide_network import Parameters, forward, new_parameters, parameter_shapes
from tools.guide_text import (
    ASSISTANT,
    END,
    SPECIAL_TOKENS,
    Samples,
    Topic,
    all_questions,
    normalise,
    read_evaluation,
    read_topics,
)

SEED = 2026
# Of a question's token in the loss, against 1 for an answer's. An answer once begun is soon
# known by heart, so what is left to learn is which one to begin; at 0.1 the guessing of
# questions, which nobody needs, made up most of the loss and drowned that.
QUESTION_WEIGHT = 0.02
BATCHES_IN_POOL = 24  # drawn together and sorted by length, so that rows need little padding
SPECIAL = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))
LONGEST_ROW = 320  # tokens; three turns with stories would be longer, and are left out

# torch and tokenizers are no dependencies of the project: imported by name, where used.
Array = NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """How long and how hard one model is trained."""

    steps: int
    minutes: float  # an upper limit; the learning rate still comes down in time
    learning_rate: float
    batch_tokens: int  # padding included
    dropout: float


@dataclass(frozen=True)
class Batch:
    """Token ids (rows, positions) and the weight of each as a target, same shape."""

    tokens: Array
    weights: NDArray[np.float32]


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """Learn a byte-level BPE tokenizer (a `tokenizers.Tokenizer`) on these texts."""
    tokenizers = importlib.import_module("tokenizers")
    byte_level = tokenizers.pre_tokenizers.ByteLevel
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = byte_level(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(byte_level.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def vocabulary_of(tokenizer: Any) -> Vocabulary:
    """Return the tokens by id and the merges of a trained tokenizer."""
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    return Vocabulary(tuple(tokens), tuple(merges))


def weigh(tokens: Sequence[int]) -> list[float]:
    """Return each token's weight as a target: whole for answers and stories, low for the rest.

    A text without turns is a story. The end of an answer counts with the answer.
    """
    end, assistant = SPECIAL_TOKENS.index(END), SPECIAL_TOKENS.index(ASSISTANT)
    if assistant not in tokens:
        return [1.0] * len(tokens)
    weights = []
    answering = False
    for token in tokens:
        weights.append(1.0 if answering else QUESTION_WEIGHT)
        if token == assistant:
            answering = True
        elif token == end:
            answering = False
    return weights


def batches(tokenizer: Any, samples: Samples, plan: Plan, rng: random.Random) -> Iterator[Batch]:
    """Yield batches for ever, each of rows of about one length."""
    while True:
        rows: list[list[int]] = []
        total = 0
        while total < plan.batch_tokens * BATCHES_IN_POOL:
            row = tokenizer.encode(samples.draw()).ids
            if len(row) <= LONGEST_ROW:
                rows.append(row)
                total += len(row)
        rows.sort(key=len)
        pool: list[list[list[int]]] = [[]]
        for row in rows:
            if len(row) * (len(pool[-1]) + 1) > plan.batch_tokens:
                pool.append([])
            pool[-1].append(row)
        rng.shuffle(pool)
        yield from (_pad(chosen) for chosen in pool)


def _pad(rows: Sequence[Sequence[int]]) -> Batch:
    positions = max(len(row) for row in rows)
    tokens = np.zeros((len(rows), positions), dtype=np.int64)
    weights = np.zeros((len(rows), positions), dtype=np.float32)
    for place, row in enumerate(rows):
        tokens[place, : len(row)] = row
        weights[place, : len(row)] = weigh(row)
    return Batch(tokens, weights)


def learning_rate_at(progress: float, highest: float) -> float:
    """Return the learning rate at a share 0..1 of the run: a short rise, then a cosine."""
    if progress < 0.03:
        return highest * max(progress, 1e-3) / 0.03
    return highest * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


def train(
    shape: Shape,
    plan: Plan,
    stream: Iterator[Batch],
    checkpoint: Path,
    start: Path | None = None,
) -> Parameters:
    """Train one model, afresh or from the checkpoint `start`, and return its parameters.

    A copy is saved at `checkpoint` now and then.
    """
    torch = importlib.import_module("torch")
    torch.manual_seed(SEED)
    parameters = new_parameters(shape, SEED)
    if start is not None:
        for name, tensor in torch.load(start, weights_only=True).items():
            parameters[name].data.copy_(tensor)
    optimisers = _optimisers(torch, parameters)
    started = time.monotonic()
    seen, recent = 0, 0.0
    for step in range(plan.steps):
        minutes = (time.monotonic() - started) / 60
        progress = max(step / plan.steps, minutes / plan.minutes)
        if progress >= 1:
            break
        for group in [group for each in optimisers for group in each.param_groups]:
            group["lr"] = learning_rate_at(progress, plan.learning_rate)
        batch = next(stream)
        loss = _loss(torch, parameters, shape, batch, plan.dropout)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), 1.0)
        for each in optimisers:
            each.step()
            each.zero_grad()
        seen += batch.tokens.size
        recent = loss.item() if step == 0 else 0.95 * recent + 0.05 * loss.item()
        if step % 50 == 0:
            speed = seen / (time.monotonic() - started)
            print(
                f"{shape.name}: step {step}, {minutes:.1f} min, loss {recent:.3f},"
                f" {speed:.0f} tokens/s",
                flush=True,
            )
        if step % 400 == 399:
            torch.save(parameters, checkpoint)
    torch.save(parameters, checkpoint)
    return parameters


def _optimisers(torch: Any, parameters: Parameters) -> list[Any]:
    """Return Muon for the matrices of the blocks, and AdamW for the embedding and the norms."""
    inner = [
        tensor
        for name, tensor in parameters.items()
        if tensor.dim() > 1 and name != "token_embd.weight"
    ]
    norms = [tensor for tensor in parameters.values() if tensor.dim() == 1]
    outer = [
        {"params": [parameters["token_embd.weight"]], "weight_decay": 0.1},
        {"params": norms, "weight_decay": 0.0},
    ]
    return [
        # This adjustment lets both take the same learning rate.
        torch.optim.Muon(inner, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, betas=(0.9, 0.98), fused=True),
    ]


def _loss(torch: Any, parameters: Parameters, shape: Shape, batch: Batch, dropout: float) -> Any:
    tokens = torch.from_numpy(batch.tokens)
    weights = torch.from_numpy(batch.weights)[:, 1:]
    # bfloat16 was 1.4 times as fast as float32 on two cores with AVX512-BF16.
    with torch.autocast("cpu", torch.bfloat16):
        scores = forward(parameters, shape, tokens[:, :-1], dropout=dropout)
    losses = torch.nn.functional.cross_entropy(
        scores.float().flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
    )
    return (losses * weights.flatten()).sum() / weights.sum()


def export(path: Path, shape: Shape, tokenizer: Any, parameters: Parameters) -> None:
    """Write trained parameters to a GGUF file and say how large it is."""
    count = count_parameters(list(parameter_shapes(shape).values()))
    arrays = {name: tensor.detach().float().numpy() for name, tensor in parameters.items()}
    write_model(path, shape, vocabulary_of(tokenizer), arrays, f"{count / 1e6:.1f}M")
    print(f"{path}: {count:,} parameters, {path.stat().st_size:,} bytes", flush=True)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the guide and its draft model.")
    parser.add_argument("--out", type=Path, default=Path("resources/models"))
    parser.add_argument("--work", type=Path, default=Path("build/guide"), help="checkpoints")
    parser.add_argument("--steps", type=int, default=1800, help="of the guide")
    parser.add_argument("--draft-steps", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=80, help="upper limit for the guide")
    parser.add_argument("--draft-minutes", type=float, default=20)
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="the highest")
    parser.add_argument("--start", type=Path, help="work folder of a former round, to go on from")
    parser.add_argument("--seed", type=int, default=SEED, help="of the samples; new each round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="a few steps, to check the path")
    return parser.parse_args()


def main() -> None:
    """Train the tokenizer, the guide and the draft, and write both model files."""
    arguments = parse_arguments()
    importlib.import_module("torch").set_num_threads(arguments.threads)
    if arguments.smoke:
        arguments.steps = arguments.draft_steps = 3
    arguments.out.mkdir(parents=True, exist_ok=True)
    arguments.work.mkdir(parents=True, exist_ok=True)

    topics = read_topics()
    excluded = frozenset(normalise(entry.question) for entry in read_evaluation())
    tokenizer = _tokenizer(topics, excluded, arguments.start)
    tokenizer.save(str(arguments.work / "tokenizer.json"))

    rate = arguments.learning_rate
    for shape, plan, file_name in (
        (GUIDE, Plan(arguments.steps, arguments.minutes, rate, 3072, 0.1), "guide-7m-q8_0"),
        (
            DRAFT,
            Plan(arguments.draft_steps, arguments.draft_minutes, 2 * rate, 3072, 0.0),
            "guide-draft-q8_0",
        ),
    ):
        seed = arguments.seed + shape.blocks
        stream = batches(
            tokenizer, Samples(topics, seed, excluded), plan, random.Random(arguments.seed)
        )
        start = arguments.start and arguments.start / f"{file_name}.pt"
        parameters = train(shape, plan, stream, arguments.work / f"{file_name}.pt", start)
        export(arguments.out / f"{file_name}.gguf", shape, tokenizer, parameters)


def _tokenizer(topics: Sequence[Topic], excluded: frozenset[str], start: Path | None) -> Any:
    # A second round must keep the tokens of the first: their embeddings are learned already.
    if start is not None:
        tokenizers = importlib.import_module("tokenizers")
        return tokenizers.Tokenizer.from_file(str(start / "tokenizer.json"))
    practice = Samples(topics, SEED, excluded)
    # Special tokens are whole already: their letters must not earn merges.
    drawn = [SPECIAL.sub("\n", practice.draw()) for _ in range(8000)]
    return train_tokenizer(sorted(all_questions(topics)) + drawn, GUIDE.vocabulary)


if __name__ == "__main__":
    main()
