"""A node of scripted data behind the real API server, for the window's tests and pictures.

Only the numbers are made up: requests pass the same guard, routes and shapes as a node's
(`app/api/server.py`). `FakeNodeThread` runs one beside a test's Qt loop; as a program,
`python -m tests.helpers.fake_node_api --data-dir D`, it stands where a node would.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from app.api.control_port import Changes, KnownName, Order, Written
from app.api.guard import Admission
from app.api.server import ApiServer
from app.api.shapes import (
    NODE_FILE,
    TOKEN_FILE,
    AddModelRequest,
    ChooseModelRequest,
    ConsentRequest,
    LogsView,
    ModelOffer,
    Pause,
    PauseRequest,
    ResumeRequest,
    SettingsView,
    SettingView,
    Snapshot,
    Speeds,
)
from app.errors import UsageError
from app.policy.remarks import settings_remarks
from app.process_lock import data_folder_lock
from app.sentences import At, Sentence, say
from app.settings import SETTINGS, Settings, changed, save_settings
from app.tasks import TaskOwner
from tests.helpers.fake_conversations import FakeConversations
from tests.helpers.fake_node_data import (
    SHARING,
    coverage_at_rest,
    model_at_rest,
    snapshot_at_rest,
)

TOKEN = "t" * 43
THREAD_SECONDS = 30.0
"""How long a test waits for the thread of its node, which other programs may hold up."""


class FakeNode(FakeConversations):
    """`NodeControl` with a script; tests change what it says and look at what was asked.

    It keeps the contract of a real node (`tests/api/control_contract.py`).
    """

    def __init__(self, *, consented: bool | None = True, folder: Path | None = None) -> None:
        super().__init__()
        self.state = snapshot_at_rest(consented=consented)
        self.folder = folder
        self.lively = False
        self.remarks: list[str] = []
        self.quitting = asyncio.Event()
        self._values = Settings()
        self._listeners: list[Changes] = []

    # ── what it does ─────────────────────────────────────────────────────────

    def tell(self, **changes: Any) -> None:
        """Change the snapshot, and let everybody know."""
        self.state = msgspec.structs.replace(self.state, **changes)
        for listener in self._listeners:
            listener.mark()

    def snapshot(self) -> Snapshot:
        warnings = [
            *self.state.warnings,
            *(remark.words for remark in settings_remarks(self._values)),
        ]
        state = self.state
        shares = state.model is not None and any(one.mine for one in state.model.holders)
        coverage = coverage_at_rest(shares=shares)
        state = msgspec.structs.replace(state, warnings=warnings, coverage=coverage)
        if self.lively:
            beat = time.monotonic()
            speeds = Speeds(
                tokens_per_second=14 + 6 * math.sin(beat / 3),
                upload_bytes_per_second=210_000 + 90_000 * math.sin(beat / 5),
                download_bytes_per_second=180_000 + 60_000 * math.cos(beat / 4),
            )
            return msgspec.structs.replace(state, speeds=speeds)
        return state

    def moving(self) -> bool:
        return self.lively

    def listen(self) -> Changes:
        self._listeners.append(Changes())
        return self._listeners[-1]

    def unlisten(self, changes: Changes) -> None:
        self._listeners.remove(changes)

    def warn(self, warning: Sentence) -> None:
        for listener in self._listeners:
            listener.warn(warning)

    def quit(self) -> None:
        self.asked.append(("quit", None))
        self.quitting.set()

    # ── steering ─────────────────────────────────────────────────────────────

    def _heard(self, name: str, request: Any) -> Snapshot:
        self.asked.append((name, request))
        return self.snapshot()

    def _share(self) -> None:
        self.tell(
            consented=True,
            sharing_wanted=True,
            state="sharing",
            pause=None,
            headline=SHARING.words,
            headline_said=SHARING.said,
            model=model_at_rest(),
        )

    async def consent(self, request: ConsentRequest) -> Snapshot:
        self._heard("consent", request)
        login = {"start_at_login": True} if request.start_at_login else {}
        await self.change_settings({**request.settings, **login})
        if request.share:
            self._share()
        else:
            told = say("only_chat")
            self.tell(
                consented=False,
                sharing_wanted=False,
                state="idle",
                pause=Pause(reason="no_consent", words=told.words, said=told.said),
                headline=told.words,
                headline_said=told.said,
                model=model_at_rest(shares=False),
            )
        return self.snapshot()

    async def pause(self, request: PauseRequest) -> Snapshot:
        self._heard("pause", request)
        if request.what != "all":
            self.tell(**{f"{request.what}_paused": True})
            return self.snapshot()
        until = None
        if request.kind != "resume":
            until = time.time() + (request.seconds or 8 * 3600)
        when = say("until_resumed")
        if until is not None:
            clock = time.strftime("%H:%M", time.localtime(until))
            when = say("until", time=At(until, clock))
        told = say("by_hand", when=when)
        self.tell(
            state="paused",
            headline=told.words,
            headline_said=told.said,
            pause=Pause(reason="manual", words=told.words, until=until, said=told.said),
            sharing_wanted=False,
            model=model_at_rest(shares=False),
        )
        return self.snapshot()

    async def resume(self, request: ResumeRequest) -> Snapshot:
        self._heard("resume", request)
        if request.what != "all":
            self.tell(**{f"{request.what}_paused": False})
            return self.snapshot()
        self.tell(gpu_paused=False, cpu_paused=False)
        if self.state.consented:
            self._share()
        return self.snapshot()

    async def share_anyway(self, seconds: float) -> Snapshot:
        self._heard("share_anyway", seconds)
        if self.state.pause is not None and self.state.pause.can_override:
            self._share()
        return self.snapshot()

    async def slow_mode(self, *, on: bool) -> Snapshot:
        self._heard("slow_mode", on)
        self.tell(slow_mode=on)
        return self.snapshot()

    def settings(self) -> SettingsView:
        return SettingsView(
            settings=[
                SettingView(
                    name=setting.name,
                    label=setting.label,
                    words=setting.words,
                    section=setting.section,
                    kind=setting.kind,
                    unit=setting.unit,
                    value=getattr(self._values, setting.name),
                    default=setting.default,
                    least=setting.least,
                    most=setting.most,
                    choices=list(setting.choices),
                )
                for setting in SETTINGS
            ],
            remarks=[*self.remarks, *(remark.words for remark in settings_remarks(self._values))],
        )

    async def change_settings(self, values: Mapping[str, Any]) -> SettingsView:
        self.asked.append(("settings", dict(values)))
        self._values = changed(self._values, values)
        if self.folder is not None:
            save_settings(self.folder, values)
        return self.settings()

    async def models(self) -> list[ModelOffer]:
        return self.offers

    async def add_model(self, request: AddModelRequest) -> list[ModelOffer]:
        self._heard("add", request.path)
        name = Path(request.path).name
        if not request.path.endswith("good.json"):
            raise UsageError(say("manifest_not_taken", file=name))
        return self.offers

    async def choose_model(self, request: ChooseModelRequest) -> Snapshot:
        self._heard("choose", request)
        self._known(request.model)
        self.offers = [
            msgspec.structs.replace(offer, chosen=offer.name == request.model)
            for offer in self.offers
        ]
        return self.snapshot()

    async def free_disk(self) -> int:
        self._heard("free", None)
        freed = self.state.disk_unused_bytes
        self.tell(disk_used_bytes=self.state.disk_used_bytes - freed, disk_unused_bytes=0)
        return freed

    async def logs(self) -> LogsView:
        lines = [
            "12:01:07 INFO    sharing layers 1 to 14 of qwen3-8b",
            "12:01:09 INFO    [helper] came",
        ]
        return LogsView(text="\n".join(lines), removed=3)

    # ── answers for other programs ───────────────────────────────────────────

    def known_names(self) -> list[KnownName]:
        return [KnownName("qwen3-8b", "potluck")]

    async def write(self, order: Order, written: Written) -> AsyncGenerator[str, None]:
        raise UsageError("The scripted node writes only in conversations.")
        yield ""  # what makes this a generator


async def serve(node: FakeNode, ready: Callable[[str], None]) -> None:
    """Serve until the node is asked to quit; `ready` gets the address."""
    admission = Admission(token=TOKEN)
    async with (
        TaskOwner("scripted node") as tasks,
        ApiServer(
            node, host="127.0.0.1", port=0, may_move=False, admission=lambda: admission
        ) as server,
    ):
        node.use(tasks)
        ready(server.url)
        await node.quitting.wait()
        await asyncio.sleep(0.05)  # the answer to the request that ended it goes out first


class FakeNodeThread:
    """A scripted node in a thread of its own; use with `with`."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake node", daemon=True)
        self._ready = threading.Event()
        self.node: FakeNode
        self.url = ""

    def __enter__(self) -> FakeNodeThread:
        self._thread.start()
        assert self._ready.wait(THREAD_SECONDS)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self.node.quitting.set)
        self._thread.join(THREAD_SECONDS)

    def do(self, action: Callable[[FakeNode], object]) -> None:
        """Run something on the node's own loop, and wait until it is done."""
        over = threading.Event()

        def act() -> None:
            action(self.node)
            over.set()

        self._loop.call_soon_threadsafe(act)
        assert over.wait(THREAD_SECONDS)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self._loop.close()

    async def _main(self) -> None:
        self.node = FakeNode(**self._options)

        def ready(url: str) -> None:
            self.url = url
            self._ready.set()

        await serve(self.node, ready)


