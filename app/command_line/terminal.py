"""Chat in a terminal: one question, or a conversation until the person has had enough."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import Sequence
from typing import Final

from app.chat.client import Client, ClientOptions
from app.chat.opened_model import Message
from app.command_line.passing_word import LONG_SECONDS, PassingWord
from app.errors import NotServed, PeerLost, PotluckError, UsageError
from app.ids import peer_text, short_peer_text
from app.layer_words import layers_of
from app.sentences import say
from app.swarm.generate import Answer
from app.swarm.route import Prediction
from app.swarm.sampling import SamplingOptions
from app.swarm.token_chain import ChainPart

CHAT_TEMPERATURE: Final = 0.0
"""The embedded guide answers best when it takes the likeliest word."""
WITHOUT_A_CHAIN: Final = (
    "Wait until others have come, or run the whole model on this computer with --alone."
)
WITHOUT_ANYBODY: Final = (
    "Look whether this computer is online and those after --bootstrap are named rightly, or run the"
    " whole model on this computer with --alone."
)


_STEERING: Final = dict.fromkeys(
    [n for n in (*range(32), *range(0x7F, 0xA0)) if chr(n) not in "\n\t"], "\ufffd"
)


async def chat(options: argparse.Namespace) -> int:
    """`potluck chat`.

    Raises:
        PotluckError: it cannot be done; the text says what to do.
    """
    if options.prompt is None and (options.json or options.raw):
        raise UsageError("--json and --raw need a prompt.")
    if options.prompt is not None:
        _check_prompt(options.prompt, raw=options.raw)
    async with Client(client_options(options)) as client:
        if options.prompt is None:
            return await _converse(client, options)
        return await _ask_once(client, options)


def _check_prompt(prompt: str, *, raw: bool) -> None:
    if not (prompt if raw else prompt.strip()):
        raise UsageError("The prompt is empty; nothing was sent.")
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise UsageError("The prompt is not UTF-8 text; nothing was sent.") from None


def client_options(options: argparse.Namespace) -> ClientOptions:
    """What the words of the command line ask of a client."""
    given = {
        "temperature": options.temperature,
        "top_k": options.top_k,
        "top_p": options.top_p,
        "min_p": options.min_p,
        "repetition_penalty": options.repetition_penalty,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    return ClientOptions(
        data_dir=options.data_dir,
        bootstraps=options.bootstrap,
        model=options.model,
        alone=options.alone,
        alone_if_faster=not options.over_swarm,
        sampling=SamplingOptions(**{"temperature": CHAT_TEMPERATURE, **chosen}),
        seed=options.seed,
    )


async def _ask_once(client: Client, options: argparse.Namespace) -> int:
    messages: str | list[Message] = options.prompt
    if not options.raw:
        messages = [*_system(options), {"role": "user", "content": options.prompt}]
    answer, prompt_tokens = await _answer(client, messages, options, show=not options.json)
    if options.json:
        print(json.dumps(answer_line(answer, prompt_tokens)), flush=True)
    return 0


async def _converse(client: Client, options: argparse.Namespace) -> int:
    print(f"Talking with {client.model.manifest.shown_name}. An empty line or Ctrl-D ends it.")
    if not options.alone:
        print("Helpers that run the first layers can read what you write: keep secrets out of it.")
    history: list[Message] = []
    while line := await _read_line("\nyou> "):
        history.append({"role": "user", "content": line})
        try:
            answer = await _answer_what_fits(client, history, options)
        except PotluckError as error:
            history.pop()
            print(f"potluck: {one_line(str(error))}", file=sys.stderr)
            continue
        history.append({"role": "assistant", "content": answer.text})
    return 0


async def _answer_what_fits(
    client: Client, history: list[Message], options: argparse.Namespace
) -> Answer:
    """Answer the last message; the oldest exchanges are left out until the rest fits.

    Raises:
        UsageError: not even the last message fits.
    """
    while True:
        try:
            answer, _ = await _answer(client, [*_system(options), *history], options, show=True)
        except UsageError:
            if len(history) < 3:
                raise
            del history[:2]
            print("(the beginning of this conversation no longer fits and was left out)")
        else:
            return answer


async def _read_line(prompt: str) -> str:
    """A line from the person; "" at the end of input.

    Read in a thread that nobody waits for, without Python's own buffers: Ctrl-C must
    end a conversation at once, and not after one more line.
    """
    print(prompt, end="", flush=True)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()

    def take(line: bytes) -> None:
        if not answer.done():
            answer.set_result(line)

    def read() -> None:
        try:
            with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as keyboard:
                line = keyboard.readline()
        except (OSError, ValueError, AttributeError):  # there is no keyboard
            line = b""
        with contextlib.suppress(RuntimeError):  # the loop may be gone by now
            loop.call_soon_threadsafe(take, line)

    threading.Thread(target=read, name="keyboard", daemon=True).start()
    line = await answer
    if not line:
        print()
    return line.decode(errors="replace").strip()


async def _answer(
    client: Client, messages: str | Sequence[Message], options: argparse.Namespace, *, show: bool
) -> tuple[Answer, int]:
    request = await client.request(
        messages,
        max_tokens=options.max_tokens,
        stops=options.stop,
        deadline_seconds=options.deadline,
    )
    answer = Answer()
    try:
        with contextlib.ExitStack() as stack:
            word = stack.enter_context(PassingWord(sys.stderr))
            answer.waits = lambda: word.show(answer.waiting)
            if not options.alone:
                stack.callback(_say_if_silent(answer).cancel)
            async for piece in client.generator.write(request, answer):
                if show:
                    print(shown(piece), end="", flush=True)
    except BaseException as error:
        if show and answer.text:
            print(flush=True)  # what went wrong begins on a line of its own
        if isinstance(error, NotServed):
            raise NotServed(f"{error}. {WITHOUT_A_CHAIN}", missing=error.missing) from None
        if type(error) is PeerLost:  # nobody tells who serves the model
            raise PeerLost(f"{error}. {WITHOUT_ANYBODY}") from None
        raise
    if show:
        print(f"\n{footer(answer)}", flush=True)
    if answer.remark is not None:
        how = "--over-swarm asks the others all the same."
        print(f"potluck: {answer.remark} {how}", file=sys.stderr)
    return answer, len(request.prompt)


def _say_if_silent(answer: Answer) -> asyncio.TimerHandle:
    """Who serves the model is asked first, and before that nothing else is told."""

    def say_so() -> None:
        if not answer.tokens and answer.waiting is None:
            answer.wait_for(say("waiting_for_answer"))

    return asyncio.get_running_loop().call_later(LONG_SECONDS, say_so)


def _system(options: argparse.Namespace) -> list[Message]:
    return [{"role": "system", "content": options.system}] if options.system else []


def shown(text: str) -> str:
    """A stranger's text without the characters that would steer a terminal."""
    return text.translate(_STEERING)


