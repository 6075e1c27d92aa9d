"""What the node is and does, as people see it: one `Snapshot` from its parts.

The words here are the first line of the tray's menu. Counterpart: the window, which
shows them (`app/ui/dashboard.py`), and `app/service.py`, which owns the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app import __version__
from app.announced import Announced
from app.api.shapes import (
    LayerHolder,
    LimitInForce,
    ModelView,
    Pause,
    PauseReason,
    Snapshot,
    Speeds,
    State,
    Totals,
)
from app.clock import Clock
from app.data_folder import OpenModel
from app.desk import Desk
from app.fetching import Fetching
from app.ids import PeerId, Span, peer_text
from app.net.endpoint import Endpoint
from app.net.identity import Identity
from app.policy.governor import Governor
from app.policy.traffic import Traffic
from app.policy.verdict import Verdict
from app.sharing import Sharing
from app.tally import Tally

NO_MODEL = "Choose a model to share"


@dataclass(frozen=True)
class Parts:
    """The parts of a node that a snapshot looks at."""

    identity: Identity
    endpoint: Endpoint
    sharing: Sharing
    fetching: Fetching
    desk: Desk
    announced: Announced
    tally: Tally
    traffic: Traffic
    clock: Clock
    started_at: float


@dataclass(frozen=True)
class Disk:
    """What the layers take, and what of it nothing here uses."""

    used_bytes: int = 0
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
    warnings: Sequence[str],
    as_told: bool,
) -> Snapshot:
    """Everything at this moment.

    Args:
        as_told: the command line said to share, which is as good as consent.
    """
    verdict, manual = governor.verdict, governor.manual
    state, headline, pause = tell_state(parts.sharing, verdict, wanted, parts.fetching)
    if as_told and state == "sharing" and wanted is not None:
        headline = _sharing_words(wanted)  # nobody said "share anyway"
    parts.tally.note(parts.sharing.positions_computed)
    consented = True if as_told else manual.consented
    return Snapshot(
        state=state,
        headline=headline,
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
        limits=[
            LimitInForce(
                name=limit.name,
                words=limit.words,
                unit=limit.unit,
                asked=limit.asked,
                measured=limit.measured,
                how=limit.how,
            )
            for limit in governor.limits()
        ],
        gpu_paused=manual.gpu_pause is not None,
        cpu_paused=manual.cpu_pause is not None,
        slow_mode=manual.slow_mode,
        disk_used_bytes=disk.used_bytes,
        disk_unused_bytes=disk.unused_bytes,
        identity_kept_in=parts.identity.kept_in,
        warnings=list(warnings),
    )


def tell_state(
    sharing: Sharing, verdict: Verdict, wanted: Wanted | None, fetching: Fetching
) -> tuple[State, str, Pause | None]:
    """The state, its headline, and why sharing rests if it does."""
    if verdict.state == "paused":
        reason: PauseReason = verdict.reason
        pause = Pause(
            reason=reason,
            words=verdict.words,
            until=verdict.until,
            can_override=verdict.can_override,
        )
        if reason == "no_consent":
            return "idle", verdict.words, pause
        if sharing.phase == "stopping":
            return "paused", f"{verdict.words}; finishing", pause
        return "paused", verdict.words, pause
    if wanted is None:
        return "idle", NO_MODEL, Pause(reason="no_model", words=NO_MODEL)
    title = wanted.model.manifest.title or wanted.model.manifest.name
    layers = layers_text(wanted.model, wanted.span)
    if sharing.phase == "failed" and sharing.problem is not None:
        words = str(sharing.problem)
        return "problem", f"Not sharing: {words}", Pause(reason="problem", words=words)
    if sharing.phase == "serving":
        anyway = f" ({verdict.words[:1].lower()}{verdict.words[1:]})" if verdict.words else ""
        return "sharing", _sharing_words(wanted) + anyway, None
    if fetching.current is not None and sharing.phase == "fetching":
        done, total = fetching.current.done_bytes, max(1, fetching.current.total_bytes)
        return "starting", f"Getting {layers} of {title}: {100 * done // total} %", None
    return "starting", f"Preparing {layers} of {title}", None


def _sharing_words(wanted: Wanted) -> str:
    title = wanted.model.manifest.title or wanted.model.manifest.name
    return f"Sharing {layers_text(wanted.model, wanted.span)} of {title}"


def layers_text(model: OpenModel, span: Span) -> str:
    """The layers of a span in words: "12 layers", "all 36 layers"."""
    blocks = max(0, min(span.stop, model.plan.head_unit) - max(span.start, 1))
    if blocks == model.plan.block_count:
        return f"all {blocks} layers"
    if blocks == 0:
        return "the words" if span.start == 0 else "the last step"
    return "1 layer" if blocks == 1 else f"{blocks} layers"


def _model_view(parts: Parts, wanted: Wanted) -> ModelView:
    model, own = wanted.model, parts.identity.peer_id
    order = parts.sharing.order
    mine = order.span if order is not None and order.model.id == model.id else None
    chain = {part.peer for part in parts.desk.last_parts}
    round_trips = {c.peer: c.round_trip_seconds for c in parts.endpoint.connections()}
    holders = [
        LayerHolder(
            peer_id=peer_text(PeerId(record.peer)),
            start=record.span.start,
            stop=record.span.stop,
            layers_per_second=round(record.layers_per_second, 1),
            round_trip_seconds=round_trips.get(PeerId(record.peer)),
            mine=False,
            in_chain=record.peer in chain,
        )
        for record in parts.announced.of(model.id, without=own)
        if record.span is not None
    ]
    engine = parts.sharing.engine
    if mine is not None and engine is not None:
        holders.append(
            LayerHolder(
                peer_id=peer_text(own),
                start=mine.start,
                stop=mine.stop,
                layers_per_second=round(engine.status.layers_per_second, 1),
                round_trip_seconds=0.0,
                mine=True,
                in_chain=own in chain,
            )
        )
    return ModelView(
        name=model.manifest.name,
        title=model.manifest.title or model.manifest.name,
        model_id=model.id.hex(),
        units=len(model.plan.units),
        my_start=None if mine is None else mine.start,
        my_stop=None if mine is None else mine.stop,
        holders=sorted(holders, key=lambda holder: (holder.start, holder.stop, holder.peer_id)),
    )


def _totals(parts: Parts) -> Totals:
    served = parts.tally.served
    host = parts.sharing.host
    return Totals(
        tokens_today=served.tokens_today,
        tokens_ever=served.tokens_ever,
        conversations_now=0 if host is None else host.status.sessions,
        uploaded_bytes_month=parts.traffic.sent_month_bytes,
        downloaded_bytes_month=parts.traffic.received_month_bytes,
    )
