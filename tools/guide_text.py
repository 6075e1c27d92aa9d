"""The guide's training text: reads `guide_corpus/`, varies questions, builds conversations.

Nothing here needs torch or a tokenizer, so the tests can read the whole corpus in a moment.
`guide_variation.py` rewords the questions, `train_guide.py` turns these conversations into
tokens, `evaluate_guide.py` asks the finished model, and `guide_gguf.py` writes the chat
template declared here into the model file.

The files of the corpus hold one block for each topic:

    == name of the topic
    key: words that every right answer holds
    ? a question, with {one|several} choices and @slots from slots.txt
    > an answer

Slots are declared once, in `slots.txt`, as `@name = {choice|choice}`.
"""

from __future__ import annotations

import math
import random
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.guide_variation import roughen, vary

CORPUS = Path(__file__).parent / "guide_corpus"
EVALUATION = CORPUS / "evaluation.toml"

BEGIN, END, SYSTEM, USER, ASSISTANT = (
    "<|begin|>",
    "<|end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
)
# Their places in this tuple are their token ids.
SPECIAL_TOKENS = (BEGIN, END, SYSTEM, USER, ASSISTANT)

# The layout is that of Phi-3, so that programs which recognise templates by their control
# tokens, without running Jinja, build the same prompt.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + '\\n' + message['content'] + '<|end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' + '\\n' }}{% endif %}"
)

# "Can you tell me hello" is no sentence: these are reworded with a lighter hand.
LIGHT_THEMES = frozenset({"smalltalk", "stories"})
# How many questions of the other themes are roughened, so that the model learns to go by the
# words that matter and not by whole sentences it has seen.
ROUGH_SHARE = 0.45

Message = tuple[str, str]  # (role, content)


@dataclass(frozen=True)
class Topic:
    """One thing the guide can be asked about."""

    name: str
    theme: str  # the file it stands in, without its ending
    key: str  # lower case; every right answer holds these words
    patterns: tuple[str, ...]  # slots already put in, choices still in braces
    answers: tuple[str, ...]


@dataclass(frozen=True)
class EvaluationQuestion:
    """A question kept out of the training text, and the words a right answer holds."""

    question: str
    key: str


def read_slots(path: Path = CORPUS / "slots.txt") -> dict[str, str]:
    """Return each slot's name with its choices, braces included."""
    slots = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("@"):
            name, _, choices = line.partition("=")
            slots[name.strip()] = choices.strip()
    return slots


def read_topics(folder: Path = CORPUS) -> list[Topic]:
    """Read every topic of the corpus, in the order of file names and lines.

    Raises:
        ValueError: a line is of no known kind, or a topic lacks a key, question or answer.
    """
    slots = read_slots(folder / "slots.txt")
    topics = []
    for path in sorted(folder.glob("*.txt")):
        if path.name == "slots.txt":
            continue
        for block in path.read_text(encoding="utf-8").split("\n== ")[1:]:
            topics.append(_read_topic(block, path.stem, slots))
    return topics


def _read_topic(block: str, theme: str, slots: dict[str, str]) -> Topic:
    name, *lines = block.strip().splitlines()
    key = ""
    patterns: list[str] = []
    answers: list[str] = []
    for line in lines:
        if line.startswith("key: "):
            key = line.removeprefix("key: ").strip().lower()
        elif line.startswith("? "):
            patterns.append(_fill_slots(line[2:].strip(), slots))
        elif line.startswith("> "):
            answers.append(line[2:].strip())
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"{theme}, topic {name!r}: cannot read the line {line!r}")
    if not (key and patterns and answers):
        raise ValueError(f"{theme}, topic {name!r}: key, question or answer is missing")
    return Topic(name.strip(), theme, key, tuple(patterns), tuple(answers))


def _fill_slots(pattern: str, slots: dict[str, str]) -> str:
    # Inside a choice a slot adds its own choices to the others; alone it brings its braces.
    def inside(choices: re.Match[str]) -> str:
        return re.sub(r"@\w+", lambda slot: slots[slot.group()][1:-1], choices.group())

    pattern = re.sub(r"\{[^{}]*\}", inside, pattern)
    return re.sub(r"@\w+", lambda slot: slots[slot.group()], pattern)


def expand(pattern: str) -> Iterator[str]:
    """Yield every sentence that a pattern with {one|several} choices stands for."""
    opening = re.search(r"\{([^{}]*)\}", pattern)
    if opening is None:
        yield " ".join(pattern.split())
        return
    for choice in opening.group(1).split("|"):
        yield from expand(pattern[: opening.start()] + choice + pattern[opening.end() :])


