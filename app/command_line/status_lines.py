"""How `potluck status` reads: the report of `status.py` as lines for a terminal.

Pure but for where the owner's clock stands. Layers are named as `app/layer_words.py` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from app.command_line.columns import columns, shortened, wrapped
from app.command_line.terminal import one_line
from app.engine.store import gigabytes
from app.ids import parse_span
from app.layer_words import layers_among, layers_of
from app.swarm.coverage import runs

MY_PLACE: Final = {
    "only": "some of which nobody else serves",
    "second": "some of which only one other computer serves",
    "spare": "which at least two others serve too",
}
MOST_NAME_CHARACTERS: Final = 32
MOST_ROWS: Final = 24
"""Of parts or of helpers of one model; `--json` tells all."""


def status_lines(report: dict[str, Any]) -> Iterator[str]:
    """The whole report."""
    running = report["node"]
    if running is None:
        yield f"no node runs in {report['data_dir']}"
    else:
        yield from _node_lines(running)
    disk = report["disk"]
    yield f"layers on disk: {gigabytes(disk['used_bytes'])} of {gigabytes(disk['quota_bytes'])}"
    if report["bootstrap_error"]:
        yield wrapped(one_line(report["bootstrap_error"]), "")
    repairs = report["repairs"]
    if repairs is not None and repairs["ever"]:
        yield f"helpers replaced in your chats: {repairs['today']} today, {repairs['ever']} ever"
    if not report["asked"]:
        yield "to see who serves what, name a computer to ask with --bootstrap PEERID@HOST:PORT"
    elif not report["models"] and not report["bootstrap_error"]:
        yield "nobody serves a model, as far as those tell who were asked"
    if report["models"]:
        yield ""
        yield from _overview(report["models"])
    for model in report["models"]:
        yield ""
        yield from _model_lines(model)


# ── the node of this computer ────────────────────────────────────────────────


def _node_lines(running: dict[str, Any]) -> Iterator[str]:
    place = f"at {one_line(running['listen'])}{_since(running['started_at'])}"
    serves = running["units"] is not None and bool(running["model"])
    if serves:
        layers = one_line(running["layers"]) or "layers"
        yield f"sharing {layers} of {one_line(running['model'])}"
        yield f"  {place}"
        now, ever = running["sessions"], running["sessions_ever"]
        yield f"  {now} conversation{'' if now == 1 else 's'} now, {ever} ever"
    else:
        yet = "" if running["units"] is None else " yet"
        yield f"a node runs {place} and serves no layers{yet}"
    is_meeting_point = running["public"]
    # A meeting point without layers is what its owner wants: nobody has to be asked to share.
    rests = running["state"] != "sharing" and not (is_meeting_point and running["state"] == "idle")
    if rests and running["headline"]:
        yield wrapped(one_line(running["headline"]), "  ")
    if running["beside"]:
        yield wrapped(one_line(running["beside"]), "  ")
    if is_meeting_point:
        yield from _meeting_lines(running)


def _meeting_lines(running: dict[str, Any]) -> Iterator[str]:
    records, writers = running["records_kept"], running["records_of"]
    near = len(running["connections"])
    yield "  a public meeting point: here others learn who serves what"
    yield (
        f"  keeps {_counted(records, 'record')} of {_counted(writers, 'computer')};"
        f" {_counted(near, 'computer')} connected now"
    )
    addresses = [one_line(address) for address in running["addresses"]]
    if not addresses:
        yield "  nobody can come yet: no address is known at which others reach it"
        return
    yield "  others name it after --bootstrap, or in Settings under Computers to ask first:"
    for address in addresses:
        yield f"  {one_line(running['peer_id'])}@{address}"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _since(started_at: float | None) -> str:
    """ " since 20:55", with the day where it is not today; "" if nobody knows."""
    if started_at is None:
        return ""
    try:
        began = datetime.fromtimestamp(started_at)
    except (ValueError, OverflowError, OSError):
        return ""
    is_today = began.date() == datetime.now().date()
    return f" since {began:%H:%M}" if is_today else f" since {began:%Y-%m-%d %H:%M}"


# ── the models that others tell of ───────────────────────────────────────────


def _overview(models: list[dict[str, Any]]) -> Iterator[str]:
    rows = [("MODEL", "HELPERS", "STATE")]
    rows += [(_name(model), str(model["computers"]), _state(model)) for model in models]
    yield from columns(rows, right=[1])


def _name(model: dict[str, Any]) -> str:
    return shortened(one_line(model["name"]), MOST_NAME_CHARACTERS)


def _head_unit(model: dict[str, Any]) -> int | None:
    """The number of the last unit; None for a model that this computer does not know."""
    return None if model["units"] is None else model["units"] - 1


def _state(model: dict[str, Any]) -> str:
    counts = model["replicas"]
    if len(model["missing"]) == len(counts):
        state = "nobody serves it"
    elif model["missing"]:
        state = f"nobody serves {layers_among(model['missing'], _head_unit(model))}"
    elif not model["joins"]:
        state = "every layer is served, but the parts do not meet"
    elif min(counts) > 1:
        state = f"every layer is served by {min(counts)} or more"
    else:
        state = "every layer is served, some by one computer only"
    coming = model["coming"]
    return f"{state}; {coming} more on {'its' if coming == 1 else 'their'} way" if coming else state


def _model_lines(model: dict[str, Any]) -> Iterator[str]:
    head_unit = _head_unit(model)
    yield f"{_name(model)}: how many serve what"
    parts = [
        ("nobody" if not count else _counted(count, "computer"), str(layers_of(span, head_unit)))
        for span, count in runs(model["replicas"])
    ]
    yield from _bounded(parts)
    if model["hosts"]:
        yield f"{_name(model)}: who serves what"
    hosts = [
        (host["peer_id"][:8], f"{layers_of(parse_span(host['units']), head_unit)}{_remark(host)}")
        for host in model["hosts"]
    ]
    yield from _bounded(hosts)
    if model["my_units"] is not None:
        mine = layers_of(parse_span(model["my_units"]), head_unit)
        yield wrapped(f"this computer: {mine}, {MY_PLACE[model['my_place']]}", "  ")


def _remark(host: dict[str, Any]) -> str:
    mine = " (this computer)" if host["mine"] else ""
    return mine if host["ready"] else f"{mine} (on its way)"


def _bounded(rows: list[tuple[str, str]]) -> Iterator[str]:
    yield from columns(rows[:MOST_ROWS], indent="  ")
    if len(rows) > MOST_ROWS:
        yield f"  and {len(rows) - MOST_ROWS} more; --json tells all"
