"""A model's words from its header alone: text to tokens and back, and prompts."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from app.engine import gguf_write
from app.engine import vocabulary as vocabulary_module
from app.engine.gguf_read import Header
from app.engine.vocabulary import Vocabulary
from app.errors import EngineFault, WorkerDied
from app.swarm.text import TextStream
from tests.helpers.slices import plan_of

GUIDE = next((Path(__file__).parents[2] / "resources" / "models").glob("guide-[0-9]*.gguf"))
TEXTS = [
    "Hello, world!",
    " leading and trailing ",
    "two\n\nlines\r\nand\ttabs",
    "naïve café, Ünïcödé",
    unicodedata.normalize("NFD", "é à ü: combining marks"),
    "日本語と한국어 и русский עברית العربية",
    "🙂👩‍👩‍👧‍👦🏳️‍🌈 flags 🇨🇭",
    "\ufeff zero\u200bwidth\u200d and \x00 nothing",
    'fn main() { println!("{}", 1 << 3); } // code',
    "a" * 500,
    "1234567890 3.14159 -7e10",
    "<|begin|> <|end|> are only words here",
    "",
]
TALK = [{"role": "user", "content": "What is Potluck?"}]


def header(**changes: str) -> Header:
    """The guide's header, with some of its texts changed."""
    found = plan_of(GUIDE).header
    texts = {f"tokenizer.{key}": gguf_write.text(value) for key, value in changes.items()}
    return replace(found, metadata={**found.metadata, **texts})


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def words(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Vocabulary]:
    async with Vocabulary(header(), tmp_path_factory.mktemp("words")) as vocabulary:
        yield vocabulary


def bytes_of(file: Path) -> int:
    return file.stat().st_size


def control(words: Vocabulary) -> list[int]:
    return [token for token in range(words.size) if words.piece(token) == b""]


def said(words: Vocabulary, tokens: list[int]) -> bytes:
    return b"".join(map(words.piece, tokens))


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("text", TEXTS)
async def test_a_text_survives_the_way_there_and_back(words: Vocabulary, text: str) -> None:
    tokens = await words.tokenize(text)
    assert said(words, tokens) == text.encode()


@pytest.mark.parametrize("text", TEXTS)
async def test_a_text_shown_token_by_token_is_whole(words: Vocabulary, text: str) -> None:
    stream = TextStream()
    pieces = [stream.feed(words.piece(token)) for token in await words.tokenize(text)]
    assert "".join(pieces) + stream.finish() == text
    assert not any("\ufffd" in piece for piece in pieces)


async def test_common_words_are_fewer_tokens_than_letters(words: Vocabulary) -> None:
    assert len(await words.tokenize("the computer and the model")) < 10


async def test_a_text_begins_as_the_model_wants_it(words: Vocabulary) -> None:
    begin, *rest = await words.tokenize("Hello")
    assert begin in control(words)
    assert not set(rest) & set(control(words))
    assert await words.tokenize("") == [begin]


async def test_a_prompt_begins_only_once(words: Vocabulary) -> None:
    (begin,) = await words.tokenize("")
    prompt = await words.prompt(TALK)
    assert prompt[0] == begin
    assert begin not in prompt[1:]


async def test_a_prompt_is_written_with_the_models_control_tokens(words: Vocabulary) -> None:
    prompt = await words.prompt(TALK)
    steering = [token for token in prompt if token in control(words)]
    assert len(steering) == 4  # begin, user, end, assistant
    assert said(words, prompt).decode() == "\nWhat is Potluck?\n\n"


async def test_control_tokens_are_not_shown_and_one_ends_the_text(words: Vocabulary) -> None:
    ends = [token for token in range(words.size) if words.ends_text(token)]
    assert ends
    assert set(ends) <= set(control(words))
    assert len(control(words)) == 5


@pytest.mark.parametrize("token", [-1, 1 << 20])
async def test_a_token_that_does_not_exist_is_nothing(words: Vocabulary, token: int) -> None:
    assert words.piece(token) == b""
    assert not words.ends_text(token)


async def test_many_questions_at_once_are_each_answered(words: Vocabulary) -> None:
    answers = await asyncio.gather(*(words.tokenize(text) for text in TEXTS))
    assert [said(words, tokens).decode() for tokens in answers] == TEXTS


async def test_the_weights_are_not_needed(words: Vocabulary, tmp_path: Path) -> None:
    async with Vocabulary(header(), tmp_path) as other:
        assert other.size == words.size
    assert bytes_of(tmp_path / "vocabulary.gguf") < bytes_of(GUIDE) / 10


async def test_a_template_that_refuses_costs_nothing_else(tmp_path: Path) -> None:
    template = (
        "{% if messages[0].role != 'user' %}{{ raise_exception('the user begins') }}{% endif %}"
        "{{ bos_token }}{{ messages[0].content }}"
    )
    async with Vocabulary(header(chat_template=template), tmp_path) as words:
        with pytest.raises(EngineFault, match="the user begins"):
            await words.prompt([{"role": "system", "content": "Be brief."}])
        prompt = await words.prompt([{"role": "user", "content": "Hi."}])
        assert said(words, prompt) == b"Hi."


async def test_a_template_that_never_ends_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    async with Vocabulary(header(chat_template=template), tmp_path) as words:
        monkeypatch.setattr(vocabulary_module, "ANSWER_SECONDS", 0.05)
        with pytest.raises(EngineFault, match="does not come to an end"):
            await words.prompt(TALK)
        assert words._child is not None
        assert await words._child.ended() == "killed by SIGKILL"
        with pytest.raises(WorkerDied):
            await words.tokenize("Hello")


async def test_a_tokenizer_nobody_knows_is_refused(tmp_path: Path) -> None:
    strange = Vocabulary(header(**{"ggml.model": "martian"}), tmp_path)
    with pytest.raises(EngineFault, match="tokenizer"):
        async with strange:
            pass
    assert strange._child is not None
    assert not strange._child.alive


async def test_a_worker_that_does_not_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineFault):
        async with Vocabulary(header(), tmp_path, command=["/nonexistent/worker"]):
            pass


async def test_words_are_asked_for_only_while_it_is_open(tmp_path: Path) -> None:
    closed = Vocabulary(header(), tmp_path)
    with pytest.raises(RuntimeError, match="not open"):
        closed.piece(3)


async def test_a_template_that_asks_for_all_memory_fails_with_one_line(tmp_path: Path) -> None:
    greedy = header(chat_template="{% set x = 'a' * 10 %}{{ 'b' * 20000000000 }}")
    async with Vocabulary(greedy, tmp_path) as words:
        with pytest.raises(EngineFault, match="chat template fails"):
            await words.prompt(TALK)
        # The worker lives on, and nothing but the template was refused.
        assert await words.tokenize("Hello")
