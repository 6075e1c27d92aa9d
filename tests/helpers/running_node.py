"""A real node with the embedded guide, inside the test's own process, and how to ask it.

Only the sensors are not this computer's: whether somebody sits at it or a program fills
its screen must not decide a test.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp

from app.api.shapes import API_PREFIX
from app.engine.footprint import footprint
from app.engine.mounting import BATCH_ROWS
from app.engine.publish import publish
from app.engine.slicing import Plan
from app.ids import Span
from app.node.node import Node, NodeOptions
from app.policy.readings import Readings
from app.settings import Settings
from app.swarm.chain_link import OPEN_SECONDS
from app.swarm.layout import Layout
from tests.helpers.slices import plan_of

GUIDE = Path(__file__).resolve().parents[2] / "resources" / "models" / "guide-7m-q8_0.gguf"
WHOLE = Span(0, 10)
LATE_SECONDS = 30.0
AWAY = Readings(
    idle_seconds=3600.0,
    on_battery=False,
    metered=False,
    other_cpu_percent=0.0,
    full_screen=False,
    programs=frozenset(),
    disk_free_bytes=100 << 30,
)


def write_guide_manifest(folder: Path) -> Path:
    """A manifest of the embedded guide, as its file."""
    url = f"resource:models/{GUIDE.name}"
    signed = publish(GUIDE, [url], key=bytes(range(32)), name="guide", licence="apache-2.0",
                     prove=lambda path, cut: None)  # fmt: skip
    path = folder / "guide.json"
    path.write_bytes(signed)
    return path


def guide_memory(span: Span) -> int:
    """What a span of the guide takes, with the usual room for conversations."""
    return usual_layout(plan_of(GUIDE)).memory(span)


def usual_layout(cut: Plan) -> Layout:
    """A model with the usual room for conversations."""
    taken = footprint(cut, tokens=Settings().kv_tokens, batch_rows=BATCH_ROWS)
    sizes = [unit.payload_bytes for unit in cut.units]
    more = {"handing_on_bytes": taken.handing_on_bytes, "span_bytes": taken.span_bytes}
    return Layout(sizes, taken.unit_bytes, **more)


class SetSensors:
    """Sensors that say what a test wants."""

    def __init__(self, readings: Readings = AWAY) -> None:
        self.readings = readings

    def read(self, programs: frozenset[str]) -> Readings:
        return self.readings

    def close(self) -> None:
        pass

    def set(self, **values: Any) -> None:
        """Other readings from now on."""
        self.readings = replace(self.readings, **values)


class Asking(ABC):
    """A program of the owner's that speaks to a node's control API, whichever node it is."""

    http: aiohttp.ClientSession

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the node listens."""

    @property
    @abstractmethod
    def token(self) -> str:
        """What lets the owner's programs in."""

    async def ask(self, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        """Ask the control API with the token; gives the answer's JSON."""
        headers = {"Authorization": f"Bearer {self.token}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body)
        url = f"{self.url}{API_PREFIX}{path}"
        async with self.http.request(method, url, data=data, headers=headers) as response:
            text = await response.text()
            assert response.status == expect, f"{response.status}: {text}"
            return json.loads(text)

    async def first_words(self, events: AsyncIterator[tuple[str, Any]]) -> str:
        """What an answer begins with; on a crowded computer it may have to wait before."""
        async for name, body in events:
            if name == "delta":
                return str(body["text"])
            assert name == "waiting", body
        raise AssertionError("the stream ended before the answer began")

    async def events(
        self, method: str, path: str, body: Any = None
    ) -> AsyncIterator[tuple[str, Any]]:
        """The events of a stream, each with its name."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        url = f"{self.url}{API_PREFIX}{path}"
        async with self.http.request(method, url, data=data, headers=headers) as response:
            assert response.status == 200, await response.text()
            name = ""
            async for raw in response.content:
                line = raw.decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, json.loads(line.removeprefix("data: "))


@dataclass
class RunningNode(Asking):
    """A node, and a program of the owner's that speaks to it."""

    node: Node
    http: aiohttp.ClientSession
    sensors: SetSensors
    folder: Path

    @property
    def url(self) -> str:
        return str(self.node.ready_line()["api"])

    @property
    def token(self) -> str:
        return (self.folder / "api-token").read_text().strip()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def offer(self, name: str = "guide") -> Any:
        """What is offered of one model, whatever else this Potluck knows."""
        offers = await self.ask("GET", "/models")
        return next(offer for offer in offers if offer["name"] == name)

    async def openai(self, path: str, body: Any, *, expect: int | tuple[int, ...] = 200) -> Any:
        """Ask an endpoint of OpenAI's without any key."""
        headers = {"Content-Type": "application/json"}
        data = json.dumps(body)
        async with self.http.post(f"{self.url}{path}", data=data, headers=headers) as response:
            text = await response.text()
            wanted = (expect,) if isinstance(expect, int) else expect
            assert response.status in wanted, f"{response.status}: {text}"
            return json.loads(text)


@asynccontextmanager
async def running_node(
    folder: Path,
    *,
    manifest: Path | None = None,
    units: Span | None = None,
    sensors: SetSensors | None = None,
    bootstraps: tuple[str, ...] = (),
    public: bool = False,
    api: str = "127.0.0.1:0",
) -> AsyncIterator[RunningNode]:
    """A node with its API; with `units` it shares them, as if the command line had said so."""
    sensors = sensors or SetSensors()
    options = NodeOptions(
        data_dir=folder,
        listen="127.0.0.1:0",
        model=None if manifest is None else str(manifest),
        units=units,
        api=api,
        bootstraps=bootstraps,
        public=public,
    )
    with nobody_stands_still():
        async with Node(options, sensors=sensors) as node, aiohttp.ClientSession() as http:
            yield RunningNode(node, http, sensors, folder)


@contextmanager
def nobody_stands_still() -> Iterator[None]:
    """Whoever is late is waited for: nodes of one process are held up together, each then finds
    the others late, and what a test counts would be counted twice."""
    with ExitStack() as stack:
        for limit in ("engine.supervisor.LEAST_STALL", "swarm.host_session.NEXT"):
            stack.enter_context(patch(f"app.{limit}_SECONDS", LATE_SECONDS))
        stack.enter_context(patch("app.swarm.chain_link.SOON_SECONDS", OPEN_SECONDS))
        yield


async def until(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait until something holds that tells nobody of it."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def adopt_guide(folder: Path, manifest: Path) -> None:
    """Have a data folder know the guide, as after a file was handed over."""
    from app.engine.manifest import read_manifest

    shelf = folder / "manifests"
    shelf.mkdir(parents=True, exist_ok=True)
    data = manifest.read_bytes()
    (shelf / f"{read_manifest(data).model.hex()}.json").write_bytes(data)
