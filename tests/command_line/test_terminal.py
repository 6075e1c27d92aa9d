"""Chat in a terminal, with somebody who types and a client that answers by heart."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from app.chat.client import ClientOptions
from app.command_line.passing_word import BACK
from app.command_line.terminal import (
    WITHOUT_ANYBODY,
    answer_line,
    chain_text,
    chat,
    client_options,
    footer,
    shown,
)
from app.errors import NotServed, PeerLost, PotluckError, UsageError
from app.ids import PeerId, Span
from app.sentences import Sentence, say
from app.swarm.generate import Answer
from app.swarm.route import Prediction
from app.swarm.token_chain import ChainPart
from tests.helpers.origin import manifest_of, source_file

PEER = PeerId(bytes(range(32)))
Typing = Callable[[bytes], None]
Scripted = str | PotluckError


@dataclass
class FakeClient:
    """Answers what was laid down for it, and remembers what it was asked."""

    script: list[Scripted]
    asked: list[Any] = field(default_factory=list)
    wanted: list[dict[str, Any]] = field(default_factory=list)
    options: ClientOptions | None = None
    waits_before: str = ""
    remark: Sentence | None = None

    def __post_init__(self) -> None:
        manifest = replace(manifest_of(source_file(), []), title="The Guide", name="guide")
        self.model = SimpleNamespace(manifest=manifest)
        self.generator = SimpleNamespace(write=self.write)

    def __call__(self, options: ClientOptions) -> FakeClient:
        self.options = options
        return self

    async def __aenter__(self) -> FakeClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def request(self, messages: str | Sequence[dict[str, str]], **wanted: Any) -> Any:
        self.asked.append(messages if isinstance(messages, str) else [*messages])
        self.wanted.append(wanted)
        if isinstance(self.script[0], UsageError):
            raise self.script.pop(0)  # type: ignore[misc]
        return SimpleNamespace(prompt=(1, 2, 3))

    async def write(self, request: Any, answer: Answer) -> AsyncIterator[str]:
        said = self.script.pop(0)
        if isinstance(said, PotluckError):
            raise said
        for letter in said:
            if letter == self.waits_before:
                answer.wait_for(say("another_takes_over"))
            answer.wait_for(None)
            answer.text += letter
            answer.tokens.append(ord(letter))
            yield letter
        answer.finish = "stop"
        answer.parts = [ChainPart(PEER, Span(0, 8))]
        answer.remark = self.remark


def words(prompt: str | None, **given: Any) -> argparse.Namespace:
    """The words of a command line, all that are not given at rest."""
    rest = dict.fromkeys(("temperature", "top_k", "top_p", "min_p", "repetition_penalty"))
    rest |= dict.fromkeys(("max_tokens", "seed", "deadline", "system", "model", "data_dir"))
    switches = {"raw": False, "alone": False, "over_swarm": False, "json": False}
    rest |= {"stop": [], "bootstrap": []}
    return argparse.Namespace(**{"prompt": prompt, **rest, **switches, **given})


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeClient]:
    """Lays down what will be answered."""

    def lay_down(*script: Scripted) -> FakeClient:
        client = FakeClient([*script])
        monkeypatch.setattr("app.command_line.terminal.Client", client)
        return client

    return lay_down


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Typing]:
    """A keyboard: what is typed comes in, and then its end."""
    read, write = os.pipe()
    with os.fdopen(read) as keyboard:
        monkeypatch.setattr("sys.stdin", keyboard)

        def type_in(text: bytes) -> None:
            os.write(write, text)
            os.close(write)

        yield type_in
        for thread in threading.enumerate():
            if thread.name == "keyboard":  # it reads what somebody else may open next
                thread.join(30)


async def test_a_question_is_answered_piece_by_piece_with_a_footer(
    answers: Callable[..., FakeClient], capsys: pytest.CaptureFixture[str]
) -> None:
    client = answers("It works.")
    assert await chat(words("How?", system="Be brief.", max_tokens=7, stop=["\n"])) == 0
    assert client.asked == [
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How?"}]
    ]
    assert client.wanted == [{"max_tokens": 7, "stops": ["\n"], "deadline_seconds": None}]
    output = capsys.readouterr().out
    assert output.startswith("It works.\n[")
    assert "9 tokens" in output


async def test_raw_text_goes_out_as_it_is(answers: Callable[..., FakeClient]) -> None:
    client = answers("on")
    assert await chat(words(" Go", raw=True)) == 0
    assert client.asked == [" Go"]


@pytest.mark.parametrize("is_terminal", [True, False])
async def test_what_an_answer_waits_for_is_seen_by_people_and_by_no_program(
    answers: Callable[..., FakeClient],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    answers("hi").waits_before = "i"
    assert await chat(words("How?")) == 0
    output, errors = capsys.readouterr()
    assert output.startswith("hi\n[")
    assert ("A helper left; another takes over" in errors) is is_terminal
    assert errors.endswith(BACK) if is_terminal else not errors


async def test_until_somebody_answers_a_person_at_a_terminal_is_told_what_is_waited_for(
    answers: Callable[..., FakeClient],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("app.command_line.terminal.LONG_SECONDS", 0)
    client = answers("hi")
    write = client.generator.write

    async def after_a_while(request: Any, answer: Answer) -> AsyncIterator[str]:
        shows, told = answer.waits, asyncio.Event()

        def shows_and_tells() -> None:
            shows()
            told.set()

        answer.waits = shows_and_tells
        await told.wait()
        async for piece in write(request, answer):
            yield piece

    client.generator.write = after_a_while
    assert await chat(words("How?")) == 0
    errors = capsys.readouterr().err
    assert "Waiting for other computers to answer" in errors
    assert errors.endswith(BACK)


async def test_when_nobody_answers_it_is_said_what_to_do(
    answers: Callable[..., FakeClient],
) -> None:
    answers(PeerLost("no bootstrap answers"))
    with pytest.raises(PeerLost, match=r"no bootstrap answers\. Look whether .* with --alone\."):
        await chat(words("How?"))


async def test_programs_get_one_line_and_nothing_else(
    answers: Callable[..., FakeClient], capsys: pytest.CaptureFixture[str]
) -> None:
    answers("h\x1bi")
    assert await chat(words("How?", json=True)) == 0
    output, errors = capsys.readouterr()
    assert (output.count("\n"), errors) == (1, "")
    line = json.loads(output)
    assert (line["text"], line["prompt_tokens"], line["finish"]) == ("h\x1bi", 3, "stop")
    assert line["chain"][0]["units"] == "0:8"


@pytest.mark.parametrize("json_line", [True, False])
async def test_who_answers_alone_because_it_is_faster_says_so_beside_the_answer(
    answers: Callable[..., FakeClient], capsys: pytest.CaptureFixture[str], json_line: bool
) -> None:
    client = answers("hi")
    client.remark = say("alone_is_faster", alone=12.0, chain=4.5)
    assert await chat(words("How?", json=json_line)) == 0
    assert client.options is not None
    assert client.options.alone_if_faster
    output, errors = capsys.readouterr()
    assert "tokens a second" not in output
    assert errors == (
        "potluck: This computer answered by itself: it is expected to write 12 tokens a second, "
        "and a chain over other computers 4.5. --over-swarm asks the others all the same.\n"
    )


async def test_over_the_swarm_is_over_the_swarm(answers: Callable[..., FakeClient]) -> None:
    client = answers("hi")
    assert await chat(words("How?", over_swarm=True)) == 0
    assert client.options is not None
    assert not client.options.alone_if_faster


async def test_a_stranger_cannot_steer_the_terminal(
    answers: Callable[..., FakeClient], capsys: pytest.CaptureFixture[str]
) -> None:
    answers("\x1b]0;owned\x07\x9b2J\r\x08caf\u00e9\n\t\U0001f600")
    assert await chat(words("How?")) == 0
    output = capsys.readouterr().out
    assert output.startswith("\ufffd]0;owned\ufffd\ufffd2J\ufffd\ufffdcaf\u00e9\n\t\U0001f600\n[")
    assert shown("a\x00b\x7f\u200d") == "a\ufffdb\ufffd\u200d"


@pytest.mark.parametrize(
    "given",
    [
        words(None, json=True),
        words(None, raw=True),
        words(""),
        words("  \n"),
        words("", raw=True),
        words("\udcff"),
    ],
)
async def test_a_question_that_is_none_reaches_nobody(
    answers: Callable[..., FakeClient], given: argparse.Namespace
) -> None:
    client = answers("never")
    with pytest.raises(UsageError):
        await chat(given)
    assert client.options is None


async def test_blanks_are_text_when_they_are_to_be_continued(
    answers: Callable[..., FakeClient],
) -> None:
    client = answers("and")
    assert await chat(words("\n", raw=True)) == 0
    assert client.asked == ["\n"]


async def test_a_conversation_remembers_until_the_end_of_the_input(
    answers: Callable[..., FakeClient], typing: Typing, capsys: pytest.CaptureFixture[str]
) -> None:
    client = answers("one", "two")
    typing(b"first\n  second  \n")
    assert await chat(words(None)) == 0
    assert client.asked == [
        [{"role": "user", "content": "first"}],
        [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": "second"},
        ],
    ]
    output = capsys.readouterr().out
    assert output.startswith("Talking with The Guide.")
    assert "can read what you write" in output
    assert output.count("you> ") == 3


async def test_alone_nobody_else_reads_and_an_empty_line_ends_it(
    answers: Callable[..., FakeClient], typing: Typing, capsys: pytest.CaptureFixture[str]
) -> None:
    client = answers("one")
    typing(b"\nnever\n")
    assert await chat(words(None, alone=True)) == 0
    assert client.asked == []
    assert "can read what you write" not in capsys.readouterr().out


async def test_what_goes_wrong_in_a_conversation_is_a_line_and_it_goes_on(
    answers: Callable[..., FakeClient], typing: Typing, capsys: pytest.CaptureFixture[str]
) -> None:
    client = answers(PeerLost("nobody answers"), "two")
    typing(b"first\nsecond\n")
    assert await chat(words(None)) == 0
    assert client.asked[1] == [{"role": "user", "content": "second"}]
    assert capsys.readouterr().err == f"potluck: nobody answers. {WITHOUT_ANYBODY}\n"


async def test_who_finds_no_chain_is_told_what_to_do(
    answers: Callable[..., FakeClient], typing: Typing, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(NotServed("nobody serves unit 3", missing=(3,)), "two")
    typing(b"first\nsecond\n")
    assert await chat(words(None)) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "potluck: nobody serves unit 3."
        " Wait until others have come, or run the whole model on this computer with --alone."
    )


async def test_a_conversation_that_grows_too_long_loses_its_beginning(
    answers: Callable[..., FakeClient], typing: Typing, capsys: pytest.CaptureFixture[str]
) -> None:
    client = answers("one", UsageError("too long"), "three")
    typing(b"first\nsecond\n")
    assert await chat(words(None)) == 0
    assert client.asked[2] == [{"role": "user", "content": "second"}]
    assert "no longer fits" in capsys.readouterr().out


async def test_a_question_that_is_too_long_by_itself_says_so_and_the_talk_goes_on(
    answers: Callable[..., FakeClient], typing: Typing, capsys: pytest.CaptureFixture[str]
) -> None:
    client = answers(UsageError("too long"), "two")
    typing(b"first\nsecond\n")
    assert await chat(words(None)) == 0
    assert capsys.readouterr().err == "potluck: too long\n"
    assert client.asked[1] == [{"role": "user", "content": "second"}]


async def test_bytes_that_are_no_text_do_not_end_a_conversation(
    answers: Callable[..., FakeClient], typing: Typing
) -> None:
    client = answers("one")
    typing(b"caf\xe9\n")
    assert await chat(words(None)) == 0
    assert client.asked == [[{"role": "user", "content": "caf\ufffd"}]]


async def test_a_conversation_can_be_left_while_it_waits_for_a_line(
    answers: Callable[..., FakeClient], typing: Typing, capsys: pytest.CaptureFixture[str]
) -> None:
    answers()
    talk = asyncio.ensure_future(chat(words(None)))
    async with asyncio.timeout(30.0):
        while "you> " not in capsys.readouterr().out:  # noqa: ASYNC110 - a print has no event
            await asyncio.sleep(0)
        talk.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talk
    typing(b"")


def test_what_is_not_asked_for_stays_as_it_is() -> None:
    plain = client_options(words("x"))
    assert (plain.sampling.temperature, plain.sampling.top_k, plain.seed) == (0.0, 40, None)
    given = words("x", temperature=0.5, top_k=3, top_p=0.5, min_p=0.0, repetition_penalty=1.5)
    sampling = client_options(given).sampling
    assert (sampling.temperature, sampling.top_k, sampling.top_p) == (0.5, 3, 0.5)
    assert (sampling.min_p, sampling.repetition_penalty) == (0.0, 1.5)


def test_the_footer_tells_who_answered_and_how() -> None:
    parts = [ChainPart(None, Span(0, 1)), ChainPart(PEER, Span(1, 8))]
    answer = Answer(tokens=[1, 2, 3], parts=parts)
    chain = "this computer (the input) -> aaaqeaye (layers 1 to 6 and the output)"
    assert chain_text(parts) == chain
    assert footer(answer) == f"[{chain}; 3 tokens]"
    answer.tokens_per_second, answer.repairs = 12.34, 1
    assert footer(answer).endswith("3 tokens, 12.3 a second, repaired once]")
    answer.repairs = 2
    assert footer(answer).endswith("repaired 2 times]")


def test_a_line_for_programs_has_every_key() -> None:
    answer = Answer(text="hi", tokens=[7], parts=[ChainPart(None, Span(0, 8))], finish="length")
    assert answer_line(answer, 5) == {
        "text": "hi",
        "tokens": [7],
        "prompt_tokens": 5,
        "chain": [{"peer_id": None, "units": "0:8"}],
        "tokens_per_second": 0.0,
        "first_token_seconds": 0.0,
        "finish": "length",
        "repairs": 0,
        "declined": 0,
        "predicted": None,
    }
    answer.predicted = Prediction(
        network=0.05, compute=0.02, waiting=0.01, overhead=0.002, prompt=1.5, doubt=0.005
    )
    assert answer_line(answer, 5)["predicted"] == {
        "seconds_per_token": 0.082,
        "network": 0.05,
        "compute": 0.02,
        "waiting": 0.01,
        "overhead": 0.002,
        "prompt": 1.5,
        "doubt": 0.005,
    }