def count_sentences(pattern: str) -> int:
    """Return how many sentences `expand` yields for a pattern."""
    return math.prod(len(choices.split("|")) for choices in re.findall(r"\{([^{}]*)\}", pattern))


def choose_sentence(pattern: str, rng: random.Random) -> str:
    """Return one sentence of a pattern, by chance."""
    chosen = re.sub(
        r"\{([^{}]*)\}", lambda choices: rng.choice(choices.group(1).split("|")), pattern
    )
    return " ".join(chosen.split())


def normalise(question: str) -> str:
    """Return a question without case, punctuation and spare spaces, to compare it."""
    letters = re.sub(r"[^a-z0-9 ]", "", question.lower().replace("-", " "))
    return " ".join(letters.split())


def read_evaluation(path: Path = EVALUATION) -> list[EvaluationQuestion]:
    """Read the questions that are asked of the finished model."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["question"]
    return [EvaluationQuestion(entry["ask"], entry["key"].lower()) for entry in entries]


def all_questions(topics: Sequence[Topic]) -> set[str]:
    """Return every question of the corpus before variation, normalised."""
    return {
        normalise(sentence)
        for topic in topics
        for pattern in topic.patterns
        for sentence in expand(pattern)
    }


def render(messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
    """Return a conversation as text, exactly as `CHAT_TEMPLATE` would."""
    turns = "".join(f"<|{role}|>\n{content}{END}\n" for role, content in messages)
    return BEGIN + turns + (f"{ASSISTANT}\n" if add_generation_prompt else "")


_SYSTEM_PROMPTS = (
    "You are a helpful assistant.", "You are Potluck's guide.", "Be brief.", "Answer shortly.",
    "You are a friendly assistant. Answer in one or two sentences.", "Be helpful and honest.",
)  # fmt: skip


class Samples:
    """An endless, repeatable stream of training texts.

    One text is a conversation of one to three turns, or a story to be continued. Topics
    come equally often whatever their number of questions; a pattern's weight grows with the
    square root of its sentences, so that a long list of choices does not drown the others.
    """

    def __init__(self, topics: Sequence[Topic], seed: int, excluded: frozenset[str]) -> None:
        """`excluded` holds normalised questions that must never be drawn."""
        self._topics = topics
        self._rng = random.Random(seed)
        self._excluded = excluded
        self._weights = {
            topic.name: [math.sqrt(count_sentences(pattern)) for pattern in topic.patterns]
            for topic in topics
        }
        # What lies beyond the guide has no borders, so it is practised more. Stories are long
        # and asked for plainly, so they are practised less.
        self._topic_weights = [
            4.0 if topic.name == "beyond me" else 0.4 if topic.theme == "stories" else 1.0
            for topic in topics
        ]
        self._stories = [
            answer for topic in topics if topic.theme == "stories" for answer in topic.answers
        ]

    def draw(self) -> str:
        """Return the next training text, special tokens included."""
        kind = self._rng.random()
        if kind < 0.04:
            return self._draw_story()
        messages: list[Message] = []
        if self._rng.random() < 0.08:
            messages.append(("system", self._rng.choice(_SYSTEM_PROMPTS)))
        for _ in range(1 if kind < 0.82 else 2 if kind < 0.94 else 3):
            messages += self._draw_turn()
        return render(messages)

    def _draw_turn(self) -> list[Message]:
        topic = self._rng.choices(self._topics, self._topic_weights)[0]
        while True:
            pattern = self._rng.choices(topic.patterns, self._weights[topic.name])[0]
            question = choose_sentence(pattern, self._rng)
            light = topic.theme in LIGHT_THEMES
            if not light and self._rng.random() < ROUGH_SHARE:
                other = choose_sentence(self._rng.choice(topic.patterns), self._rng)
                question = roughen(question, other, self._rng.choice(topic.answers), self._rng)
            question = vary(question, self._rng, light=light)
            if normalise(question) not in self._excluded:
                break
        return [("user", question), ("assistant", self._rng.choice(topic.answers))]

    def _draw_story(self) -> str:
        sentences = self._rng.choice(self._stories).split(". ")
        start = self._rng.choice((0, 0, self._rng.randrange(len(sentences) - 1)))
        return BEGIN + ". ".join(sentences[start:]) + END
