"""What the owner wants shared, and whether it may be: where choice and rules meet.

It is the `Workplace` of the governor (`app/policy/governor.py`), keeps the choice of
model and layers, and tells `app/node/sharing.py` what to serve.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from app.api.shapes import ChooseModelRequest
from app.clock import Clock
from app.errors import PotluckError, Refusal, UsageError
from app.folder.choice import Choice, load_choice, save_choice
from app.folder.data_folder import DataFolder, OpenModel
from app.folder.known_models import KnownModels
from app.ids import ModelId, Span
from app.layer_words import layers_of
from app.node.beside import Beside
from app.node.model_offers import ModelOffers
from app.node.serving import ShareOrder
from app.node.sharing import Sharing
from app.node.snapshot import Wanted
from app.policy.governor import Governor
from app.policy.manual import DAMAGED
from app.policy.remarks import settings_remarks
from app.policy.verdict import Caps, Machine, Verdict
from app.sentences import Sentence, say

logger = logging.getLogger(__name__)

MOVED_SAID_SECONDS: Final = 3600.0
"""How long it is said that this computer serves other units than before."""


class Wishes:
    """Has served what is wanted, as far as the rules allow.

    Args:
        beside: what is served besides; it rests when sharing does, and sooner.
        told: what the command line said to share; None when the kept choice counts.
        machine: what there is to work with now.
        changed: called when something else is wanted.

    Attributes:
        wanted: None when no model was chosen.
        as_told: whether the command line decided.
        automatic: whether the owner chose the model and named no units, so that these may become
            others (`app/node/moving.py`).
        disturbed: set when next something else is wanted, or sharing rests; another event then
            takes its place, so that whoever took this one cannot miss it.
    """

    def __init__(
        self,
        data: DataFolder,
        models: KnownModels,
        offers: ModelOffers,
        sharing: Sharing,
        beside: Beside,
        *,
        told: Wanted | None,
        machine: Callable[[], Machine],
        changed: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._data = data
        self._models = models
        self._offers = offers
        self._sharing = sharing
        self._beside = beside
        self._machine = machine
        self._changed = changed
        self._governor: Governor | None = None
        self._clock = clock
        self._moved: tuple[Sentence, float] | None = None
        self.wanted = told
        self.as_told = told is not None
        self.automatic = False
        self.disturbed = asyncio.Event()

    def _disturb(self) -> None:
        self.disturbed.set()
        self.disturbed = asyncio.Event()

    async def begin(self, governor: Governor) -> None:
        """Follow this governor from now on, and serve what was chosen if it allows."""
        self._governor = governor
        if self.wanted is None:
            await self._restore()
        else:
            self._models.chosen = self.wanted.model.id
        await self.apply(governor.verdict.caps)

    @property
    def governor(self) -> Governor:
        """Who decides whether this computer may work."""
        if self._governor is None:
            raise RuntimeError("nobody governs yet")
        return self._governor

    # ── the governor's workplace ─────────────────────────────────────────────

    async def pause(self, verdict: Verdict) -> None:
        """As `Workplace.pause`: returns when the memory is free."""
        self._disturb()
        self._sharing.wish(None)
        self._changed()
        await self._beside.stop()
        await self._sharing.settled()

    async def resume(self, verdict: Verdict) -> None:
        """As `Workplace.resume`."""
        self.renew()

    async def apply(self, caps: Caps) -> None:
        """As `Workplace.apply`."""
        await self._sharing.limit_threads(caps.threads)
        await self._beside.limit(processor=caps.cpu, threads=caps.threads)
        self.renew()

    def renew(self) -> None:
        """Have served what is wanted now, by the settings and rules of now."""
        governor, wanted = self.governor, self.wanted
        if wanted is None or governor.verdict.state == "paused":
            self._sharing.wish(None)
        else:
            known = self._machine().gpu_usable
            gpu = governor.verdict.caps.gpu if known else governor.unknown_card_allowed
            self._sharing.wish(
                ShareOrder.by_settings(self._data.settings, wanted.model, wanted.span, gpu=gpu)
            )
        self._changed()

    def warnings(self) -> list[Sentence]:
        """What stands in the way of sharing until the owner changes it."""
        own = [DAMAGED] if self.governor.manual.remark else []
        if self._moved is not None:
            words, at = self._moved
            own += [words] if self._clock.monotonic() - at < MOVED_SAID_SECONDS else []
        return own + settings_remarks(self._data.settings)

    @property
    def movable(self) -> Wanted | None:
        """What is wanted and served, if this computer may choose other units by itself."""
        wanted, order = self.wanted, self._sharing.order
        if wanted is None or order is None or not self.automatic:
            return None
        is_up = self._sharing.phase == "serving" and order.model.id == wanted.model.id
        return wanted if is_up and order.span == wanted.span else None

    # ── the owner's choice ───────────────────────────────────────────────────

    async def choose(self, request: ChooseModelRequest) -> None:
        """Serve another model or span from now on, and keep that.

        Raises:
            Refusal: there is no such model, or no room for it; the choice stays.
            UsageError: the span is none of the model's.
        """
        if request.model.endswith(".json"):
            model = self._models.keep(await asyncio.to_thread(self._data.model, request.model))
        else:
            model = await self._models.find(request.model)
        span = await self._span_of(model, request)
        await asyncio.to_thread(self._data.store.require_room, model.manifest.units_of(span))
        choice = Choice(model.id.hex(), span, automatic=request.start is None)
        await asyncio.to_thread(save_choice, self._data.folder, choice)
        layers = layers_of(span, model.plan.head_unit)
        logger.info("chosen to share: %s of %s", layers, model.manifest.name)
        self._want(model, span, automatic=choice.automatic)
        self._sharing.retry()
        self.renew()

    async def move(self, wanted: Wanted, words: Sentence) -> None:
        """Serve other units of the same model, which are here, from now on.

        Args:
            words: what is said of it.
        """
        choice = Choice(wanted.model.id.hex(), wanted.span, automatic=True)
        await asyncio.to_thread(save_choice, self._data.folder, choice)
        logger.info("%s", words)
        self._want(wanted.model, wanted.span, automatic=True)
        self._moved = words, self._clock.monotonic()
        self.renew()

    async def choose_what_costs_nothing(self) -> None:
        """Until the owner chooses: the embedded model, if nothing has to be downloaded for it."""
        if self.wanted is not None:
            return
        with contextlib.suppress(PotluckError):
            model = await self._models.find(None)
            span = await self._offers.suggested(model)
            if span is not None and (
                model.is_embedded or not self._offers.missing_bytes(model, span)
            ):
                self._want(model, span)
                self.renew()

    def hashes(self) -> set[bytes]:
        """The units of what is shared or will be, and of what is kept ready."""
        spans = [(self.wanted.model, self.wanted.span)] if self.wanted is not None else []
        if (order := self._sharing.order) is not None:
            spans.append((order.model, order.span))
            if self._sharing.moves_to is not None:
                spans.append((order.model, self._sharing.moves_to))
        if self._beside.ready is not None:
            spans.append(self._beside.ready)
        return {unit.sha256 for model, span in spans for unit in model.manifest.units_of(span)}

    def _want(self, model: OpenModel, span: Span, *, automatic: bool = False) -> None:
        self.wanted = Wanted(model, span)
        self.automatic = automatic
        self._moved = None
        self._disturb()
        self._models.chosen = model.id

    async def _span_of(self, model: OpenModel, request: ChooseModelRequest) -> Span:
        if request.start is None and request.stop is None:
            suggested = await self._offers.suggested(model)
            if suggested is None:
                words = say("no_layer_fits", model=model.manifest.shown_name)
                raise Refusal(words, code="no_memory")
            return suggested
        if request.start is None or request.stop is None:
            raise UsageError(say("one_end"))
        return checked_span(model, request.start, request.stop)

    async def _restore(self) -> None:
        choice = await asyncio.to_thread(load_choice, self._data.folder)
        known = None
        if choice is not None:
            known = self._data.shelf.get(ModelId(bytes.fromhex(choice.model)))
        if choice is None or known is None:
            if self.governor.manual.consented:
                await self.choose_what_costs_nothing()
            return
        try:
            model = await self._models.open(known)
            span = choice.span or await self._offers.suggested(model)
        except PotluckError as error:
            logger.warning("%s", error)
            return
        if span is not None and model.plan.whole.covers(span):
            self._want(model, span, automatic=choice.automatic or choice.span is None)


def checked_span(model: OpenModel, start: int, stop: int) -> Span:
    """The span of a model.

    Raises:
        UsageError: the model has no such units.
    """
    whole = model.plan.whole
    try:
        span = Span(start, stop)
    except ValueError as error:
        raise UsageError(say("span_wrong", reason=str(error))) from None
    if not whole.covers(span):
        name = model.manifest.name
        raise UsageError(say("span_outside", model=name, units=str(whole), span=str(span)))
    return span
