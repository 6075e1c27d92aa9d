"""Who serves what: the records a reachable computer keeps, and how others ask.

`Directory` answers on "directory" channels; `DirectoryClient` is its counterpart
and asks several of them, because any of them may be down or lie by omission. It
need not trust them: every record carries its writer's own signature
(`app/net/records.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from app.clock import Clock
from app.errors import BadInput, PeerLost, Refusal
from app.ids import ModelId, PeerId, short_peer_text
from app.net.channel import Channel, ChannelOpener
from app.net.records import Announcement, StaleRecord, open_record, supersedes
from app.net.wire import (
    MAX_RECORDS_PER_ANSWER,
    Announce,
    Announced,
    ChannelMessage,
    Found,
    Lookup,
    Refused,
    SignedRecord,
)
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

MAX_MODELS_PER_WRITER = 4
MAX_RECORDS = 8192
"""At 4 KiB each, 32 MiB."""
SWEEP_SECONDS = 5.0
REQUEST_SECONDS = 6.0
"""Longer than a dial may take, so that its reason is told."""
LATE_SECONDS = 1.0
"""So long a look-up goes on waiting for the rest when half of the directories have answered:
somebody may be waiting for the next word while one of them is down."""

_Key = tuple[PeerId, ModelId]


@dataclass(frozen=True, slots=True)
class _Kept:
    record: SignedRecord
    announcement: Announcement


class Directory:
    """Records in memory: one for each writer and model, none beyond its time.

    Withdrawals are kept too, so that an older record cannot come back, but not told.
    """

    def __init__(self, clock: Clock, *, random: Random | None = None) -> None:
        self._clock = clock
        self._random = random or Random()
        self._kept: dict[_Key, _Kept] = {}
        self._swept_at = clock.monotonic()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, record: SignedRecord, *, writer: PeerId) -> Announcement:
        """Keep a record that `writer` handed in; an older one than is kept changes nothing.

        Raises:
            BadInput: it is not sound, or somebody else's.
            StaleRecord: its time is over, or has not come.
            Refusal: there is no room for it.
        """
        announcement = open_record(record, now_wall=self._clock.wall())
        if announcement.peer != writer:
            raise BadInput("a record of another computer than the one that brings it")
        key = (writer, ModelId(announcement.model))
        kept = self._kept.get(key)
        if kept is None:
            self._make_room(writer)
        elif not supersedes(announcement, kept.announcement):
            return kept.announcement
        self._kept[key] = _Kept(record, announcement)
        return announcement

    def forget(self, writer: PeerId) -> None:
        """Drop what a computer announced that is gone.

        One that is only out of reach for a moment announces itself again soon; one
        that was switched off would otherwise be dialled in vain until its records expire.
        """
        for key in [key for key in self._kept if key[0] == writer]:
            del self._kept[key]

    def records(self, model: ModelId | None) -> list[SignedRecord]:
        """Records for a model, or for all; a random sample when there are too many."""
        now = self._clock.wall()
        found = [
            kept.record
            for (_, kept_model), kept in self._kept.items()
            if model in (None, kept_model)
            and kept.announcement.span is not None
            and kept.announcement.expires_at > now
        ]
        if len(found) > MAX_RECORDS_PER_ANSWER:
            found = self._random.sample(found, MAX_RECORDS_PER_ANSWER)
        return found

    async def serve(self, channel: Channel) -> None:
        """The handler of "directory" channels; BadInput for anything but its two requests."""
        while True:
            message = await channel.receive()
            match message:
                case Announce():
                    await channel.send(self._answer(message, channel.peer))
                case Lookup():
                    model = None if message.model is None else ModelId(message.model)
                    await channel.send(Found(records=self.records(model)))
                case _:
                    raise BadInput(f"a {type(message).__name__} on a directory channel")

    def _answer(self, message: Announce, writer: PeerId) -> Announced | Refused:
        try:
            self.keep(message.record, writer=writer)
        except StaleRecord as error:
            return Refused(code="stale", reason=str(error))
        except Refusal as error:
            return Refused(code=error.code, reason=error.reason)
        return Announced()

    def _make_room(self, writer: PeerId) -> None:
        now = self._clock.monotonic()
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self._sweep()
        own = [key for key in self._kept if key[0] == writer]
        if len(own) >= MAX_MODELS_PER_WRITER:
            # Its own oldest offer makes room, so that a node that changes models is heard.
            del self._kept[min(own, key=lambda key: self._kept[key].announcement.issued_at)]
        elif len(self._kept) >= MAX_RECORDS:
            raise Refusal("this directory is full; another one may have room", code="full")

    def _sweep(self) -> None:
        now = self._clock.wall()
        for key in [k for k, kept in self._kept.items() if kept.announcement.expires_at <= now]:
            del self._kept[key]


class DirectoryClient:
    """Announces to and asks several directories at once; some may be down.

    Attributes:
        answered: whose answers the last look-up had; None before the first one.
    """

    def __init__(
        self,
        endpoint: ChannelOpener,
        bootstraps: Sequence[tuple[PeerId, str]],
        *,
        clock: Clock,
        local: Directory | None = None,
    ) -> None:
        """`local` is this computer's own directory, when it keeps one."""
        self._endpoint = endpoint
        self._bootstraps = tuple(bootstraps)
        self._clock = clock
        self._local = local
        self.answered: frozenset[PeerId] | None = None

    @property
    def bootstraps(self) -> tuple[tuple[PeerId, str], ...]:
        """The computers it asks."""
        return self._bootstraps

    @property
    def has_anybody(self) -> bool:
        """Whether there is a directory at all, this computer's own included."""
        return bool(self._bootstraps) or self._local is not None

    def use_bootstraps(self, bootstraps: Sequence[tuple[PeerId, str]]) -> None:
        """Ask others from now on; what is under way ends as it began."""
        if tuple(bootstraps) != self._bootstraps:
            self._bootstraps = tuple(bootstraps)
            self.answered = None

    async def announce(self, record: SignedRecord) -> int:
        """Hand a record of this computer to every directory; how many keep it.

        Raises:
            PeerLost: none of them answers, or none is known.
            Refusal: those that answer decline it.
        """
        kept = 0
        refusals: list[Refusal] = []
        if self._local is not None:
            self._local.keep(record, writer=self._endpoint.peer_id)
            kept += 1
        for answer in await self._ask_all(Announce(record=record)):
            match answer:
                case Announced():
                    kept += 1
                case Refused():
                    refusals.append(Refusal(answer.reason, code=answer.code))
        if not kept and refusals:
            raise refusals[0]
        return kept

    async def lookup(self, model: ModelId | None) -> list[Announcement]:
        """What every directory that answers knows, checked, each offer once and newest.

        Raises:
            PeerLost: none of them answers or is a directory, or none is known.
        """
        newest: dict[_Key, Announcement] = {}
        answers = await self._ask_all(Lookup(model=model))
        refusals = [answer.reason for answer in answers if isinstance(answer, Refused)]
        if answers and len(refusals) == len(answers) and self._local is None:
            raise PeerLost(f"no bootstrap says who serves what: {'; '.join(refusals)}")
        own = self._local.records(model) if self._local is not None else []
        found = [answer.records for answer in answers if isinstance(answer, Found)]
        for record in (record for records in (own, *found) for record in records):
            # Checked when they came in, but a record may have expired since.
            try:
                announcement = open_record(record, now_wall=self._clock.wall())
            except BadInput:
                continue
            key = (PeerId(announcement.peer), ModelId(announcement.model))
            if key not in newest or supersedes(announcement, newest[key]):
                newest[key] = announcement
        return list(newest.values())

    async def _ask_all(self, request: Announce | Lookup) -> list[ChannelMessage]:
        """The answers of all that give one; PeerLost when none does and there is no local one."""
        asked = self._bootstraps
        outcomes = await self._outcomes(asked, request)
        if isinstance(request, Lookup) and asked == self._bootstraps:
            self.answered = frozenset(
                peer
                for (peer, _), outcome in zip(asked, outcomes, strict=True)
                if isinstance(outcome, Found)
            )
        answers = [outcome for outcome in outcomes if not isinstance(outcome, PeerLost)]
        if not answers and self._local is None:
            reasons = "; ".join(str(outcome) for outcome in outcomes) or "none is given"
            raise PeerLost(f"no bootstrap answers: {reasons}")
        return answers

    async def _outcomes(
        self, asked: Sequence[tuple[PeerId, str]], request: Announce | Lookup
    ) -> list[ChannelMessage | PeerLost]:
        """What became of each, in order; a look-up does not wait for the last at any price."""
        async with TaskOwner("directory") as tasks:
            asking = [
                tasks.start(self._ask(peer, address, request), name=short_peer_text(peer))
                for peer, address in asked
            ]
            waiting = set(asking)
            patience: float | None = None
            while waiting:
                done, waiting = await asyncio.wait(
                    waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    break
                told = [task.result() for task in asking if task.done()]
                found = any(isinstance(answer, Found) and answer.records for answer in told)
                if found and 2 * len(told) >= len(asking):
                    patience = LATE_SECONDS
            return [
                PeerLost(f"{short_peer_text(peer)} at {address} is late")
                if task in waiting
                else task.result()
                for task, (peer, address) in zip(asking, asked, strict=True)
            ]

    async def _ask(
        self, peer: PeerId, address: str, request: Announce | Lookup
    ) -> ChannelMessage | PeerLost:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                channel = await self._endpoint.open_channel(peer, [address], "directory")
                try:
                    await channel.send(request)
                    answer = await channel.receive()
                finally:
                    await channel.close()
            self._check_answer(answer, request)
        except TimeoutError:
            return PeerLost(f"{short_peer_text(peer)} at {address} does not answer")
        except PeerLost as error:
            return error
        except BadInput as error:
            self._endpoint.report_bad_input(peer, str(error))
            return PeerLost(f"{short_peer_text(peer)} at {address} answers nonsense")
        return answer

    def _check_answer(self, answer: ChannelMessage, request: Announce | Lookup) -> None:
        """BadInput when a directory answers something else, or hands on what nobody signed."""
        match answer, request:
            case (Announced(), Announce()) | (Refused(), _):
                return
            case Found(), Lookup():
                _check_found(answer.records, request.model, self._clock.wall())
            case _:
                raise BadInput(f"a {type(answer).__name__} in answer to {type(request).__name__}")


def _check_found(records: Iterable[SignedRecord], model: bytes | None, now_wall: float) -> None:
    for record in records:
        try:
            announcement = open_record(record, now_wall=now_wall)
        except StaleRecord:
            continue  # it may have expired on its way here
        if model is not None and announcement.model != model:
            raise BadInput("a record of another model than was asked for")
