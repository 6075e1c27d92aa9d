"""Who serves a model, as the owner's own conversations are told: others, and this computer.

Others are asked under the conversation's own name; what this computer serves itself it knows
better than the directory, and reaches without leaving itself. Counterpart: `app/chat/talk.py`,
which makes chains of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.chat.talk import conversation_directory, offers_of
from app.clock import Clock
from app.errors import PeerLost
from app.ids import ModelId
from app.net.dht import Dht
from app.net.endpoint import Endpoint
from app.node.beside import Beside
from app.node.own_addresses import own_address
from app.node.sharing import Sharing
from app.swarm.route import Offer


class ChatOffers:
    """Looks up offers.

    Args:
        endpoint: the node's own.
        public: whether it keeps a part of the directory, so that it may be asked too.
    """

    def __init__(
        self,
        directory: Dht,
        endpoint: Endpoint,
        sharing: Sharing,
        beside: Beside,
        *,
        public: bool,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._endpoint = endpoint
        self._sharing = sharing
        self._beside = beside
        self._public = public
        self._clock = clock

    async def lookup(self, endpoint: Endpoint, model: ModelId) -> Sequence[Offer]:
        """Everybody who serves units of a model.

        Args:
            endpoint: the conversation's.

        Raises:
            PeerLost: no directory answers, and this computer serves nothing of it.
        """
        first = self._directory.seeds()
        itself = (self._endpoint.peer_id, own_address(self._endpoint))
        own = self._own(model)
        try:
            async with conversation_directory(
                endpoint,
                [itself] if self._public else [],
                first,
                self._clock,
                self._directory.rules,
            ) as directory:
                found = offers_of(await directory.lookup(model))
        except PeerLost:
            if first and not own:
                raise
            found = []
        names = self._beside.names()
        others = [offer for offer in found if offer.peer not in names]
        return [*others, *(offer for offer in own if not self._is_given_away(offer))]

    def _own(self, model: ModelId) -> list[Offer]:
        both = (self._sharing.own_offer(model), self._beside.own_offer(model))
        return [offer for offer in both if offer is not None]

    def _is_given_away(self, offer: Offer) -> bool:
        """Whether its places are others' now; a chat has the whole model beside them."""
        order = self._sharing.order
        return offer.is_full and order is not None and offer.span == order.model.plan.whole
