"""The endpoints that programs written for OpenAI's API use, unchanged.

`/v1/models`, `/v1/chat/completions` and `/v1/completions`, streaming and not, with
OpenAI's names and error shapes; what changes an answer and cannot be done is refused, and
fields that do not are ignored. Who
answered stands beside the answer, in `potluck`. The node writes the answers
(`app/api/control_port.py`); the shapes of everything else are in `app/api/shapes.py`.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any, Final, Literal, NoReturn

import msgspec
from aiohttp import web

from app.api.control_port import NodeControl, Order, Written
from app.api.guard import Denied, Handler, json_response, read_body
from app.errors import (
    NoRoom,
    NotServed,
    PotluckError,
    PromptTooLong,
    Refusal,
    UsageError,
)

logger = logging.getLogger(__name__)

MAX_MESSAGES: Final = 4096
MAX_STOPS: Final = 16
MAX_STOP_CHARACTERS: Final = 512
MAX_TOKENS: Final = 1 << 20
LEGACY_MAX_TOKENS: Final = 16
"""What OpenAI's `/v1/completions` writes when nothing is said."""

Whole = Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)]
Stop = Annotated[str, msgspec.Meta(max_length=MAX_STOP_CHARACTERS)]


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Asked(msgspec.Struct, kw_only=True):
    """What both kinds of request have in common; null is as good as nothing."""

    model: Annotated[str, msgspec.Meta(max_length=200)]
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    seed: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    max_tokens: Whole | None = None
    stop: Stop | Annotated[list[Stop], msgspec.Meta(max_length=MAX_STOPS)] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    # Beyond OpenAI's, as other local servers have them.
    top_k: Annotated[int, msgspec.Meta(ge=0, le=1024)] | None = None
    min_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, msgspec.Meta(ge=0.1, le=10)] | None = None


class _Format(msgspec.Struct):
    type: str = "text"


