"""This computer on the network: one socket, one connection for each peer, many channels.

Everything above speaks to peers through an `Endpoint` and its channels only. The
counterpart is the endpoint of every other computer. Below it: `app/net/port.py`
(the socket), `app/net/connection.py` (one peer), `app/net/channel.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from app.clock import Clock
from app.errors import BadInput, PeerLost
from app.ids import PeerId, short_peer_text
from app.net.addresses import format_address
from app.net.channel import Channel, ChannelEnded
from app.net.connection import Connection
from app.net.coordinates import Coordinates
from app.net.crowding import (
    MAX_HALF_OPEN,
    may_begin,
    who_gives_up,
    who_holds_too_much,
    who_makes_way,
)
from app.net.dialling import Dialling
from app.net.heartbeat import CHECK_SECONDS
from app.net.identity import Identity
from app.net.idling import unneeded
from app.net.observed import Observed
from app.net.offences import Offences
from app.net.port import Port
from app.net.quic import (
    Address,
    BoundedConnection,
    ListenConfigurations,
)
from app.net.shaping import Shaper
from app.net.wire import Place, ProtocolName, Refused
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

ChannelHandler = Callable[[Channel], Awaitable[None]]
"""Runs as a task of the endpoint for each channel a peer opens; when it returns the
channel is closed. A `BadInput` it raises is counted against the peer."""

MAX_CONNECTIONS = 256
MAX_CONNECTIONS_PER_PEER = 4
"""Two computers that dial each other at once have two for a moment, and a program that
was restarted or runs twice under one identity has several; more is a mistake."""
RETRY_FROM_HALF_OPEN = 8
"""From so many unfinished handshakes on, a dialler has to show its address first."""
DUPLICATE_SECONDS = 10.0
WEIGH_SECONDS = 1.0
"""How often is looked how much waits here: no line brings more than some megabytes meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStatus:
    """One proven connection, for people to look at.

    Attributes:
        round_trip_seconds: None until it was measured.
        bad_inputs: how often this peer broke a rule.
    """

    peer: PeerId
    address: str
    round_trip_seconds: float | None
    bytes_sent: int
    bytes_received: int
    channels: int
    bad_inputs: int
    dialled: bool


