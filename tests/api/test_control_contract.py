"""A real node and the scripted one, which the window's tests use, answer alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.api.control_contract import ControlContract, Subject
from tests.helpers.asking_fake import scripted_node
from tests.helpers.fake_node_data import ANSWER
from tests.helpers.held_answers import hold_answers
from tests.helpers.running_node import Asking, adopt_guide, running_node

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("control contract"),
]


@asynccontextmanager
async def real_node(folder: Path, guide: Path) -> AsyncIterator[Subject]:
    """A node that shares the guide it comes with, and knows the same one from a file."""
    adopt_guide(folder, guide)
    async with running_node(folder) as running:
        await running.ask("POST", "/consent", {"share": True})
        yield Subject(running, other="guide", hold_answers=hold_answers)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scripted() -> AsyncIterator[Subject]:
    """One for all; each test leaves it as it found it."""
    async with scripted_node() as asking:

        def write_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
            monkeypatch.setattr(asking.node, "answer", ANSWER * 100)

        yield Subject(asking, other="guide-7m", hold_answers=write_for_long)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def real(tmp_path_factory: pytest.TempPathFactory, guide: Path) -> AsyncIterator[Subject]:
    """One for all; each test leaves it as it found it."""
    async with real_node(tmp_path_factory.mktemp("real"), guide) as subject:
        yield subject


class TestScriptedNode(ControlContract):
    """Everything in the contract."""

    @pytest.fixture
    def subject(self, scripted: Subject) -> Subject:
        return scripted


@pytest.mark.real
class TestRealNode(ControlContract):
    """Everything in the contract."""

    @pytest.fixture
    def subject(self, real: Subject) -> Subject:
        return real


# ── the same calls, side by side ─────────────────────────────────────────────


CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/status", None),
    ("GET", "/settings", None),
    ("GET", "/models", None),
    ("GET", "/logs", None),
    ("GET", "/conversations", None),
    ("POST", "/conversations", {"system": "Be brief.", "max_tokens": 8}),
    ("POST", "/pause", {"kind": "seconds", "seconds": 60}),
    ("POST", "/pause", {"kind": "seconds"}),
    ("POST", "/pause", {"kind": "tomorrow"}),
    ("POST", "/resume", {}),
    ("POST", "/share-anyway", {"seconds": 60}),
    ("POST", "/slow-mode", {"on": True}),
    ("POST", "/slow-mode", {}),
    ("PATCH", "/settings", {"kv_tokens": 4096}),
    ("PATCH", "/settings", {"kv_tokens": 1}),
    ("PATCH", "/settings", {"kv_tokens": "many"}),
    ("POST", "/models/choose", {"model": "no-such"}),
    ("POST", "/models/add", {"path": "/nowhere/model.json"}),
    ("POST", "/disk/free", {}),
    ("GET", "/conversations/none", None),
    ("GET", "/nothing", None),
    ("POST", "/status", {}),
]
"""What is asked of both, in this order."""


async def told(asking: Asking) -> list[str]:
    """What a node answers to each call: the status, and the shape or the code."""
    lines = []
    for method, path, body in CALLS:
        headers = {"Authorization": f"Bearer {asking.token}"}
        url = f"{asking.url}/potluck/v1{path}"
        async with asking.http.request(method, url, json=body, headers=headers) as response:
            answer = await response.json()
        what = answer["code"] if response.status >= 400 else shape(answer)
        lines.append(f"{method} {path} {body}: {response.status} {what}")
    return lines


def shape(value: Any) -> Any:
    """Which fields there are, and of which kind; a list is as its first entry."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in sorted(value.items()) if name not in VALUES}
    if isinstance(value, list):
        return [shape(value[0])] if value else "list"
    return "number" if isinstance(value, int | float) else type(value).__name__


VALUES = {"remarks", "warnings", "limits", "download", "pause", "model", "value", "default"}
VALUES |= {"values", "warnings_said", "remarks_said", "missing", "my_start", "my_stop"}
VALUES |= {"holders", "least", "most", "choices", "expected_tokens_per_second", "text"}
"""Fields whose kind depends on the moment."""


async def test_the_same_calls_get_the_same_kinds_of_answers(tmp_path: Path, guide: Path) -> None:
    """Two fresh ones, so that neither has a history."""
    async with scripted_node() as scripted, real_node(tmp_path, guide) as real:
        assert await told(scripted) == await told(real.asking)
