"""The node as a service: what programs ask of it, done with its parts.

It is the `NodeControl` of the API and the `Workplace` of the governor: what the owner
wants, what the rules allow and what is served come together here. `app/node/node.py` builds
the parts and owns them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from app.api.control_port import Changes, KnownName, Order, Written
from app.api.guard import Admission
from app.api.shapes import (
    AddModelRequest,
    AnswerDelta,
    AnswerWaiting,
    ChooseModelRequest,
    ConsentRequest,
    Conversation,
    ConversationChange,
    ConversationHead,
    ConversationOptions,
    LogsView,
    MessageView,
    ModelOffer,
    Pause,
    PauseRequest,
    ResumeRequest,
    SayRequest,
    SettingsView,
    SettingView,
    Snapshot,
    State,
)
from app.chat.answering import Answering
from app.chat.conversations import Conversations
from app.errors import Refusal, UsageError
from app.folder.data_folder import DataFolder
from app.folder.known_models import KnownModels
from app.logs import RecentLines, private_words, redact
from app.node.change_board import ChangeBoard
from app.node.listening import check_listening
from app.node.model_offers import ModelOffers
from app.node.snapshot import Disk, Parts, take_snapshot, tell_state
from app.node.wishes import Wishes
from app.policy.governor import Governor
from app.sentences import Sentence, said_of, say
from app.settings import SETTINGS, SETTINGS_FILE, Settings, changed, save_settings

logger = logging.getLogger(__name__)

AT_NEXT_START: Final = {"listen", "public", "api", "keyring"}
"""Settings that parts read once, when they are built."""
LOOK_AT_OTHERS_SECONDS: Final = 60.0
"""Between two looks at who is there while nobody watches."""
LOOK_WHILE_ALONE_SECONDS: Final = 10.0
HOUSEKEEPING_SECONDS: Final = 5.0
SAVE_SECONDS: Final = 60.0


class Service:
    """Answers the API.

    Args:
        complaints: what is wrong in the settings file.
    """

    def __init__(
        self,
        data: DataFolder,
        parts: Parts,
        models: KnownModels,
        offers: ModelOffers,
        wishes: Wishes,
        conversations: Conversations,
        answering: Answering,
        lines: RecentLines,
        *,
        changes: ChangeBoard,
        complaints: Sequence[Sentence] = (),
    ) -> None:
        self._data = data
        self._parts = parts
        self._models = models
        self._offers = offers
        self._wishes = wishes
        self._conversations = conversations
        self._answering = answering
        self._lines = lines
        self._changes = changes
        self._remarks: list[Sentence] = []
        self._complaints = tuple(complaints)
        self._changing_settings = asyncio.Lock()
        self._disk = Disk()
        self._look_soon = asyncio.Event()
        self._api_now: Sentence | None = None
        self.quitting = asyncio.Event()

    # ── life ─────────────────────────────────────────────────────────────────

    async def keep_house(self) -> None:
        """Look at the disk and at others, and keep the counts; runs until it is cancelled."""
        saved_at = self._parts.clock.monotonic()
        looked_at = float("-inf")
        while True:
            await self._look_at_disk()
            await self._offers.keep_speed()
            is_alone = not self._parts.reach.now().connected
            seconds = LOOK_WHILE_ALONE_SECONDS if is_alone else LOOK_AT_OTHERS_SECONDS
            old = self._parts.clock.monotonic() - looked_at >= seconds
            if old or self._look_soon.is_set() or self._changes.has_listeners:
                self._look_soon.clear()
                looked_at = self._parts.clock.monotonic()
                await self._look_at_others()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HOUSEKEEPING_SECONDS):
                    await self._look_soon.wait()
            self._parts.count()
            await self._look_at_conversations()
            if self._parts.clock.monotonic() - saved_at >= SAVE_SECONDS:
                saved_at = self._parts.clock.monotonic()
                await asyncio.to_thread(self._parts.tally.save)

    @property
    def governor(self) -> Governor:
        """Who decides whether this computer may work."""
        return self._wishes.governor

    def admission(self, token: str) -> Admission:
        """What lets a request in now."""
        return Admission(token=token, key=self._data.settings.api_key)

    # ── NodeControl: what it does ────────────────────────────────────────────

    def snapshot(self) -> Snapshot:
        """As `NodeControl.snapshot`."""
        problem = [self._conversations.problem] if self._conversations.problem is not None else []
        warnings = [
            *self._complaints,
            *self._remarks,
            *self._conversations.remarks,
            *problem,
            *self._parts.tally.remarks,
            *self._parts.fetching.remarks,
            *self._wishes.warnings(),
        ]
        return take_snapshot(
            self._parts,
            self.governor,
            self._wishes.wanted,
            disk=self._disk,
            warnings=warnings,
            as_told=self._wishes.as_told,
        )

    def state(self) -> tuple[State, Sentence, Pause | None]:
        """As `tell_state`: little work, for those who ask often."""
        parts = self._parts
        return tell_state(parts.sharing, self.governor.verdict, self._wishes.wanted, parts.fetching)

    def moving(self) -> bool:
        """As `NodeControl.moving`."""
        parts = self._parts
        host = parts.sharing.host
        return bool(
            parts.fetching.current is not None
            or parts.desk.writing
            or (host is not None and host.status.sessions)
            or parts.sharing.phase in ("fetching", "mounting", "stopping")
            or parts.tally.tokens_per_second > 0
        )

    def listen(self) -> Changes:
        """As `NodeControl.listen`."""
        return self._changes.listen()

    def unlisten(self, changes: Changes) -> None:
        """As `NodeControl.unlisten`."""
        self._changes.unlisten(changes)

    def warn(self, warning: Sentence) -> None:
        """Tell whoever listens, and keep it for whoever comes later."""
        if warning not in self._remarks:
            self._remarks.append(warning)
            self._changes.warn(warning)

    def quit(self) -> None:
        """As `NodeControl.quit`."""
        self.quitting.set()

    # ── NodeControl: steering ────────────────────────────────────────────────

    async def consent(self, request: ConsentRequest) -> Snapshot:
        """As `NodeControl.consent`."""
        # Not ticked means not asked for: agreeing later must not undo what was set before.
        login = {"start_at_login": True} if request.start_at_login else {}
        await self.change_settings({**request.settings, **login})
        logger.info("agreed to share" if request.share else "chose only to chat")
        await self.governor.consent(share=request.share)
        if request.share:
            await self._wishes.choose_what_costs_nothing()
        return self.snapshot()

    async def pause(self, request: PauseRequest) -> Snapshot:
        """As `NodeControl.pause`."""
        until = None
        if request.kind == "seconds" and request.seconds is not None:
            until = self._parts.clock.wall() + request.seconds
        elif request.kind == "tomorrow":
            until = self.governor.tomorrow()
        await self.governor.pause(request.what, until=until)
        if request.what == "gpu":
            self._wishes.renew()
            await self._parts.sharing.settled()
        return self.snapshot()

    async def resume(self, request: ResumeRequest) -> Snapshot:
        """As `NodeControl.resume`."""
        await self.governor.resume(request.what)
        self._wishes.renew()
        return self.snapshot()

    async def share_anyway(self, seconds: float) -> Snapshot:
        """As `NodeControl.share_anyway`."""
        await self.governor.share_anyway(seconds)
        return self.snapshot()

    async def slow_mode(self, *, on: bool) -> Snapshot:
        """As `NodeControl.slow_mode`."""
        await self.governor.slow_mode(on=on)
        return self.snapshot()

    def tell_api(self, url: str, *, wanted: str = "") -> None:
        """Say beside the setting where programs reach the API now.

        Args:
            wanted: HOST:PORT of the setting, if it was what counted.
        """
        base, port = f"{url}/v1", wanted.rpartition(":")[2]
        moved = wanted and port not in ("0", url.rpartition(":")[2])
        told = say("api_moved", wanted=wanted, url=base) if moved else say("api_now", url=base)
        self._api_now = told

    def settings(self) -> SettingsView:
        """As `NodeControl.settings`."""
        now = {"api": self._api_now} if self._api_now is not None else {}
        views = [
            SettingView(
                name=setting.name,
                label=setting.label,
                words=setting.words,
                section=setting.section,
                kind=setting.kind,
                unit=setting.unit,
                value=getattr(self._data.settings, setting.name),
                default=setting.default,
                least=setting.least,
                most=setting.most,
                choices=list(setting.choices),
                now="" if setting.name not in now else now[setting.name].words,
                now_said=None if setting.name not in now else now[setting.name].said,
            )
            for setting in SETTINGS
        ]
        remarks = [*self._complaints, *self._remarks, *self.governor.remarks()]
        return SettingsView(
            settings=views,
            remarks=[remark.words for remark in remarks],
            remarks_said=[remark.said for remark in remarks],
        )

    async def change_settings(self, values: Mapping[str, Any]) -> SettingsView:
        """As `NodeControl.change_settings`."""
        async with self._changing_settings:
            before = self._data.settings
            try:
                await asyncio.to_thread(_check_addresses, before, values)
                found = await asyncio.to_thread(save_settings, self._data.folder, values)
            except UsageError as error:
                logger.info("settings refused: %s", _without_value(error))
                raise
            settings, self._complaints = found.settings, found.complaints
            self._data.use_settings(settings)
            if found.aside:
                self.warn(say("settings_aside", file=SETTINGS_FILE, aside=found.aside))
            differs = {
                s.name for s in SETTINGS if getattr(before, s.name) != getattr(settings, s.name)
            }
            later = differs & AT_NEXT_START
            if "bootstrap" in differs and not self._use_bootstraps():
                later.add("bootstrap")
            if later:
                labels = [setting.label for setting in SETTINGS if setting.name in later]
                self.warn(say("next_start", labels=labels))
            logger.info("settings changed: %s", ", ".join(sorted(differs)) or "none")
            await self.governor.use_settings(settings, doubtful=found.doubtful)
            self._wishes.renew()
        return self.settings()

    async def logs(self) -> LogsView:
        """As `NodeControl.logs`."""
        words = (*private_words(), str(self._data.folder))
        text, removed = await asyncio.to_thread(redact, self._lines.text(), words)
        return LogsView(text=text, removed=removed)

    # ── NodeControl: models ──────────────────────────────────────────────────

    async def models(self) -> list[ModelOffer]:
        """As `NodeControl.models`."""
        return await self._offers.all(self._wishes.wanted)

    async def add_model(self, request: AddModelRequest) -> list[ModelOffer]:
        """As `NodeControl.add_model`."""
        known = await asyncio.to_thread(self._data.shelf.adopt, Path(request.path))
        logger.info("a model was added: %s", known.manifest.name)
        return await self.models()

    async def choose_model(self, request: ChooseModelRequest) -> Snapshot:
        """As `NodeControl.choose_model`; a manifest's file may be named too."""
        await self._wishes.choose(request)
        await self._look_at_disk()
        return self.snapshot()

    async def free_disk(self) -> int:
        """As `NodeControl.free_disk`."""
        keep = self._hashes_in_use()
        freed = await asyncio.to_thread(_remove_unused, self._data, keep)
        await self._look_at_disk()
        self._changes.changed()
        return freed

    def known_names(self) -> list[KnownName]:
        """As `NodeControl.known_names`."""
        return [
            KnownName(known.manifest.name, "potluck" if known.source == "catalogue" else "file")
            for known in self._models.all()
        ]

    def _use_bootstraps(self) -> bool:
        """Ask those of the settings from now on; False where the command line named others."""
        if self._parts.reach.given:
            return False
        self._parts.reach.use(self._data.bootstraps([]))
        self._parts.sharing.announce_soon()
        self._look_soon.set()
        return True

    async def _look_at_others(self) -> None:
        if await self._parts.reach.look():
            self._changes.changed()

    async def _look_at_conversations(self) -> None:
        """What could not go into its file a while ago may do so now."""
        if self._conversations.problem is not None:
            await self._conversations.open()
            self._changes.changed()

    async def _look_at_disk(self) -> None:
        keep = self._hashes_in_use()
        store = self._data.store

        def look() -> Disk:
            return Disk(store.used_bytes(), store.unused_bytes(keep))

        self._disk = await asyncio.to_thread(look)

    def _hashes_in_use(self) -> set[bytes]:
        """The units of what is or will be shared, and of models that answer here now."""
        keep = self._wishes.hashes()
        for model in self._parts.desk.open_models():
            keep |= {unit.sha256 for unit in model.manifest.units}
        return keep

    # ── NodeControl: conversations and answers ───────────────────────────────

    async def conversations(self) -> list[ConversationHead]:
        """As `NodeControl.conversations`."""
        return await self._conversations.all()

    async def create_conversation(self, options: ConversationOptions) -> Conversation:
        """As `NodeControl.create_conversation`."""
        await self._check_options(options)
        return await self._conversations.create(options)

    async def conversation(self, conversation: str) -> Conversation:
        """As `NodeControl.conversation`."""
        return self._answering.writing_text(await self._conversations.get(conversation))

    async def change_conversation(self, conversation: str, change: ConversationChange) -> None:
        """As `NodeControl.change_conversation`."""
        if change.options is not None:
            await self._check_options(change.options)
        await self._conversations.change(conversation, title=change.title, options=change.options)

    async def delete_conversation(self, conversation: str) -> None:
        """As `NodeControl.delete_conversation`."""
        await self._answering.delete(conversation)

    async def say(self, conversation: str, request: SayRequest) -> int:
        """As `NodeControl.say`."""
        return await self._answering.say(conversation, request)

    async def regenerate(self, conversation: str) -> int:
        """As `NodeControl.regenerate`."""
        return await self._answering.regenerate(conversation)

    def follow(
        self, conversation: str
    ) -> AsyncGenerator[AnswerDelta | AnswerWaiting | MessageView, None]:
        """As `NodeControl.follow`."""
        return self._answering.follow(conversation)

    async def stop(self, conversation: str) -> None:
        """As `NodeControl.stop`."""
        await self._answering.stop(conversation)

    def write(self, order: Order, written: Written) -> AsyncGenerator[str, None]:
        """As `NodeControl.write`."""
        return self._parts.desk.write(order, written)

    async def _check_options(self, options: ConversationOptions) -> None:
        if options.model is not None:
            await self._models.find(options.model)


def _remove_unused(data: DataFolder, keep: set[bytes]) -> int:
    """Delete units that nothing uses; what cannot be deleted stays."""
    before = data.store.used_bytes()
    for sha256 in data.store.held() - keep:
        with contextlib.suppress(Refusal):
            data.store.remove(sha256)
    return before - data.store.used_bytes()


def _without_value(error: UsageError) -> str:
    """Which setting was refused; what was typed may be a key or an address."""
    said = said_of(error)
    name = None if said is None else said.values.get("name")
    return str(name) if name else f"({'' if said is None else said.code})"


def _check_addresses(before: Settings, values: Mapping[str, Any]) -> None:
    """An address that cannot be used would keep Potluck from starting the next time."""
    after = changed(before, values)
    if after.listen != before.listen:
        check_listening(after.listen, udp=True)
    if after.api != before.api:
        check_listening(after.api, udp=False)
