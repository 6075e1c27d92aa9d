"""The control API: what the window, the command line and tests ask of the node.

Its paths are listed in `docs/API.md`, its shapes are `app/api/shapes.py`; the
counterpart that asks is `app/ui/backend.py`.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from aiohttp import web

from app.api.control_port import NodeControl
from app.api.events import answer_stream, status_stream
from app.api.export import as_markdown
from app.api.guard import Denied, Handler, json_response, read_body
from app.api.shapes import (
    API_PREFIX,
    AddModelRequest,
    ChooseModelRequest,
    ConsentRequest,
    ConversationChange,
    ConversationOptions,
    PauseRequest,
    ResumeRequest,
    SayRequest,
    ShareAnywayRequest,
    SlowModeRequest,
)
from app.errors import NotServed, PotluckError, Refusal, UsageError

logger = logging.getLogger(__name__)

_STATUS: Final = {
    "unknown_conversation": 404,
    "unknown_message": 404,
    "unknown_model": 404,
    "ambiguous_model": 409,
    "busy": 409,
    "conversations_closed": 503,
}


def routes(node: NodeControl) -> list[web.RouteDef]:
    """Everything under `API_PREFIX`, for the server."""
    steering = _Steering(node)
    talks = _Conversations(node)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/status", steering.status),
        ("GET", "/events", steering.events),
        ("POST", "/consent", steering.consent),
        ("POST", "/pause", steering.pause),
        ("POST", "/resume", steering.resume),
        ("POST", "/share-anyway", steering.share_anyway),
        ("POST", "/slow-mode", steering.slow_mode),
        ("POST", "/quit", steering.quit),
        ("GET", "/settings", steering.settings),
        ("PATCH", "/settings", steering.change_settings),
        ("GET", "/models", steering.models),
        ("POST", "/models/add", steering.add_model),
        ("POST", "/models/choose", steering.choose_model),
        ("POST", "/disk/free", steering.free_disk),
        ("GET", "/logs", steering.logs),
        ("GET", "/conversations", talks.listing),
        ("POST", "/conversations", talks.create),
        ("GET", "/conversations/{id}", talks.get),
        ("PATCH", "/conversations/{id}", talks.change),
        ("DELETE", "/conversations/{id}", talks.delete),
        ("POST", "/conversations/{id}/messages", talks.say),
        ("POST", "/conversations/{id}/regenerate", talks.regenerate),
        ("GET", "/conversations/{id}/events", talks.follow),
        ("POST", "/conversations/{id}/stop", talks.stop),
        ("GET", "/conversations/{id}/export", talks.export),
    ]
    return [web.route(method, API_PREFIX + path, _told(handler)) for method, path, handler in table]


class _Steering:
    """What the computer does, its settings, models and logs."""

    def __init__(self, node: NodeControl) -> None:
        self._node = node

    async def status(self, _: web.Request) -> web.Response:
        return json_response(self._node.snapshot())

    async def events(self, request: web.Request) -> web.StreamResponse:
        return await status_stream(request, self._node)

    async def consent(self, request: web.Request) -> web.Response:
        return json_response(await self._node.consent(await read_body(request, ConsentRequest)))

    async def pause(self, request: web.Request) -> web.Response:
        asked = await read_body(request, PauseRequest)
        if (asked.kind == "seconds") != (asked.seconds is not None):
            raise Denied(
                400,
                "invalid_value",
                'Say for how many seconds with kind "seconds", and with no other kind.',
                parameter="seconds",
            )
        return json_response(await self._node.pause(asked))

    async def resume(self, request: web.Request) -> web.Response:
        asked = ResumeRequest()
        if request.can_read_body:
            asked = await read_body(request, ResumeRequest)
        return json_response(await self._node.resume(asked))

    async def share_anyway(self, request: web.Request) -> web.Response:
        asked = await read_body(request, ShareAnywayRequest)
        return json_response(await self._node.share_anyway(asked.seconds))

    async def slow_mode(self, request: web.Request) -> web.Response:
        asked = await read_body(request, SlowModeRequest)
        return json_response(await self._node.slow_mode(on=asked.on))

    async def quit(self, _: web.Request) -> web.Response:
        self._node.quit()
        return json_response({})

    async def settings(self, _: web.Request) -> web.Response:
        return json_response(self._node.settings())

    async def change_settings(self, request: web.Request) -> web.Response:
        values = await read_body(request, dict[str, Any])
        return json_response(await self._node.change_settings(values))

    async def models(self, _: web.Request) -> web.Response:
        return json_response(await self._node.models())

    async def add_model(self, request: web.Request) -> web.Response:
        return json_response(await self._node.add_model(await read_body(request, AddModelRequest)))

    async def choose_model(self, request: web.Request) -> web.Response:
        asked = await read_body(request, ChooseModelRequest)
        return json_response(await self._node.choose_model(asked))

    async def free_disk(self, _: web.Request) -> web.Response:
        return json_response({"freed_bytes": await self._node.free_disk()})

    async def logs(self, _: web.Request) -> web.Response:
        return json_response(await self._node.logs())


class _Conversations:
    """Conversations and their answers."""

    def __init__(self, node: NodeControl) -> None:
        self._node = node

    async def listing(self, _: web.Request) -> web.Response:
        return json_response(await self._node.conversations())

    async def create(self, request: web.Request) -> web.Response:
        options = ConversationOptions()
        if request.can_read_body:
            options = await read_body(request, ConversationOptions)
        return json_response(await self._node.create_conversation(options), status=201)

    async def get(self, request: web.Request) -> web.Response:
        return json_response(await self._node.conversation(_id(request)))

    async def change(self, request: web.Request) -> web.Response:
        asked = await read_body(request, ConversationChange)
        await self._node.change_conversation(_id(request), asked)
        return json_response(await self._node.conversation(_id(request)))

    async def delete(self, request: web.Request) -> web.Response:
        await self._node.delete_conversation(_id(request))
        return json_response({})

    async def say(self, request: web.Request) -> web.StreamResponse:
        asked = await read_body(request, SayRequest)
        await self._node.say(_id(request), asked)
        return await answer_stream(request, self._node.follow(_id(request)))

    async def regenerate(self, request: web.Request) -> web.StreamResponse:
        await self._node.regenerate(_id(request))
        return await answer_stream(request, self._node.follow(_id(request)))

    async def follow(self, request: web.Request) -> web.StreamResponse:
        await self._node.conversation(_id(request))  # there is none such: said by the status
        return await answer_stream(request, self._node.follow(_id(request)))

    async def stop(self, request: web.Request) -> web.Response:
        await self._node.stop(_id(request))
        return json_response({})

    async def export(self, request: web.Request) -> web.Response:
        kind = request.query.get("format", "markdown")
        conversation = await self._node.conversation(_id(request))
        if kind == "json":
            return json_response(conversation)
        if kind == "markdown":
            return web.Response(text=as_markdown(conversation), content_type="text/markdown")
        raise Denied(400, "invalid_value", "The format is markdown or json.", parameter="format")


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _told(handler: Handler) -> Handler:
    """The handler, with what may go wrong told in `ErrorBody`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except PotluckError as error:
            raise _denied(error) from None

    return answer


def _denied(error: PotluckError) -> Denied:
    match error:
        case Refusal():
            return Denied(_STATUS.get(error.code, 409), error.code, str(error), said=error.said)
        case UsageError():
            return Denied(400, "invalid_value", str(error), said=error.said)
        case NotServed():
            return Denied(503, "not_served", str(error), said=error.said)
    return Denied(500, "failed", str(error), said=error.said)