class Endpoint:
    """Opens channels to peers and serves the ones they open; used as `async with`.

    Args:
        shaper: keeps caps on bandwidth; None sets none.
        shape_loopback: whether it also counts and holds back what never leaves this
            computer; for measuring caps between two endpoints of one computer.
        start: where this computer stands already, from another endpoint of it.
        tells_place: whether peers are told where this computer stands. A name that is thrown
            away tells nothing: a place that is the node's own, be it blurred, would show over
            a few conversations whose they are. It only listens, and finds its place by that.

    Attributes:
        observed: where those that were dialled say they see this computer.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        listen: tuple[str, int],
        handlers: Mapping[ProtocolName, ChannelHandler],
        clock: Clock,
        agent: str = "potluck",
        shaper: Shaper | None = None,
        shape_loopback: bool = False,
        on_peer_gone: Callable[[PeerId], None] = lambda peer: None,
        on_peer_idle: Callable[[PeerId], None] = lambda peer: None,
        keeps: Callable[[PeerId], bool] = lambda peer: False,
        start: Place | None = None,
        tells_place: bool = True,
    ) -> None:
        """`on_peer_gone` is told when the last connection to a peer has ended, `on_peer_idle`
        when it ended only because nobody used it. `keeps` says whose connection stays although
        nobody does, so that both ends notice when the other goes."""
        self._identity = identity
        self._listen = listen
        self._handlers = dict(handlers)
        self._clock = clock
        self._agent = agent
        self._on_peer_gone = on_peer_gone
        self._on_peer_idle = on_peer_idle
        self._keeps = keeps
        self._answers = ListenConfigurations(identity)
        self._tasks = TaskOwner("endpoint")
        self._port = Port(
            new_connection=self._answer,
            wants_retry=self._wants_retry,
            shaper=shaper,
            shape_loopback=shape_loopback,
        )
        self._connections: set[Connection] = set()
        # The newest last; the last is the one that new channels use.
        self._by_peer: dict[PeerId, list[Connection]] = {}
        self._dialling = Dialling(
            self._port,
            self._tasks,
            clock=clock,
            make=lambda quic, address, wanted: self._make(quic, address, wanted=wanted),
            live=self._live,
            refusal=self._refusal_to_dial,
        )
        self._offences = Offences()
        self._coordinates = Coordinates(identity.peer_id, start)
        self._tells_place = tells_place
        self._closing = False
        self._weighed_at = float("-inf")
        self.observed = Observed()

    async def __aenter__(self) -> Endpoint:
        await self._port.open(*self._listen)
        self._tasks.start(self._keep_checking(), name="heartbeats")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing = True
        for connection in list(self._connections):
            connection.end("this computer is leaving")
        try:
            await self._tasks.close()
        finally:
            self._port.close()

    @property
    def peer_id(self) -> PeerId:
        """This computer's own name."""
        return self._identity.peer_id

    @property
    def address(self) -> str:
        """Where the socket is really bound, as `HOST:PORT`."""
        return self._port.address

    @property
    def bad_inputs(self) -> Mapping[PeerId, int]:
        """How often each peer broke a rule lately."""
        return self._offences.counts

    @property
    def place(self) -> Place | None:
        """Where this computer stands in the network; None while nothing tells."""
        place = self._coordinates.place
        return place if place.error < 1.0 else None

    def round_trip_seconds(self, peer: PeerId) -> float | None:
        """The measured round trip to a connected peer: the least of the last few heartbeats,
        or QUIC's own estimate before the first; None if there is no connection."""
        connection = self._live(peer)
        if connection is None:
            return None
        return self._coordinates.round_trip_seconds(peer) or connection.round_trip_seconds

    def address_of(self, peer: PeerId) -> str | None:
        """Where a connected peer speaks from, as `HOST:PORT`; None if there is no connection."""
        connection = self._live(peer)
        return None if connection is None else connection.address

    def connections(self) -> list[ConnectionStatus]:
        """Every proven connection."""
        return [
            ConnectionStatus(
                peer=connection.peer,
                address=connection.address,
                round_trip_seconds=connection.round_trip_seconds,
                bytes_sent=connection.bytes_sent,
                bytes_received=connection.bytes_received,
                channels=len(connection.channels),
                bad_inputs=self._offences.counts.get(connection.peer, 0),
                dialled=connection.dialled,
            )
            for connection in self._connections
            if connection.peer is not None
        ]

    async def open_channel(
        self,
        peer: PeerId,
        addresses: Sequence[str],
        protocol: ProtocolName,
        *,
        on_word_of: PeerId | None = None,
        given_by_person: bool = False,
    ) -> Channel:
        """A new channel to `peer`, over the connection there is or a new one.

        Concurrent calls for one peer dial once. A cancelled call leaves the dial
        to the others that wait for it.

        Args:
            on_word_of: the connected stranger who named these addresses; which of them are
                dialled then, and how often in vain, `app/net/dialling.py` says.
            given_by_person: whether names among them may lead anywhere.

        Raises:
            PeerLost: nobody answers, somebody else answers, or the peer declines;
                the text says which, for each address.
        """
        where = None
        if on_word_of is not None:
            where = self.address_of(on_word_of)
            if where is None:
                raise PeerLost("whoever named these addresses has left")
        connection = await self._dialling.connection_to(
            peer, addresses, on_word_of=where, given_by_person=given_by_person
        )
        return connection.open_channel(protocol)

    async def knock(self, peer: PeerId, addresses: Sequence[str]) -> None:
        """Ask whether `peer` is there; returns when it has answered, however long that takes.

        Raises:
            PeerLost: as `open_channel`.
        """
        await self._dialling.knock(peer, addresses)

    def report_bad_input(self, peer: PeerId, reason: str) -> None:
        """Count a broken rule; after too many the peer is cut off and refused for a while."""
        logger.warning("bad input from %s: %s", short_peer_text(peer), reason)
        if self._offences.count(peer, self._clock.monotonic()):
            for connection in list(self._by_peer.get(peer, ())):
                connection.end("too much bad input")

    def check(self) -> None:
        """Heartbeats, patience, duplicates and what nobody uses; called every `CHECK_SECONDS`."""
        now = self._clock.monotonic()
        for connection in list(self._connections):
            connection.check(now)
        for known in list(self._by_peer.values()):
            self._end_duplicates(known, now)
        for connection in unneeded(list(self._connections), now, self._keeps):
            connection.end("this connection is not in use", idle=True)
        if now - self._weighed_at >= WEIGH_SECONDS:
            self._weighed_at = now
            self._end_who_holds_too_much()

    # ── dialling and answering ────────────────────────────────────────────────

    def _live(self, peer: PeerId) -> Connection | None:
        known = self._by_peer.get(peer)
        return known[-1] if known else None

    def _refusal_to_dial(self, peer: PeerId) -> str | None:
        if self._closing:
            return "this computer is leaving the network"
        if peer == self.peer_id:
            return "it is this computer itself"
        refusal = self.refusal(peer)
        if refusal is None and len(self._connections) >= MAX_CONNECTIONS and not self._made_room():
            refusal = f"{MAX_CONNECTIONS} connections are open"
        return refusal

    def _wants_retry(self) -> bool:
        return len(self._half_open()) >= RETRY_FROM_HALF_OPEN

    def _half_open(self) -> list[Connection]:
        return [known for known in self._connections if known.peer is None and not known.dialled]

    def _may_begin(self, newcomer: str) -> bool:
        """Whether a handshake from there is taken on; another one may make way for it."""
        half_open = self._half_open()
        if not may_begin(half_open, newcomer):
            return False
        if len(half_open) >= MAX_HALF_OPEN:
            one = who_gives_up(half_open, newcomer)
            if one is None:
                return False
            one.lost("others wait as well")
        return len(self._connections) < MAX_CONNECTIONS + MAX_HALF_OPEN

    def _answer(
        self, address: Address, dialled_id: bytes, retry_id: bytes | None
    ) -> Connection | None:
        if self._closing or not self._may_begin(format_address(address[0], address[1])):
            return None
        quic = BoundedConnection(
            configuration=self._answers.answer(address[0]),
            original_destination_connection_id=dialled_id,
            retry_source_connection_id=retry_id,
        )
        return self._make(quic, address, wanted=None)

    def _make(
        self, quic: BoundedConnection, address: Address, *, wanted: PeerId | None
    ) -> Connection:
        connection = Connection(
            quic,
            owner=self,
            identity=self._identity,
            agent=self._agent,
            address=address,
            wanted=wanted,
            clock=self._clock,
            loop=asyncio.get_running_loop(),
        )
        self._connections.add(connection)
        return connection

    # ── ConnectionOwner: what connections ask and tell ───────────────────────

    @property
    def told_place(self) -> Place | None:
        """What peers are told of where this computer stands.

        Also while it knows nothing: its error says so, and somebody has to begin.
        """
        return self._coordinates.place if self._tells_place else None

    def measured(self, connection: Connection, place: Place | None, seconds: float) -> None:
        """A heartbeat was answered: take in how far away that peer is."""
        if connection.peer is not None:
            self._coordinates.measured(connection.peer, place, seconds, now=self._clock.monotonic())

    def send_datagram(self, data: bytes, address: Address) -> None:
        """Put a connection's datagram on the socket."""
        self._port.send(data, address)

    def id_issued(self, connection: Connection, connection_id: bytes) -> None:
        """Datagrams with this destination belong to `connection`."""
        self._port.adopt(connection, connection_id)

    def id_retired(self, connection_id: bytes) -> None:
        """... and no more."""
        self._port.forget_id(connection_id)

    def refusal(self, peer: PeerId, address: str | None = None) -> str | None:
        """Why connections with this peer are not wanted now; None when they are.

        `address` is where it comes from, if it dialled.
        """
        seconds = self._offences.refused_seconds(peer, self._clock.monotonic())
        if seconds > 0:
            return f"too much bad input; refused for another {seconds:.0f} seconds"
        full = len(self._by_peer) >= MAX_CONNECTIONS and peer not in self._by_peer
        if full and not self._made_room(address):
            return f"this computer has {MAX_CONNECTIONS} connections already"
        return None

    def proven(self, connection: Connection) -> None:
        """A connection is ready: from now on it is the one to its peer."""
        peer = connection.peer
        if peer is None:
            return
        known = self._by_peer.setdefault(peer, [])
        rival = known[-1] if known else None
        if rival is not None and self._prefers(rival, connection):
            known.insert(-1, connection)
        else:
            known.append(connection)
        if connection.observed is not None:
            self.observed.note(peer, connection.address, connection.observed)
        while len(known) > MAX_CONNECTIONS_PER_PEER:
            known[0].end("too many connections from one computer")

    def ended(self, connection: Connection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        self._port.forget(connection)
        known = self._by_peer.get(connection.peer) if connection.peer is not None else None
        if known is not None and connection in known:
            known.remove(connection)
            if not known and connection.peer is not None:
                del self._by_peer[connection.peer]
                self._coordinates.forget(connection.peer)
                tell = self._on_peer_idle if connection.ended_idle else self._on_peer_gone
                if not self._closing:
                    tell(connection.peer)

    def channel_opened(self, channel: Channel) -> None:
        """A peer opened a channel: run its handler."""
        if not self._closing:
            name = f"{channel.protocol} from {short_peer_text(channel.peer)}"
            self._tasks.start(self._serve(channel), name=name)

    # ── inside ───────────────────────────────────────────────────────────────

    def _prefers(self, old: Connection, new: Connection) -> bool:
        """Whether `old` stays the one to use: both ends must choose alike, so that when
        two computers dialled each other at once one of the two connections can go."""
        if old.dialled == new.dialled:
            return False  # the peer has come back: the newest is the living one
        smaller_dialled = self.peer_id < (old.peer or self.peer_id)
        return old.dialled == smaller_dialled

    def _made_room(self, newcomer: str | None = None) -> bool:
        """Let somebody go for a newcomer from there; whether there is such a one."""
        one = who_makes_way(
            self._connections, self._clock.monotonic(), newcomer=newcomer, is_kept=self._keeps
        )
        if one is not None:
            one.end("this computer needs the room for others", idle=not one.channels)
        return one is not None

    def _end_who_holds_too_much(self) -> None:
        held = {connection: connection.held_bytes for connection in self._connections}
        for connection in who_holds_too_much(held):
            logger.warning("%s has too much waiting here", connection.address)
            connection.end("too much waits here that is not taken")

    def _end_duplicates(self, known: list[Connection], now: float) -> None:
        if not known:
            return
        used = known[-1]
        for connection in known[:-1]:
            idle = not connection.channels and now - connection.began_at > DUPLICATE_SECONDS
            if idle and connection.dialled != used.dialled:
                connection.end("another connection is in use")

    async def _serve(self, channel: Channel) -> None:
        handler = next((h for name, h in self._handlers.items() if name == channel.protocol), None)
        try:
            if handler is None:
                refusal = f"this computer serves no {channel.protocol} channels"
                await channel.send(Refused(code="unknown_protocol", reason=refusal))
            else:
                await handler(channel)
            await channel.close()
        except ChannelEnded:
            await channel.close()
        except PeerLost as error:
            logger.debug("%s channel lost: %s", channel.protocol, error)
        except BadInput as error:
            self.report_bad_input(channel.peer, str(error))
        except Exception:  # the edge: one channel's failure harms no other
            logger.exception("a %s channel failed", channel.protocol)
        finally:
            if not channel.closed:
                channel.abort()

    async def _keep_checking(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.check()


__all__ = [
    "Channel",
    "ChannelEnded",
    "ChannelHandler",
    "ConnectionStatus",
    "Endpoint",
]
