"""Who gets in: this computer's programs, and no web page; see app/api/guard.py."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from app.api.guard import MAX_BODY_BYTES, Admission, Denied, decode, guard
from app.api.openai import ChatAsked
from app.api.shapes import API_PREFIX, PauseRequest
from tests.helpers.running_node import RunningNode, running_node

STATUS = f"{API_PREFIX}/status"


async def ask(running: RunningNode, path: str, **headers: str) -> tuple[int, Any]:
    """A GET with these headers."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with running.http.get(running.url + path, headers=names) as response:
        return response.status, await response.json()


async def post(
    running: RunningNode, path: str, data: bytes | io.BytesIO, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    """A POST with these bytes and headers."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with running.http.post(running.url + path, data=data, headers=names) as response:
        return response.status, await response.json(), dict(response.headers)


async def test_control_wants_the_token_and_nothing_else_will_do(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        right = f"Bearer {running.token}"
        assert (await ask(running, STATUS, Authorization=right))[0] == 200
        for wrong in ("", "Bearer", "Bearer x", f"Basic {running.token}", right[:-1], right + "0"):
            status, body = await ask(running, STATUS, Authorization=wrong)
            assert (status, body["code"]) == (401, "no_token")
            assert "api-token" in body["words"]
        assert (await ask(running, STATUS))[0] == 401


async def test_a_page_that_points_its_own_name_here_is_refused(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        right = f"Bearer {running.token}"
        for host in ("evil.example", f"evil.example:{running.port}", "127.0.0.1.evil.example", "["):
            status, body = await ask(running, STATUS, Authorization=right, Host=host)
            assert (status, body["code"]) == (403, "wrong_host")
            status, body = await ask(running, "/v1/models", Host=host)
            assert (status, body["error"]["code"]) == (403, "wrong_host")
        for host in (
            "evil.example@localhost",
            "localhost/evil",
            "localhost:80:80",
            "127.0.0.1:abc",
            "127.0.0.1:99999",
            "localhost.",
            "localhost?x",
            "::1",
            "",
        ):
            assert (await ask(running, "/v1/models", Host=host))[0] in (400, 403), host
        for host in (f"localhost:{running.port}", f"127.0.0.1:{running.port}", "[::1]"):
            assert (await ask(running, "/v1/models", Host=host))[0] == 200


async def test_no_web_page_may_ask_anything(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        for origin in ("https://evil.example", "null", "http://localhost:1", "file://", ""):
            status, body = await ask(running, "/v1/models", Origin=origin)
            assert (status, body["error"]["code"]) == (403, "foreign_origin")
        assert (await ask(running, "/v1/models", Sec_Fetch_Site="cross-site"))[0] == 403
        assert (await ask(running, "/v1/models", Origin=running.url))[0] == 200


async def test_a_browser_that_asks_first_is_never_told_yes(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        headers = {
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        url = f"{running.url}/v1/chat/completions"
        async with running.http.options(url, headers=headers) as response:
            assert response.status in (403, 405)
            assert not [name for name in response.headers if name.startswith("Access-Control")]


async def test_bodies_have_to_be_json_and_of_a_sane_size(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        path, kind = "/v1/chat/completions", "application/json"
        for other in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            status, body, _ = await post(running, path, b"{}", Content_Type=other)
            assert (status, body["error"]["code"]) == (415, "not_json")
        status, body, headers = await post(running, path, b"{", Content_Type=kind)
        assert (status, body["error"]["code"]) == (400, "bad_json")
        assert headers["Content-Type"].startswith(kind)
        huge = io.BytesIO(b" " * (MAX_BODY_BYTES + 1))
        status, body, _ = await post(running, path, huge, Content_Type=kind)
        assert (status, body["error"]["code"]) == (413, "too_large")
        assert (await ask(running, "/v1/models"))[0] == 200


async def test_a_body_is_never_unpacked(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        for body in (b"not what it claims", gzip.compress(b"{}"), gzip.compress(bytes(1 << 24))):
            for encoding in ("gzip", "deflate", "br", "GZIP"):
                status, answer, _ = await post(
                    running,
                    "/v1/chat/completions",
                    io.BytesIO(body),
                    Content_Type="application/json",
                    Content_Encoding=encoding,
                )
                assert (status, answer["error"]["code"]) == (415, "encoded")


async def test_a_header_of_any_bytes_harms_nothing(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        status, _ = await ask(running, STATUS, Authorization="Bearer \udcff\udc80é")
        assert status in (400, 401)


# ── other computers ──────────────────────────────────────────────────────────

KEY = "a-key-of-the-owner-0123"


async def sent(path: str, *, remote: str, key: str = KEY, **headers: str) -> int:
    """How a request from some address fares at a node whose owner has set a key."""
    transport = Mock()
    transport.get_extra_info.side_effect = lambda name, *_: (
        (remote, 40_000) if name == "peername" else None
    )
    request = make_mocked_request("GET", path, headers=headers, transport=transport)

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response()

    response = await guard(lambda: Admission(token="t" * 64, key=key))(request, answer)
    return int(response.status)


async def test_other_computers_need_the_key_that_the_owner_set() -> None:
    for remote in ("192.168.1.7", "203.0.113.9", "fe80::1%eth0", "::ffff:203.0.113.9"):
        assert await sent("/v1/models", remote=remote, Authorization=f"Bearer {KEY}") == 200
        assert await sent("/v1/models", remote=remote, Authorization="Bearer other") == 401
        assert await sent("/v1/models", remote=remote) == 401
        assert await sent("/v1/models", remote=remote, key="", Authorization="Bearer ") == 401


async def test_other_computers_never_control_this_one() -> None:
    for shown in ("t" * 64, KEY):
        status = await sent(STATUS, remote="192.168.1.7", Authorization=f"Bearer {shown}")
        assert status == 403


async def test_own_programs_need_no_key() -> None:
    for remote in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert await sent("/v1/models", remote=remote, Host="localhost") == 200


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (
            PauseRequest,
            b'{"kind": "timer"}',
            "Invalid enum value 'timer' (kind); allowed are resume, seconds, tomorrow.",
        ),
        (
            ChatAsked,
            b'{"model": "m", "messages": [{"role": "king", "content": "x"}]}',
            "Invalid enum value 'king' (messages[0].role); allowed are assistant,"
            " developer, function, system, tool, user.",
        ),
        (PauseRequest, b'{"kind": 5}', "Expected `str`, got `int` (kind)."),
    ],
)
def test_who_sends_a_word_that_is_not_allowed_learns_which_are(
    kind: type, body: bytes, words: str
) -> None:
    with pytest.raises(Denied) as denied:
        decode(body, kind)
    assert denied.value.words == words
