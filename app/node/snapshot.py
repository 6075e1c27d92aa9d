"""What the node is and does, as people see it: one `Snapshot` from its parts.

The words here are the first line of the tray's menu. Counterpart: the window, which
shows them (`app/ui/dashboard.py`), and `app/node/service.py`, which owns the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app import __version__
from app.api.shapes import (
    Coverage,
    LayerHolder,
    LimitInForce,
    ModelView,
    Pause,
    Repairs,
    Snapshot,
    Speeds,
    State,
    Totals,
)
from app.api.shapes import Credits as CreditsView
from app.chat.desk import Desk
from app.clock import Clock
from app.engine.catalogue import KnownModel
from app.folder.data_folder import OpenModel
from app.folder.fetching import Fetching
from app.folder.known_models import KnownModels
from app.folder.tally import Tally
from app.ids import ModelId, PeerId, Span, peer_text
from app.layer_words import layers_of
from app.net.endpoint import Endpoint
from app.net.identity import Identity
from app.node.announced import Announced
from app.node.beside import Beside
from app.node.reach import Reach
from app.node.sharing import Sharing
from app.policy.governor import Governor
from app.policy.traffic import Traffic
from app.policy.verdict import Verdict
from app.reasons import PauseReason
from app.sentences import Sentence, say, sentence_of
from app.swarm.coverage import meets, place_of, replicas
from app.swarm.credits import Credits


@dataclass(frozen=True)
class Parts:
    """The parts of a node that a snapshot looks at."""

    identity: Identity
    endpoint: Endpoint
    sharing: Sharing
    beside: Beside
    fetching: Fetching
    desk: Desk
    models: KnownModels
    announced: Announced
    reach: Reach
    tally: Tally
    traffic: Traffic
    credits: Credits
    clock: Clock
    started_at: float

    def count(self) -> None:
        """Take what was computed since the last time into the counts that are kept."""
        counted = self.credits
        self.tally.note(
            counted.positions,
            given=counted.given,
            taken=counted.taken,
            repairs=self.desk.repairs,
        )


@dataclass(frozen=True)
class Disk:
    """What the layers take, None before the first look, and what of it nothing here uses."""

    used_bytes: int | None = None
    unused_bytes: int = 0


@dataclass(frozen=True)
class Wanted:
    """What the owner wants shared; None when no model was chosen."""

    model: OpenModel
    span: Span


def take_snapshot(
    parts: Parts,
    governor: Governor,
    wanted: Wanted | None,
    *,
    disk: Disk,
    warnings: Sequence[Sentence],
    as_told: bool,
) -> Snapshot:
    """Everything at this moment.

    Args:
        as_told: the command line said to share, which is as good as consent.
    """
    verdict, manual = governor.verdict, governor.manual
    state, headline, pause = tell_state(parts.sharing, verdict, wanted, parts.fetching)
    if as_told and state == "sharing" and wanted is not None:
        headline = _sharing(wanted)  # nobody said "share anyway"
    reached = parts.reach.now()
    alone = [] if reached.warning is None else [reached.warning]
    as_usual = state == "sharing" and (as_told or verdict.ending is None)
    if reached.connected is False and as_usual and wanted is not None:
        headline = _ready_alone(wanted)
    warnings = [*warnings, *alone]
    parts.count()
    consented = True if as_told else manual.consented
    return Snapshot(
        state=state,
        headline=headline.words,
        headline_said=headline.said,
        pause=pause,
        sharing_wanted=bool(consented) and manual.pause is None,
        consented=consented,
        peer_id=peer_text(parts.identity.peer_id),
        listen=parts.endpoint.address,
        version=__version__,
        uptime_seconds=round(parts.clock.monotonic() - parts.started_at, 1),
        model=None if wanted is None else _model_view(parts, wanted),
        download=parts.fetching.current,
        speeds=Speeds(
            tokens_per_second=round(parts.tally.tokens_per_second, 2),
            upload_bytes_per_second=round(parts.traffic.upload_bytes_per_second, 1),
            download_bytes_per_second=round(parts.traffic.download_bytes_per_second, 1),
        ),
        totals=_totals(parts),
        credits=_credits(parts),
        limits=[
            LimitInForce(
                name=limit.name,
                words=limit.words,
                unit=limit.unit,
                asked=limit.asked,
                measured=limit.measured,
                how=limit.how,
                said=limit.title.said,
                how_said=limit.means.said,
            )
            for limit in governor.limits(disk_used_bytes=disk.used_bytes)
        ],
        gpu_paused=manual.gpu_pause is not None,
        cpu_paused=manual.cpu_pause is not None,
        slow_mode=manual.slow_mode,
        disk_used_bytes=disk.used_bytes or 0,
        disk_unused_bytes=disk.unused_bytes,
        identity_kept_in=parts.identity.kept_in,
        warnings=[warning.words for warning in warnings],
        warnings_said=[warning.said for warning in warnings],
        connected=reached.connected,
        computers=reached.computers,
        coverage=[_coverage(parts, known) for known in parts.models.all()],
        repairs=_repairs(parts),
    )


def tell_state(
    sharing: Sharing, verdict: Verdict, wanted: Wanted | None, fetching: Fetching
) -> tuple[State, Sentence, Pause | None]:
    """The state, its headline, and why sharing rests if it does."""
    if verdict.state == "paused" and verdict.sentence is not None:
        line = verdict.sentence
        pause = _pause(verdict.reason, line, verdict.until, can_override=verdict.can_override)
        if verdict.reason == "no_consent":
            return "idle", line, pause
        if verdict.reason == "problem":
            return "problem", line, pause
        if sharing.phase == "stopping":
            return "paused", say("finishing", paused=line), pause
        return "paused", line, pause
    if wanted is None:
        return "idle", say("choose_model"), _pause("no_model", say("choose_model"))
    title, layers = wanted.model.manifest.shown_name, layers_text(wanted.model, wanted.span)
    if sharing.phase == "failed" and sharing.problem is not None:
        problem = sentence_of(sharing.problem)
        return "problem", say("not_sharing", problem=problem), _pause("problem", problem)
    if sharing.phase == "serving":
        return "sharing", _sharing(wanted, verdict), None
    if fetching.current is not None and sharing.phase == "fetching":
        done, total = fetching.current.done_bytes, max(1, fetching.current.total_bytes)
        percent = 100 * done // total
        line = say("getting", layers=layers, model=title, percent=percent)
        return "starting", line, None
    return "starting", say("preparing", layers=layers, model=title), None


def _pause(
    reason: PauseReason, line: Sentence, until: float | None = None, *, can_override: bool = False
) -> Pause:
    return Pause(
        reason=reason, words=line.words, until=until, can_override=can_override, said=line.said
    )


def _sharing(wanted: Wanted, verdict: Verdict | None = None) -> Sentence:
    """What is shared; with a verdict also that it is so although a rule speaks against it."""
    layers, title = layers_text(wanted.model, wanted.span), wanted.model.manifest.shown_name
    if verdict is None or verdict.ending is None:
        return say("sharing", layers=layers, model=title)
    return say("sharing_anyway", layers=layers, model=title, when=verdict.ending)


def _ready_alone(wanted: Wanted) -> Sentence:
    layers = layers_text(wanted.model, wanted.span)
    return say("ready_alone", layers=layers, model=wanted.model.manifest.shown_name)


def layers_text(model: OpenModel, span: Span) -> Sentence:
    """How many layers a span has, in words: "12 layers", "all 36 layers"."""
    blocks = max(0, min(span.stop, model.plan.head_unit) - max(span.start, 1))
    if blocks == model.plan.block_count:
        return say("all_layers", count=blocks)
    if blocks == 0:
        return layers_of(span, model.plan.head_unit)
    return say("one_layer") if blocks == 1 else say("some_layers", count=blocks)


def beside_told(beside: Beside) -> Sentence | None:
    """What is served besides, or stood by for; None without."""
    order = beside.order if beside.phase == "serving" else None
    ready = beside.ready
    if order is not None:
        model, span = order.model, order.span
    elif ready is not None:
        model, span = ready
    else:
        return None
    title = model.manifest.shown_name
    layers = layers_of(span, model.plan.head_unit)
    return say("also_serves" if order is not None else "stands_by", layers=layers, model=title)


def _model_view(parts: Parts, wanted: Wanted) -> ModelView:
    model, mine = wanted.model, _mine(parts, wanted.model.id)
    beside = beside_told(parts.beside)
    return ModelView(
        name=model.manifest.name,
        title=model.manifest.shown_name,
        model_id=model.id.hex(),
        units=len(model.plan.units),
        my_start=None if mine is None else mine.start,
        my_stop=None if mine is None else mine.stop,
        holders=_holders(parts, model.id),
        chosen_start=wanted.span.start,
        chosen_stop=wanted.span.stop,
        beside="" if beside is None else beside.words,
        beside_said=None if beside is None else beside.said,
    )


def _holders(parts: Parts, model: ModelId) -> list[LayerHolder]:
    """Who serves layers of a model, this computer included, in the order of the layers."""
    chain = {part.peer for part in parts.desk.last_parts}
    round_trips: dict[PeerId, float | None] = {**parts.desk.round_trips}
    for one in parts.endpoint.connections():
        round_trips[one.peer] = one.round_trip_seconds or round_trips.get(one.peer)
    holders = [
        LayerHolder(
            peer_id=peer_text(PeerId(record.peer)),
            start=record.span.start,
            stop=record.span.stop,
            layers_per_second=round(record.layers_per_second, 1),
            round_trip_seconds=round_trips.get(PeerId(record.peer)),
            mine=False,
            in_chain=record.peer in chain,
            ready=record.ready,
        )
        for record in parts.announced.of(model, without=parts.beside.names())
        if record.span is not None
    ]
    first, second = _mine(parts, model), _beside(parts, model)
    own: list[tuple[PeerId, Span, float]] = []
    if first is not None and parts.sharing.engine is not None:
        own.append((parts.identity.peer_id, first, parts.sharing.layers_per_second))
    if second is not None and parts.beside.name is not None:
        own.append((parts.beside.name, second, parts.beside.layers_per_second))
    holders += [
        LayerHolder(
            peer_id=peer_text(peer),
            start=span.start,
            stop=span.stop,
            layers_per_second=round(speed, 1),
            round_trip_seconds=0.0,
            mine=True,
            in_chain=peer in chain,
        )
        for peer, span, speed in own
    ]
    return sorted(holders, key=lambda holder: (holder.start, holder.stop, holder.peer_id))


def _mine(parts: Parts, model: ModelId) -> Span | None:
    """What this computer serves of a model, or is about to."""
    order = parts.sharing.order
    return order.span if order is not None and order.model.id == model else None


def _beside(parts: Parts, model: ModelId) -> Span | None:
    """What this computer serves of a model besides."""
    order = parts.beside.order
    is_up = order is not None and parts.beside.phase == "serving"
    return order.span if is_up and order is not None and order.model.id == model else None


def _coverage(parts: Parts, known: KnownModel) -> Coverage:
    units = known.manifest.block_count + 2
    records = parts.announced.of(known.model, without=parts.beside.names())
    spans = [record.span for record in records if record.ready and record.span is not None]
    mine = _mine(parts, known.model) if parts.sharing.engine is not None else None
    if mine is not None:
        spans.append(mine)
    computers = len(spans)
    if (second := _beside(parts, known.model)) is not None:
        spans.append(second)  # the same computer once more
    counts = replicas(spans, units)
    return Coverage(
        name=known.manifest.name,
        title=known.manifest.shown_name,
        model_id=known.model.hex(),
        units=units,
        replicas=counts,
        missing=[unit for unit, count in enumerate(counts) if not count],
        computers=computers,
        coming=sum(not record.ready for record in records),
        joins=meets(spans, units),
        my_start=None if mine is None else mine.start,
        my_stop=None if mine is None else mine.stop,
        my_place=place_of(mine, counts),
    )


def _repairs(parts: Parts) -> Repairs:
    served = parts.tally.served
    return Repairs(today=served.repairs_today, ever=served.repairs_ever)


def _totals(parts: Parts) -> Totals:
    served = parts.tally.served
    return Totals(
        tokens_today=served.tokens_today,
        tokens_ever=served.tokens_ever,
        conversations_now=parts.sharing.guests + parts.beside.guests,
        uploaded_bytes_month=parts.traffic.sent_month_bytes,
        downloaded_bytes_month=parts.traffic.received_month_bytes,
    )


def _credits(parts: Parts) -> CreditsView:
    served = parts.tally.served
    return CreditsView(
        given=served.given_ever,
        taken=served.taken_ever,
        balance=served.given_ever - served.taken_ever,
        given_today=served.given_today,
        taken_today=served.taken_today,
    )