class ChatAsked(_Asked, kw_only=True):
    """The body of `/v1/chat/completions`."""

    messages: Annotated[list[_Message], msgspec.Meta(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: Whole | None = None
    logprobs: bool | None = None
    response_format: _Format | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    functions: list[Any] | None = None
    function_call: Any = None
    modalities: list[str] | None = None
    audio: Any = None
    web_search_options: Any = None


class CompletionAsked(_Asked, kw_only=True):
    """The body of `/v1/completions`."""

    prompt: str | list[str]
    echo: bool | None = None
    suffix: str | None = None
    logprobs: int | None = None
    best_of: int | None = None


def routes(node: NodeControl) -> list[web.RouteDef]:
    """The endpoints, for the server."""

    async def models(_: web.Request) -> web.Response:
        return json_response({"object": "list", "data": [_model(k) for k in node.known_names()]})

    async def model(request: web.Request) -> web.Response:
        wanted = request.match_info["name"]
        for known in node.known_names():
            if known.name == wanted:
                return json_response(_model(known))
        raise Denied(404, "model_not_found", f"No model is called {wanted[:80]!r}.")

    async def chat(request: web.Request) -> web.StreamResponse:
        asked = await read_body(request, ChatAsked)
        return await _answer(request, node, asked, _chat_order(asked), "chat")

    async def completion(request: web.Request) -> web.StreamResponse:
        asked = await read_body(request, CompletionAsked)
        return await _answer(request, node, asked, _completion_order(asked), "text")

    return [
        web.get("/v1/models", _told(models)),
        web.get("/v1/models/{name:.+}", _told(model)),
        web.post("/v1/chat/completions", _told(chat)),
        web.post("/v1/completions", _told(completion)),
    ]


def _model(known: Any) -> dict[str, object]:
    return {"id": known.name, "object": "model", "created": 0, "owned_by": known.owner}


# ── what is asked ────────────────────────────────────────────────────────────


def _chat_order(asked: ChatAsked) -> Order:
    _refuse_what_is_not_done(asked)
    if asked.logprobs:
        _not_done("logprobs", "Probabilities of tokens are not told.")
    if asked.response_format is not None and asked.response_format.type != "text":
        _not_done("response_format", "Answers are plain text; no other format can be promised.")
    _refuse_tools(asked)
    if set(asked.modalities or ()) - {"text"}:
        _not_done("modalities", "Answers are text.")
    if asked.audio is not None:
        _not_done("audio", "Answers are text.")
    messages = [_message(number, message) for number, message in enumerate(asked.messages)]
    most = asked.max_completion_tokens or asked.max_tokens
    return _order(asked, messages=messages, max_tokens=most)


def _refuse_tools(asked: ChatAsked) -> None:
    """A program that offers tools counts on their being called, unless it says "none"."""
    words = "Models here call no tools; leave this out."
    for name, choice in (("tools", "tool_choice"), ("functions", "function_call")):
        chosen = getattr(asked, choice)
        if getattr(asked, name) and chosen != "none":
            _not_done(name, words)
        if chosen not in (None, "none", "auto"):
            _not_done(choice, words)
    if asked.web_search_options is not None:
        _not_done("web_search_options", words)


def _message(number: int, message: _Message) -> Mapping[str, str]:
    if message.role in ("tool", "function"):
        _not_done(f"messages[{number}].role", "Models here call no tools.")
    role = "system" if message.role == "developer" else message.role
    content = message.content
    if isinstance(content, list):
        if any(part.type != "text" for part in content):
            _not_done(f"messages[{number}].content", "Only text can be read.")
        content = "".join(part.text for part in content)
    return {"role": role, "content": content or ""}


def _completion_order(asked: CompletionAsked) -> Order:
    _refuse_what_is_not_done(asked)
    if asked.echo:
        _not_done("echo", "The prompt is not repeated.")
    if asked.suffix:
        _not_done("suffix", "Text is only written after the prompt.")
    if asked.logprobs:
        _not_done("logprobs", "Probabilities of tokens are not told.")
    if asked.best_of not in (None, 1):
        _not_done("best_of", "One answer is written; ask again for another.")
    prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    if len(prompts) != 1:
        _not_done("prompt", "One prompt is answered at a time.")
    return _order(asked, prompt=prompts[0], max_tokens=asked.max_tokens or LEGACY_MAX_TOKENS)


def _refuse_what_is_not_done(asked: _Asked) -> None:
    if asked.n not in (None, 1):
        _not_done("n", "One answer is written; ask again for another.")
    for name in ("frequency_penalty", "presence_penalty"):
        if getattr(asked, name):
            _not_done(name, "Only 0 is possible; repetition_penalty does something like it.")
    if asked.logit_bias:
        _not_done("logit_bias", "Tokens cannot be favoured one by one.")


def _not_done(parameter: str, words: str) -> NoReturn:
    raise Denied(400, "unsupported_value", words, parameter=parameter)


def _order(asked: _Asked, **rest: Any) -> Order:
    """What is not said is left at the node's own defaults."""
    stops = (asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ())
    given = {
        name: value
        for name in ("temperature", "seed", "top_k", "min_p", "repetition_penalty")
        if (value := getattr(asked, name)) is not None
    }
    if asked.top_p is not None:
        given["top_p"] = max(asked.top_p, 1e-6)  # 0 is allowed there, and means: the likeliest
    return Order(model=asked.model, stops=tuple(stop for stop in stops if stop), **given, **rest)


# ── what is answered ─────────────────────────────────────────────────────────


async def _answer(
    request: web.Request,
    node: NodeControl,
    asked: _Asked,
    order: Order,
    kind: Literal["chat", "text"],
) -> web.StreamResponse:
    shape = _Shape(kind, asked.model)
    written = Written()
    async with aclosing(node.write(order, written)) as pieces:
        if asked.stream:
            usage = asked.stream_options is not None and bool(asked.stream_options.include_usage)
            return await _stream(request, pieces, shape, written, include_usage=usage)
        text = "".join([piece async for piece in pieces])
    return json_response(shape.whole(text, written))


async def _stream(
    request: web.Request,
    pieces: AsyncGenerator[str, None],
    shape: _Shape,
    written: Written,
    *,
    include_usage: bool,
) -> web.StreamResponse:
    # Whatever goes wrong before the first piece is still told by the status.
    first = await anext(pieces, None)
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
    )
    await response.prepare(request)

    async def send(body: object) -> None:
        await response.write(b"data: " + msgspec.json.encode(body) + b"\n\n")

    try:
        if shape.kind == "chat":
            await send(shape.chunk({"role": "assistant", "content": ""}, None))
        if first is not None:
            await send(shape.chunk({"content": first}, None))
        try:
            async for piece in pieces:
                await send(shape.chunk({"content": piece}, None))
        except PotluckError as error:
            denied = _denied(error)
            await send({"error": {"message": denied.words, "type": "server_error",
                                  "param": None, "code": denied.code}})  # fmt: skip
        else:
            await send(shape.chunk({}, _finish(written)) | {"potluck": _who(written)})
            if include_usage:
                await send(shape.frame([]) | {"usage": _usage(written)})
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
    except ConnectionError:
        logger.debug("a program left in the middle of its answer")
    return response


class _Shape:
    """OpenAI's frame around one answer."""

    def __init__(self, kind: Literal["chat", "text"], model: str) -> None:
        self.kind = kind
        self._model = model
        prefix = "chatcmpl" if kind == "chat" else "cmpl"
        self._id = f"{prefix}-{secrets.token_hex(12)}"
        self._created = int(time.time())

    def frame(self, choices: list[dict[str, object]], *, whole: bool = False) -> dict[str, object]:
        """The frame around these choices."""
        name = "text_completion"
        if self.kind == "chat":
            name = "chat.completion" if whole else "chat.completion.chunk"
        return {
            "id": self._id,
            "object": name,
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }

    def chunk(self, delta: dict[str, str], finish: str | None) -> dict[str, object]:
        """One piece of a stream."""
        choice: dict[str, object] = {"index": 0, "finish_reason": finish, "logprobs": None}
        if self.kind == "chat":
            return self.frame([choice | {"delta": delta}])
        return self.frame([choice | {"text": delta.get("content", "")}])

    def whole(self, text: str, written: Written) -> dict[str, object]:
        """An answer in one piece."""
        choice: dict[str, object] = {
            "index": 0,
            "finish_reason": _finish(written),
            "logprobs": None,
        }
        if self.kind == "chat":
            choice["message"] = {"role": "assistant", "content": text, "refusal": None}
        else:
            choice["text"] = text
        return self.frame([choice], whole=True) | {
            "usage": _usage(written),
            "potluck": _who(written),
        }


def _finish(written: Written) -> str:
    return "stop" if written.finish == "stop" else "length"


def _usage(written: Written) -> dict[str, int]:
    return {
        "prompt_tokens": written.prompt_tokens,
        "completion_tokens": written.tokens,
        "total_tokens": written.prompt_tokens + written.tokens,
    }


def _who(written: Written) -> dict[str, object]:
    return {
        "chain": written.chain,
        "readers": written.readers,
        "tokens_per_second": round(written.tokens_per_second, 3),
        "first_token_seconds": round(written.first_token_seconds, 4),
        "repairs": written.repairs,
    }


def _told(handler: Handler) -> Handler:
    """The handler, with what may go wrong told as OpenAI tells it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except PotluckError as error:
            denied = _denied(error)
            # Not the sentence: it may hold what the program has sent.
            logger.info("an answer was not written: %s", denied.code)
            raise denied from None

    return answer


def _denied(error: PotluckError) -> Denied:
    match error:
        case PromptTooLong():
            return Denied(400, "context_length_exceeded", str(error), parameter="messages")
        case UsageError():
            return Denied(400, "invalid_value", str(error))
        case Refusal(code="unknown_model" | "ambiguous_model"):
            return Denied(404, "model_not_found", str(error), parameter="model")
        case NoRoom():
            return Denied(503, "no_room", str(error))
        case Refusal():
            return Denied(503, error.code, str(error))
        case NotServed():
            return Denied(503, "not_served", str(error))
    return Denied(500, "failed", str(error))
