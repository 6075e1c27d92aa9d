"""Questions of the distributed directory on their way: one channel each, answered or not.

The lower half of `app/net/dht.py`, which says what to ask and what answers mean. Whoever
answers is noted in the routing table, whoever does not as well; whoever breaks a rule is
counted by the endpoint.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from app.clock import Clock
from app.errors import BadInput, PeerLost
from app.ids import PeerId, short_peer_text
from app.net.channel import ChannelOpener
from app.net.dht_messages import (
    Contact,
    DhtAnswer,
    DhtRequest,
    Nodes,
)
from app.net.hearsay import is_name, word_from
from app.net.kademlia import Kademlia
from app.net.kademlia_lookup import STALL_SECONDS, Lookup
from app.net.kademlia_table import RETRY_SECONDS
from app.net.wire import Refused
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 6.0
"""Longer than a dial may take, so that its reason is told."""
MAX_REQUESTS_AT_ONCE = 24
"""Over all look-ups: connections cost something, and a slow line is not to be filled."""
MAX_REASONS = 64

Question = Callable[[Contact], Awaitable[list[Contact] | None]]
"""Asks one computer: the contacts it tells, or None when it does not answer soundly."""


class Asking:
    """Sends questions for one `Dht`."""

    def __init__(
        self,
        endpoint: ChannelOpener,
        machine: Callable[[], Kademlia],
        *,
        clock: Clock,
        tasks: TaskOwner,
        reachable: Callable[[], Sequence[str]],
        seen_at: Callable[[PeerId], str | None] = lambda peer: None,
    ) -> None:
        self._endpoint = endpoint
        self._machine = machine
        self._clock = clock
        self._tasks = tasks
        self._reachable = reachable
        self._seen_at = seen_at
        self._turns = asyncio.Semaphore(MAX_REQUESTS_AT_ONCE)
        # Why the last question to somebody failed; bounded by forgetting the oldest.
        self._reasons: dict[PeerId, tuple[str, float]] = {}

    async def ask(
        self, contact: Contact, request: DhtRequest, wanted: type[DhtAnswer]
    ) -> DhtAnswer | Refused | None:
        """The answer of one computer, of the wanted kind or a refusal; None when there is none."""
        peer, table = PeerId(contact.peer), self._machine().table
        try:
            async with self._turns, asyncio.timeout(REQUEST_SECONDS):
                answer = await self._exchange(contact, self._introduced(request))
        except TimeoutError:
            self._note(peer, f"{short_peer_text(peer)} does not answer")
            table.failed(peer)
            return None
        except PeerLost as error:
            self._note(peer, str(error))
            table.failed(peer)
            return None
        if not isinstance(answer, wanted | Refused):
            what = f"a {type(answer).__name__} in answer to {type(request).__name__}"
            self.broke_a_rule(contact, BadInput(what))
            return None
        if isinstance(answer, Refused):
            self._note(peer, f"{short_peer_text(peer)} declines: {answer.reason}")
        seen_at = self._seen_at(peer)
        here = self._machine().speaks_from(contact, [seen_at] if seen_at else [])
        if isinstance(answer, wanted):
            self._reasons.pop(peer, None)
        if isinstance(answer, wanted) and here:
            table.heard(contact, self._clock.monotonic())
        return answer

    async def run(self, lookup: Lookup, question: Question, seconds: float) -> None:
        """Carry a look-up to its end, or as far as it comes in so many seconds."""
        pending: set[asyncio.Task[None]] = set()

        async def carry(contact: Contact) -> None:
            contacts = await question(contact)
            if contacts is None:
                lookup.failed(contact)
            else:
                lookup.answered(contact, contacts)

        try:
            async with asyncio.timeout(seconds):
                # As long as nobody at all has answered, the slow ones are what there is.
                while not lookup.done(self._clock.monotonic()) or (pending and not lookup.answers):
                    for contact in lookup.next_questions(self._clock.monotonic()):
                        name = f"ask {short_peer_text(PeerId(contact.peer))}"
                        pending.add(self._tasks.start(carry(contact), name=name))
                    if not pending:
                        break
                    done, pending = await asyncio.wait(
                        pending,
                        timeout=STALL_SECONDS / 2,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    for task in done:
                        task.result()
        except TimeoutError:
            logger.debug("a look-up ended early after %g seconds", seconds)
        finally:
            for task in pending:
                task.cancel()

    def speaker(self, contact: Contact) -> str | None:
        """Where one who has just answered speaks from, as far as it is known."""
        return self._seen_at(PeerId(contact.peer)) or word_from(contact.addresses)

    def readable(self, contact: Contact, answer: Nodes) -> list[Contact] | None:
        """The contacts in an answer; None, and counted, when they break a rule."""
        try:
            return self._machine().readable(answer.contacts, self.speaker(contact))
        except BadInput as error:
            self.broke_a_rule(contact, error)
            return None

    def broke_a_rule(self, contact: Contact, error: BadInput) -> None:
        """Count it against the one who answered, and look for others."""
        peer = PeerId(contact.peer)
        self._note(peer, f"{short_peer_text(peer)} answers nonsense")
        self._machine().table.failed(peer)
        self._endpoint.report_bad_input(peer, str(error))

    def reasons(self, contacts: Sequence[Contact]) -> list[str]:
        """Why each of these did not answer, as far as it is known."""
        return [
            self._reasons[PeerId(contact.peer)][0]
            for contact in contacts
            if PeerId(contact.peer) in self._reasons
        ]

    def failed_lately(self, contact: Contact) -> bool:
        """Whether it did not answer the last question, not long ago."""
        _, when = self._reasons.get(PeerId(contact.peer), ("", float("-inf")))
        return self._clock.monotonic() - when < RETRY_SECONDS

    def _introduced(self, request: DhtRequest) -> DhtRequest:
        """The request with the addresses where strangers can reach this computer."""
        return msgspec.structs.replace(request, reachable=list(self._reachable()))

    async def _exchange(self, contact: Contact, request: DhtRequest) -> object:
        channel = await self._endpoint.open_channel(
            PeerId(contact.peer),
            contact.addresses,
            "directory",
            # A stranger's contacts have none: `Kademlia.readable` leaves them out.
            given_by_person=any(map(is_name, contact.addresses)),
        )
        try:
            await channel.send(request)
            return await channel.receive()
        finally:
            await channel.close()

    def _note(self, peer: PeerId, reason: str) -> None:
        logger.debug("%s", reason)
        self._reasons.pop(peer, None)
        self._reasons[peer] = (reason, self._clock.monotonic())
        while len(self._reasons) > MAX_REASONS:
            del self._reasons[next(iter(self._reasons))]