def one_line(text: str) -> str:
    """A text that may hold a stranger's words, as one line that is safe to show."""
    return shown(" ".join(text.split()))


def footer(answer: Answer) -> str:
    """Who answered, and how fast, in one line."""
    words = f"[{chain_text(answer.parts)}; {len(answer.tokens)} tokens"
    if answer.tokens_per_second:
        words += f", {answer.tokens_per_second:.1f} a second"
    if answer.repairs:
        words += f", repaired {answer.repairs} times" if answer.repairs > 1 else ", repaired once"
    return words + "]"


def chain_text(parts: Sequence[ChainPart]) -> str:
    """The computers of a chain and their layers: "abcdefgh (the input and layers 1 to 3) -> …"."""
    head_unit = parts[-1].span.stop - 1 if parts else None
    return " -> ".join(
        f"{'this computer' if part.peer is None else short_peer_text(part.peer)}"
        f" ({layers_of(part.span, head_unit)})"
        for part in parts
    )


def answer_line(answer: Answer, prompt_tokens: int) -> dict[str, object]:
    """An answer for programs; `peer_id` null is this computer."""
    return {
        "text": answer.text,
        "tokens": answer.tokens,
        "prompt_tokens": prompt_tokens,
        "chain": [
            {
                "peer_id": None if part.peer is None else peer_text(part.peer),
                "units": str(part.span),
            }
            for part in answer.parts
        ],
        "tokens_per_second": round(answer.tokens_per_second, 3),
        "first_token_seconds": round(answer.first_token_seconds, 4),
        "finish": answer.finish,
        "repairs": answer.repairs,
        "declined": answer.declined,
        "predicted": None if answer.predicted is None else predicted_line(answer.predicted),
    }


def predicted_line(predicted: Prediction) -> dict[str, float]:
    """What a chain was expected to take for a token, by its parts, for programs."""
    return {
        "seconds_per_token": round(predicted.seconds_per_token, 5),
        "network": round(predicted.network, 5),
        "compute": round(predicted.compute, 5),
        "waiting": round(predicted.waiting, 5),
        "overhead": round(predicted.overhead, 5),
        "prompt": round(predicted.prompt, 3),
        "doubt": round(predicted.doubt, 5),
    }