async def _program(options: argparse.Namespace) -> None:
    folder: Path = options.data_dir
    node = FakeNode(consented=None if options.first_run else True, folder=folder)
    node.lively = options.lively
    node.piece_seconds = options.piece_seconds
    if options.words:
        sentence = "Layers travel from helper to helper, and **words** come back to `you`. "
        paragraph = sentence * 6 + "\n\n"
        node.answer = (paragraph * (options.words // 70 + 1))[: options.words * 6]
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, node.quitting.set)
    (folder / TOKEN_FILE).write_text(TOKEN)

    def ready(url: str) -> None:
        text = json.dumps({"api": url, "pid": os.getpid()})
        (folder / f"{NODE_FILE}.draft").write_text(text)
        os.replace(folder / f"{NODE_FILE}.draft", folder / NODE_FILE)
        print(json.dumps({"ready": True, "api": url}), flush=True)

    with data_folder_lock(folder):
        try:
            await serve(node, ready)
        finally:
            (folder / NODE_FILE).unlink(missing_ok=True)


def main(arguments: list[str]) -> None:
    """Stand where a node would; words it does not know are a node's and left alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--first-run", action="store_true")
    parser.add_argument("--lively", action="store_true")
    parser.add_argument("--words", type=int, default=0)
    parser.add_argument("--piece-seconds", type=float, default=0.02)
    options = parser.parse_known_args(arguments)[0]
    options.data_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(_program(options))


if __name__ == "__main__":
    main(sys.argv[1:])
