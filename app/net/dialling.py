"""Dialling peers: the first of their addresses where they themselves answer.

A private sibling of `app/net/endpoint.py`, which owns the connections; the counterpart is
whoever answers there.

Most addresses are a stranger's word: records and answers name them, and a client names the
computer that its host hands on to. Which of them are dialled, `app/net/hearsay.py` says; those of
records were judged when they were read, so that only names are left to judge here, where they
lead. What a word can do besides is bounded: so many addresses, so many dials in vain to one group
of addresses, and so many for the group that a client's words come from; and when the next address
is tried does not tell how another one answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from app.clock import Clock
from app.errors import PeerLost
from app.ids import PeerId, short_peer_text
from app.net.address_groups import hand_of
from app.net.addresses import format_address
from app.net.allowances import Allowances
from app.net.connection import Connection
from app.net.hearsay import INTERNET, believed, is_name, may_lead, network_of, word_of
from app.net.port import Port
from app.net.quic import Address, BoundedConnection, dial_configuration
from app.net.wire import MAX_ADDRESSES
from app.tasks import TaskOwner

DIAL_SECONDS = 4.0
KNOCK_SECONDS = 0.5
NEXT_ADDRESS_SECONDS = 0.25
"""How long one address is tried alone before the next one is tried beside it."""
MAX_ADDRESSES_ON_WORD = 4
"""For IPv4 and IPv6, in the house and outside; more would only point at victims."""
VAIN_DIALS_AT_ONCE = 32.0
VAIN_DIALS_PER_SECOND = 0.5
"""A client whose hosts fail one after the other needs a few in a minute. A dial in vain of one
address is five datagrams of 1,232 bytes, over `DIAL_SECONDS`."""

_Word = str | None
"""The network whose word it is, as `hearsay.network_of` names it; None for a person's."""
_Dialled = Connection | PeerLost
"""How a dial ends. A peer that is away is no failure of ours, so no task fails by it."""


class _NotSent(PeerLost):
    """Nothing went to this address, for a reason that has nothing to do with who is there."""


