"""Which computers that could take part answer now: somebody waits for the next word.

An announcement holds for a minute, and who announced may be gone. So whoever is new to a
chain is knocked on first, and the next best at the same time: it costs some datagrams, and
nobody computes anything for it. While only those are left that failed before, they are knocked
on, and newer announcements are looked for.

Who fits where, and what is done with who answers, is in `app/swarm/chains.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Final

from app.errors import NotServed, PeerLost
from app.ids import PeerId, short_peer_text
from app.sentences import Sentence, say, sentence_of
from app.swarm.route import Link, Offer, Route
from app.swarm.token_chain import ChainBroken
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

HEDGE_SECONDS: Final = 0.15
"""Who has not answered by then, and in the round trips of a dial, is not waited for any more if
somebody else has answered."""
HEDGE_ROUND_TRIPS: Final = 3.0
ANSWER_SECONDS: Final = 4.0
"""So long is waited in all while only silent ones are left."""
LOOK_AGAIN_SECONDS: Final = 1.0
"""While nobody answers, so often is looked who is new."""
JUDGING_SECONDS: Final = 0.5
"""So long after a look-up none begins, however long it took: what it brought is judged first, or
it would never be told that there is nobody."""


class Knocking:
    """One search for computers that answer: `found` runs it, once.

    Args:
        pick: the best chain without these computers. Raises NotServed when there is none.
        knock: returns when a computer has answered. Raises PeerLost.
        round_trip: seconds to a computer and back, as expected.
        look: has `pick` know newer announcements. Raises PeerLost.
        is_stale: whether to begin with that, although it may not be needed.
        stay: who takes part already, and need not be asked.
        failed: who failed lately, the latest last. They come in only when there is no chain
            without them, those first whose failure is the longest ago.

    Attributes:
        lacking: why there was no chain without those that failed; None when there was.
    """

    def __init__(
        self,
        pick: Callable[[Collection[PeerId]], Route],
        *,
        knock: Callable[[Offer], Awaitable[None]],
        round_trip: Callable[[PeerId], float],
        look: Callable[[], Awaitable[None]],
        is_stale: bool = False,
        stay: Collection[PeerId] = (),
        failed: Sequence[PeerId] = (),
    ) -> None:
        self.lacking: NotServed | None = None
        self._pick = pick
        self._knock = knock
        self._round_trip = round_trip
        self._look = look
        self._is_stale = is_stale
        self._stay = stay
        self._failed = failed
        self._tasks = TaskOwner("knocking")
        self._pending: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._look_again_at = float("-inf")
        self._alone: PeerLost | None = None
        self._asked: dict[PeerId, tuple[str, ...]] = {}
        self._patient_until: dict[PeerId, float] = {}
        self._answered: set[PeerId] = set()
        self._lost: dict[PeerId, PeerLost] = {}

    @property
    def unanswered(self) -> list[PeerId]:
        """Who was knocked on and did not answer in time, or not at all."""
        return [*self._silent(), *self._lost]

    async def found(self) -> Route:
        """The best chain on which everybody new answers.

        Raises:
            NotServed: there is no chain, not even with whoever failed before.
            PeerLost: there is none, and no directory answers.
            ChainBroken: there would be one, but somebody on it does not answer.
        """
        ends_at = _now() + ANSWER_SECONDS
        async with self._tasks:
            if self._is_stale:
                self._look_up()
            while True:
                route = self._best()
                unheard = [] if route is None else self._unheard(route)
                if route is not None and not unheard:
                    return route
                for link in [*unheard, *self._runners_up(unheard)]:
                    self._ask(link.offer)
                if unheard and _now() >= ends_at:
                    raise self._silence(unheard, say("no_answer"))
                await self._something(ends_at)

    # ── what is known so far ─────────────────────────────────────────────────

    def _best(self) -> Route | None:
        """The best chain by what is known; None while newer announcements may bring one."""
        try:
            return self._pick([*self._failed, *self.unanswered])
        except NotServed as error:
            self.lacking = error
        self._look_up()
        route = self._next_best()
        if route is None and self._looking is not None and self._looking.done():
            raise self._broken_or_not_served(self._alone or self.lacking)
        return route

    def _next_best(self, doubtful: Collection[PeerId] = ()) -> Route | None:
        """The best chain without the doubtful ones, with those that failed if it has to be."""
        for avoid in self._concessions():
            try:
                return self._pick([*avoid, *doubtful])
            except NotServed:
                continue
        return None

    def _concessions(self) -> Iterator[Collection[PeerId]]:
        """Whom to avoid, ever fewer: whoever failed last is most likely to fail again, also
        if it answers, as one whose engine stands still does."""
        yield [*self._failed, *self.unanswered]
        for gone in (self.unanswered, list(self._lost)):
            for forgiven in range(1, len(self._failed) + 1):
                yield [*self._failed[forgiven:], *gone]
        yield list(self._lost)

    def _broken_or_not_served(self, lacking: NotServed | PeerLost) -> NotServed | PeerLost:
        """There is no chain: because nobody was announced, or because they do not answer."""
        try:
            route = self._pick(())
        except NotServed:
            return lacking
        links = [link for link in self._unheard(route) if link.offer.peer in self._lost]
        reason = sentence_of(self._lost[links[0].offer.peer])
        return self._silence(links, reason)

    def _runners_up(self, unheard: Sequence[Link]) -> list[Link]:
        """Who would come in the place of those that have not answered yet."""
        route = self._next_best([link.offer.peer for link in unheard]) if unheard else None
        return [] if route is None else self._unheard(route)

    def _silence(self, links: Sequence[Link], reason: Sentence) -> ChainBroken:
        peers = tuple(link.offer.peer for link in links)
        name = short_peer_text(peers[0])
        words = say("helper_unusable", helper=name, reason=reason)
        return ChainBroken(words, peer=peers[0], suspects=peers)

    def _unheard(self, route: Route) -> list[Link]:
        known = {*self._stay, *self._answered}
        return [link for link in route.links if link.offer.peer not in known]

    def _silent(self) -> list[PeerId]:
        now = _now()
        return [
            peer
            for peer, until in self._patient_until.items()
            if until <= now and peer not in self._answered and peer not in self._lost
        ]

    # ── asking ───────────────────────────────────────────────────────────────

    def _ask(self, offer: Offer) -> None:
        if self._asked.get(offer.peer) == offer.addresses:
            return
        self._asked[offer.peer] = offer.addresses  # who was started again may have new ones
        self._lost.pop(offer.peer, None)
        patience = HEDGE_SECONDS + HEDGE_ROUND_TRIPS * self._round_trip(offer.peer)
        self._patient_until[offer.peer] = _now() + patience
        name = f"knock on {short_peer_text(offer.peer)}"
        self._pending.add(self._tasks.start(self._hear(offer), name=name))

    async def _hear(self, offer: Offer) -> None:
        try:
            await self._knock(offer)
        except PeerLost as lost:
            logger.debug("%s does not answer: %s", short_peer_text(offer.peer), lost)
            if self._asked[offer.peer] == offer.addresses:
                self._lost[offer.peer] = lost
        else:
            self._answered.add(offer.peer)

    def _look_up(self) -> None:
        is_over = self._looking is None or self._looking.done()
        if is_over and _now() >= self._look_again_at:
            self._look_again_at = _now() + LOOK_AGAIN_SECONDS
            self._looking = self._tasks.start(self._learn(), name="look up")
            self._pending.add(self._looking)

    async def _learn(self) -> None:
        try:
            await self._look()
        except PeerLost as alone:
            self._alone = alone
        else:
            self._alone = None
        self._look_again_at = max(self._look_again_at, _now() + JUDGING_SECONDS)

    async def _something(self, ends_at: float) -> None:
        """Until an answer comes, or somebody has been silent for too long."""
        now = _now()
        waits = (*self._patient_until.values(), self._look_again_at, ends_at)
        moments = [until for until in waits if until > now]
        timeout = min(moments) - now if moments else None
        ended, self._pending = await asyncio.wait(
            self._pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        if timeout is not None and not ended:
            # This computer itself is late, and may not have come to hear the answers.
            late = 2 * max(0.0, _now() - now - timeout)
            for peer, until in self._patient_until.items():
                if until > now:
                    self._patient_until[peer] = until + late


def _now() -> float:
    return asyncio.get_running_loop().time()
