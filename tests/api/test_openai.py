"""OpenAI's own client, unchanged, against a real node; see app/api/openai.py."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.guard import Denied, decode
from app.api.openai import ChatAsked, CompletionAsked
from tests.helpers.running_node import WHOLE, RunningNode, adopt_guide, running_node

pytestmark = pytest.mark.real

QUESTION: list[Any] = [{"role": "user", "content": "What is Potluck?"}]
TOOLS = [{"type": "function", "function": {"name": "look"}}]


@asynccontextmanager
async def asking(
    folder: Path, guide: Path
) -> AsyncIterator[tuple[openai.AsyncOpenAI, RunningNode]]:
    """The client of a program, and the node that serves the whole guide."""
    async with (
        running_node(folder, manifest=guide, units=WHOLE) as running,
        openai.AsyncOpenAI(
            base_url=f"{running.url}/v1", api_key="none is needed", max_retries=0
        ) as client,
    ):
        yield client, running


async def test_the_official_client_works_unchanged(tmp_path: Path, guide: Path) -> None:
    async with asking(tmp_path, guide) as (client, _):
        assert "guide" in [model.id async for model in client.models.list()]
        assert (await client.models.retrieve("guide")).owned_by == "file"

        whole = await client.chat.completions.create(
            model="guide", messages=QUESTION, temperature=0, max_tokens=40
        )
        choice = whole.choices[0]
        assert choice.finish_reason == "stop"
        assert choice.message.content
        assert whole.usage is not None
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
        assert 0 < whole.usage.completion_tokens <= 40

        stream = await client.chat.completions.create(
            model="guide",
            messages=QUESTION,
            temperature=0,
            max_completion_tokens=40,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        assert chunks[0].choices[0].delta.role == "assistant"
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == choice.message.content
        assert len(chunks) > 5
        assert chunks[-2].choices[0].finish_reason == "stop"
        assert chunks[-1].usage == whole.usage


async def test_length_stop_and_seed_are_kept(tmp_path: Path, guide: Path) -> None:
    async with asking(tmp_path, guide) as (client, _):
        long = await client.chat.completions.create(
            model="guide", messages=QUESTION, temperature=0, max_tokens=5
        )
        assert long.choices[0].finish_reason == "length"
        assert long.usage is not None
        assert long.usage.completion_tokens == 5
        text = long.choices[0].message.content or ""
        word = text.split()[1]
        cut = await client.chat.completions.create(
            model="guide", messages=QUESTION, temperature=0, max_tokens=5, stop=[word, "never"]
        )
        assert cut.choices[0].finish_reason == "stop"
        assert cut.choices[0].message.content == text[: text.index(word)]

        async def by_chance(seed: int) -> str:
            answer = await client.chat.completions.create(
                model="guide", messages=QUESTION, temperature=2, top_p=1, seed=seed, max_tokens=12
            )
            return answer.choices[0].message.content or ""

        assert await by_chance(7) == await by_chance(7)
        assert len({await by_chance(seed) for seed in range(4)}) > 1


async def test_plain_completions_go_on_where_the_prompt_ends(tmp_path: Path, guide: Path) -> None:
    async with asking(tmp_path, guide) as (client, _):
        whole = await client.completions.create(
            model="guide", prompt="Potluck lets people", max_tokens=12, temperature=0
        )
        assert whole.choices[0].text
        stream = await client.completions.create(
            model="guide", prompt=["Potluck lets people"], max_tokens=12, temperature=0, stream=True
        )
        pieces = [chunk.choices[0].text async for chunk in stream]
        assert "".join(pieces) == whole.choices[0].text


async def test_two_programs_are_answered_at_the_same_time(tmp_path: Path, guide: Path) -> None:
    async with asking(tmp_path, guide) as (client, _):
        first = await client.chat.completions.create(
            model="guide", messages=QUESTION, temperature=0, max_tokens=30, stream=True
        )
        await anext(aiter(first))
        second = await client.chat.completions.create(
            model="guide", messages=QUESTION, temperature=0, max_tokens=30
        )
        rest = "".join([c.choices[0].delta.content or "" async for c in first])
        assert second.choices[0].message.content
        assert rest.endswith(second.choices[0].message.content[-10:])


async def test_a_conversation_told_again_goes_on_over_its_own_chain(
    tmp_path: Path, guide: Path
) -> None:
    async with asking(tmp_path, guide) as (client, running):
        first = await client.chat.completions.create(model="guide", messages=QUESTION)
        told = [
            *QUESTION,
            {"role": "assistant", "content": first.choices[0].message.content or ""},
            {"role": "user", "content": "Who can read what I write?"},
        ]
        await client.chat.completions.create(model="guide", messages=told)
        assert running.node.sharing.sessions_ever == 1


@pytest.mark.parametrize(
    ("change", "kind", "code", "parameter"),
    [
        ({"model": "gpt-9"}, openai.NotFoundError, "model_not_found", "model"),
        ({"messages": []}, openai.BadRequestError, "invalid_value", "messages"),
        ({"messages": "hi"}, openai.BadRequestError, "invalid_value", "messages"),
        ({"temperature": 9}, openai.BadRequestError, "invalid_value", "temperature"),
        ({"max_tokens": 0}, openai.BadRequestError, "invalid_value", "max_tokens"),
        ({"n": 2}, openai.BadRequestError, "unsupported_value", "n"),
        ({"logprobs": True}, openai.BadRequestError, "unsupported_value", "logprobs"),
        (
            {"response_format": {"type": "json_object"}},
            openai.BadRequestError,
            "unsupported_value",
            "response_format",
        ),
        ({"tools": TOOLS}, openai.BadRequestError, "unsupported_value", "tools"),
        (
            {"tools": TOOLS, "tool_choice": "required"},
            openai.BadRequestError,
            "unsupported_value",
            "tools",
        ),
        ({"tool_choice": "required"}, openai.BadRequestError, "unsupported_value", "tool_choice"),
        ({"functions": [{}]}, openai.BadRequestError, "unsupported_value", "functions"),
        ({"modalities": ["audio"]}, openai.BadRequestError, "unsupported_value", "modalities"),
        ({"audio": {"voice": "x"}}, openai.BadRequestError, "unsupported_value", "audio"),
        ({"logit_bias": {"5": -100}}, openai.BadRequestError, "unsupported_value", "logit_bias"),
        (
            {"frequency_penalty": 0.5},
            openai.BadRequestError,
            "unsupported_value",
            "frequency_penalty",
        ),
        (
            {"presence_penalty": -1},
            openai.BadRequestError,
            "unsupported_value",
            "presence_penalty",
        ),
        (
            {"messages": [{"role": "user", "content": "word " * 3000}]},
            openai.BadRequestError,
            "context_length_exceeded",
            "messages",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            openai.BadRequestError,
            "unsupported_value",
            "messages[0].content",
        ),
    ],
)
async def test_mistakes_have_openais_shape(
    tmp_path: Path, guide: Path, change: Any, kind: Any, code: str, parameter: str
) -> None:
    asked = {"model": "guide", "messages": QUESTION, **change}
    adopt_guide(tmp_path, guide)
    async with (
        running_node(tmp_path) as running,
        openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key="x", max_retries=0) as client,
    ):
        with pytest.raises(kind) as caught:
            await client.chat.completions.create(**asked)
    assert caught.value.code == code
    assert caught.value.param == parameter
    assert caught.value.type == "invalid_request_error"
    assert caught.value.body["message"].endswith(".")


async def test_unknown_fields_and_parts_of_text_are_taken(tmp_path: Path, guide: Path) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        body = {
            "model": "guide",
            "messages": [
                {"role": "developer", "content": "Be short.", "name": "me"},
                {"role": "user", "content": [{"type": "text", "text": "What is Potluck?"}]},
            ],
            "user": "somebody",
            "store": False,
            "tools": TOOLS,
            "tool_choice": "none",
            "modalities": ["text"],
            "logit_bias": {},
            "frequency_penalty": 0,
            "presence_penalty": 0.0,
            "temperature": 1e-320,
            "max_tokens": 4,
            "stop": None,
        }
        answer = await running.openai("/v1/chat/completions", body)
    assert answer["usage"]["completion_tokens"] == 4
    assert answer["potluck"]["chain"] == ["this computer"]


async def test_what_is_not_there_is_said_in_the_same_shape(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        answer = await running.openai("/v1/embeddings", {}, expect=404)
        assert answer["error"]["code"] == "not_found"
        async with running.http.get(f"{running.url}/v1/chat/completions") as response:
            assert response.status == 405
            assert (await response.json())["error"]["type"] == "invalid_request_error"


# ── bodies nobody would write ────────────────────────────────────────────────

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["model", "messages", "role", "content", "stop", "n", "prompt", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(body=JSON, kind=st.sampled_from([ChatAsked, CompletionAsked]))
def test_a_body_is_read_or_refused(body: Any, kind: Any) -> None:
    try:
        read = decode(json.dumps(body).encode(), kind)
    except Denied as denied:
        assert denied.status == 400
        assert denied.words
    else:
        assert isinstance(read, kind)


@settings(deadline=None, max_examples=150)
@given(data=st.binary(max_size=64) | st.just(b"[" * 100_000) | st.just(b"9" * 10_000))
def test_bytes_that_are_no_json_are_refused(data: bytes) -> None:
    try:
        decode(data, ChatAsked)
    except Denied as denied:
        assert denied.status == 400
    else:
        pytest.fail("no such bytes are a request")


@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(bodies=st.lists(JSON, min_size=10, max_size=20))
async def test_a_node_outlives_any_body(tmp_path: Path, guide: Path, bodies: list[Any]) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        for body in bodies:
            for path in ("/v1/chat/completions", "/v1/completions"):
                # 404: a good question to a model that nobody knows
                answer = await running.openai(path, body, expect=(400, 404))
                assert set(answer["error"]) == {"message", "type", "param", "code"}
        assert (await running.ask("GET", "/status"))["state"] == "idle"