class Dialling:
    """Dials for one endpoint; calls for one peer at the same time dial once.

    Args:
        make: a new connection to an address, to a wanted peer.
        live: the connection that there is to a peer.
        refusal: why a peer is not to be dialled now; None when it may be.
    """

    def __init__(
        self,
        port: Port,
        tasks: TaskOwner,
        *,
        clock: Clock,
        make: Callable[[BoundedConnection, Address, PeerId], Connection],
        live: Callable[[PeerId], Connection | None],
        refusal: Callable[[PeerId], str | None],
    ) -> None:
        self._port = port
        self._tasks = tasks
        self._clock = clock
        self._make = make
        self._live = live
        self._refusal = refusal
        # Who is dialled, on whose word.
        self._dials: dict[tuple[PeerId, _Word], tuple[frozenset[str], asyncio.Task[_Dialled]]] = {}
        self._vain: Allowances[str] = Allowances(VAIN_DIALS_AT_ONCE, VAIN_DIALS_PER_SECOND)
        self._vain_there: Allowances[str] = Allowances(VAIN_DIALS_AT_ONCE, VAIN_DIALS_PER_SECOND)

    async def connection_to(
        self,
        peer: PeerId,
        addresses: Sequence[str],
        *,
        on_word_of: str | None = None,
        given_by_person: bool = False,
    ) -> Connection:
        """The connection there is, or a new one. A cancelled call leaves the dial to others.

        Args:
            on_word_of: where the stranger speaks from who named these addresses, as
                `HOST:PORT`; None when they were judged when they were read.
            given_by_person: no stranger's word at all.

        Raises:
            PeerLost: there is none to be had; the text says why, for each address.
        """
        connection = self._live(peer)
        if connection is not None:
            return connection
        wanted = tuple(dict.fromkeys(addresses))[:MAX_ADDRESSES]
        if given_by_person:
            return await self._connection_to(peer, wanted, None)
        if on_word_of is None:
            return await self._connection_to(peer, wanted[:MAX_ADDRESSES_ON_WORD], INTERNET)
        hand, word = hand_of(on_word_of), word_of(on_word_of)
        wanted = tuple(believed(wanted, on_word_of))
        if not wanted:
            raise PeerLost(f"{short_peer_text(peer)} has no address that this computer would dial")
        if not self._vain.take(hand, self._clock.monotonic()):
            raise PeerLost("you have had this computer dial in vain too often lately")
        connection = await self._connection_to(peer, wanted[:MAX_ADDRESSES_ON_WORD], word)
        self._vain.give_back(hand)
        return connection

    async def knock(self, peer: PeerId, addresses: Sequence[str]) -> None:
        """Ask whether a peer is there; returns when it has answered, however long that takes.

        A connection that is silent for `KNOCK_SECONDS` gives way to a new one that answers:
        who was started again knows nothing of the old one, and says nothing there.

        Raises:
            PeerLost: as `connection_to`.
        """
        connection = self._live(peer)
        if connection is None or not await self._knock_at(connection, peer, addresses):
            await self.connection_to(peer, addresses)

    async def _knock_at(
        self, connection: Connection, peer: PeerId, addresses: Sequence[str]
    ) -> bool:
        """Whether the peer answers over this connection, or else over a new one."""
        wanted = tuple(dict.fromkeys(addresses))[:MAX_ADDRESSES_ON_WORD]
        name = short_peer_text(peer)
        asking = [self._tasks.start(connection.knock(), name=f"knock on {name}")]
        try:
            await asyncio.wait(asking, timeout=KNOCK_SECONDS)
            if not asking[0].done():
                self._raise_if_unwanted(peer, wanted)
                dial = self._tasks.start(self._dial(peer, wanted, INTERNET), name=f"dial {name}")
                asking.append(dial)
                await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                if dial.done() and isinstance(dial.result(), PeerLost):
                    await asyncio.wait(asking[:1])
                if not asking[0].done():
                    connection.end("it answers over another connection")
        finally:
            for task in asking:
                task.cancel()
        return self._live(peer) is not None

    async def _connection_to(
        self, peer: PeerId, wanted: tuple[str, ...], word: _Word
    ) -> Connection:
        self._raise_if_unwanted(peer, wanted)
        underway = self._dials.get((peer, word))
        if underway is None or not underway[0].issuperset(wanted):
            name = f"dial {short_peer_text(peer)}"
            task = self._tasks.start(self._dial(peer, wanted, word), name=name)
            underway = (frozenset(wanted), task)
            self._dials[peer, word] = underway
            task.add_done_callback(lambda done: self._dialled(peer, word, done))
        _, task = underway
        await asyncio.wait([task])  # a caller that gives up does not cancel it
        if task.cancelled():
            raise PeerLost("this computer is leaving the network")
        outcome = task.result()
        if isinstance(outcome, PeerLost):
            raise PeerLost(*outcome.args)
        return outcome

    def _dialled(self, peer: PeerId, word: _Word, task: asyncio.Task[_Dialled]) -> None:
        underway = self._dials.get((peer, word))
        if underway is not None and underway[1] is task:  # else other addresses are tried by now
            del self._dials[peer, word]

    def _raise_if_unwanted(self, peer: PeerId, addresses: Sequence[str]) -> None:
        who = short_peer_text(peer)
        refusal = self._refusal(peer)
        if refusal is not None:
            raise PeerLost(f"{who} is not dialled: {refusal}")
        if not addresses:
            raise PeerLost(f"no address of {who} is known")

    async def _dial(self, peer: PeerId, addresses: Sequence[str], word: _Word) -> _Dialled:
        """The first address where `peer` itself answers; later ones are tried beside it.

        Somebody else who answers at once is no reason to try the next one sooner: whoever named
        both would learn from it that there is somebody.
        """
        reasons: list[str] = []
        attempts: set[asyncio.Task[_Dialled]] = set()
        waiting = list(addresses)
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                while waiting or attempts:
                    if waiting and loop.time() >= next_at:
                        text = waiting.pop(0)
                        attempt = self._attempt(peer, text, word)
                        attempts.add(self._tasks.start(attempt, name=text))
                        next_at = loop.time() + NEXT_ADDRESS_SECONDS
                    timeout = max(0.0, next_at - loop.time()) if waiting else None
                    if not attempts:
                        await asyncio.sleep(timeout or 0.0)
                        continue
                    done, attempts = await asyncio.wait(
                        attempts, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                    )
                    for outcome in [task.result() for task in done]:
                        if isinstance(outcome, Connection):
                            return outcome
                        reasons.append(str(outcome))
                        if isinstance(outcome, _NotSent):
                            next_at = loop.time()
        except TimeoutError:
            reasons.append(f"no answer within {DIAL_SECONDS:g} seconds")
        finally:
            for task in attempts:
                task.cancel()
        return PeerLost(f"{short_peer_text(peer)} cannot be reached: {'; '.join(reasons)}")

    async def _attempt(self, peer: PeerId, text: str, word: _Word) -> _Dialled:
        named = False
        try:
            named = is_name(text)
            address = await self._port.resolve(text)
        except (OSError, ValueError) as error:
            reason = f"{text}: {getattr(error, 'strerror', None) or error}"
            return PeerLost(reason) if named else _NotSent(reason)
        where = format_address(address[0], address[1])
        if word is not None:
            if named and not may_lead(network_of(where), word=word):
                return PeerLost(f"{text}: this computer would not dial there")
            if not self._vain_there.take(hand_of(where), self._clock.monotonic()):
                return _NotSent(f"{text}: too much was dialled there in vain lately")
        outcome = await self._dial_at(peer, address)
        if word is not None and isinstance(outcome, Connection):
            self._vain_there.give_back(hand_of(where))
        return outcome

    async def _dial_at(self, peer: PeerId, address: Address) -> _Dialled:
        connection = self._make(
            BoundedConnection(configuration=dial_configuration(address[0])), address, peer
        )
        self._port.adopt(connection, connection.line.quic.host_cid)
        connection.line.dial(address)
        try:
            await asyncio.wait([connection.ready])
        except asyncio.CancelledError:
            connection.end("another address answered first")
            raise
        failure = connection.ready.exception()
        return failure if isinstance(failure, PeerLost) else connection
