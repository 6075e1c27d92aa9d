"""Asks the finished guide sixty questions it was not trained on, and counts right answers.

    python -m tools.evaluate_guide resources/models/guide-7m-q8_0.gguf

An answer is right when it holds the key phrase of its topic. Answers are greedy, made by
llama.cpp through the model's own chat template, so this is what a person would see. Before
asking, the script checks that none of the questions stands in the training text.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.guide_text import (
    EvaluationQuestion,
    Topic,
    all_questions,
    normalise,
    read_evaluation,
    read_topics,
)

LONGEST_ANSWER = 160  # tokens; the longest story of the corpus has fewer


@dataclass(frozen=True)
class Outcome:
    """One question, what the guide said, and whether that holds the key phrase."""

    question: str
    key: str
    answer: str
    right: bool


def questions_in_training_text(
    questions: Sequence[EvaluationQuestion], topics: Sequence[Topic]
) -> list[str]:
    """Return the questions that the corpus holds too, compared without case and marks."""
    known = all_questions(topics)
    return [entry.question for entry in questions if normalise(entry.question) in known]


def judge(questions: Sequence[EvaluationQuestion], ask: Callable[[str], str]) -> list[Outcome]:
    """Ask every question and judge each answer by its key phrase."""
    outcomes = []
    for entry in questions:
        answer = ask(entry.question)
        right = entry.key in answer.lower()
        outcomes.append(Outcome(entry.question, entry.key, answer, right))
    return outcomes


def share_of_right(outcomes: Sequence[Outcome]) -> float:
    """Return the share 0..1 of right answers."""
    return sum(outcome.right for outcome in outcomes) / len(outcomes)


def open_guide(path: Path) -> Callable[[str], str]:
    """Load a model and return a function that answers one question, greedily."""
    # The binding loads a native library on import, so it is imported only here.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    llama_cpp: Any = importlib.import_module("llama_cpp")
    model = llama_cpp.Llama(str(path), n_ctx=512, n_threads=2, verbose=False)

    def ask(question: str) -> str:
        reply = model.create_chat_completion(
            [{"role": "user", "content": question}], temperature=0.0, max_tokens=LONGEST_ANSWER
        )
        return str(reply["choices"][0]["message"]["content"])

    return ask


def report(outcomes: Sequence[Outcome]) -> str:
    """Return what went wrong and the share of right answers, for people."""
    lines = []
    for outcome in outcomes:
        mark = "right" if outcome.right else "WRONG"
        lines.append(f"{mark}  {outcome.question}\n       {outcome.answer}")
    right = sum(outcome.right for outcome in outcomes)
    lines.append(f"\n{right} of {len(outcomes)} right: {share_of_right(outcomes):.1%}")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Ask the guide questions it has not seen.")
    parser.add_argument(
        "model", type=Path, nargs="?", default=Path("resources/models/guide-7m-q8_0.gguf")
    )
    parser.add_argument("--json", action="store_true", help="print outcomes as JSON")
    parser.add_argument("--least", type=float, help="exit with 1 below this share, 0 to 1")
    return parser.parse_args()


def main() -> int:
    """Check the questions, ask them, print the outcome; 0 when all is well."""
    arguments = parse_arguments()
    questions = read_evaluation()
    leaked = questions_in_training_text(questions, read_topics())
    if leaked:
        print("These questions stand in the training text:", *leaked, sep="\n  ", file=sys.stderr)
        return 2
    outcomes = judge(questions, open_guide(arguments.model))
    share = share_of_right(outcomes)
    if arguments.json:
        entries = [asdict(outcome) for outcome in outcomes]
        print(json.dumps({"share_right": share, "outcomes": entries}, indent=2))
    else:
        print(report(outcomes))
    return 1 if arguments.least is not None and share < arguments.least else 0


if __name__ == "__main__":
    sys.exit(main())
