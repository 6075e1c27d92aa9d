"""Whom this computer knows: whom it asks first, and whether anybody is there.

Counterparts: `app/net/dht.py`, which asks, and `app/node/snapshot.py`, which tells people.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from app.ids import PeerId
from app.net.dht import Dht
from app.net.endpoint import Endpoint
from app.node.announced import Announced
from app.sentences import Sentence, say
from app.swarm.credits import Credits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reached:
    """Who is there.

    Attributes:
        connected: whether any other computer is; None before the first that was asked has
            answered or has not.
        computers: how many others are known now.
        warning: what a person should know who is connected to nobody.
    """

    connected: bool | None
    computers: int
    warning: Sentence | None = None


class Reach:
    """Follows whom this computer asks first.

    Args:
        given: the command line named them, so that the settings do not count.
        public: others may come here by themselves.
    """

    def __init__(
        self,
        directory: Dht,
        endpoint: Endpoint,
        announced: Announced,
        credits: Credits,
        *,
        given: bool,
        public: bool,
    ) -> None:
        self._directory = directory
        self._endpoint = endpoint
        self._announced = announced
        self._credits = credits
        self._public = public
        self._logged: bool | None = None
        self.given = given

    def use(self, bootstraps: Sequence[tuple[PeerId, str]]) -> None:
        """Ask these from now on, and look again at once when somebody wants to know."""
        self._directory.use_bootstraps(bootstraps)
        self._announced.forget_time()

    async def look(self) -> bool:
        """Ask, unless somebody just did; whether it is another answer than before."""
        before = self.now()
        await self._announced.refresh()
        now = self.now()
        if now.connected is not self._logged:
            self._log(now)
        return now != before

    def _log(self, now: Reached) -> None:
        self._logged = now.connected
        if now.connected:
            logger.info("joined: computers known: %d", now.computers)
        elif now.warning is not None:
            logger.info("%s", now.warning)

    def now(self) -> Reached:
        """As it stands, by the last look and by who is connected."""
        own = {self._endpoint.peer_id, *self._credits.own_names}
        live = {connection.peer for connection in self._endpoint.connections()}
        answered = self._directory.answered
        present = (live | (answered or frozenset())) - own
        known = present | (self._announced.peers() - own)
        if present:
            return Reached(True, len(known))
        if self._directory.knows_somebody and answered is None:
            return Reached(None, len(known))
        return Reached(False, len(known), self._warning())

    def _warning(self) -> Sentence:
        if self._directory.bootstraps:
            return say("alone_unanswered")
        return say("alone_awaiting") if self._public else say("alone_unnamed")
