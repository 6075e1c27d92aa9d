"""The overview: what this computer shares and why or why not, how fast, with whom."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from app.api.shapes import Coverage, Credits, Download, LimitInForce, ModelView, Snapshot, State
from app.ui import theme as looks
from app.ui import words
from app.ui.controls import Action, Banner, Button, Card, Page, button, clear, label, nothing
from app.ui.coverage_card import CoverageCard
from app.ui.helper_table import HelperTable
from app.ui.icons import state_picture
from app.ui.layer_strip import LayerStrip
from app.ui.pausing import Pausing, lasting, offer
from app.ui.sentences import headline, layers, told, told_all
from app.ui.speed_graph import SpeedGraph
from app.ui.theme import Theme
from app.ui.translations import counted, tr

STATE_PIXELS = 44


class StateCard(Card):
    """What happens now, why, and the one thing to do about it."""

    def __init__(self, theme: Theme, pausing: Pausing) -> None:
        super().__init__()
        self._theme = theme
        self._pausing = pausing
        self._state: State = "starting"
        row = QHBoxLayout()
        row.setSpacing(looks.LARGE)
        self._picture = QLabel()
        row.addWidget(self._picture)
        column = QVBoxLayout()
        column.setSpacing(2)
        self.headline = label(tr("Starting"), "title", wrap=True)
        self.reason = label("", "muted", wrap=True)
        column.addWidget(self.headline)
        column.addWidget(self.reason)
        row.addLayout(column, 1)
        self.begin = button(tr("Start sharing"), pausing.begin, "primary")
        self.resume = button(tr("Resume"), pausing.resume, "primary")
        self.anyway = button(tr("Share anyway for 1 hour"), pausing.share_anyway)
        self.pause = Button(tr("Pause"))
        self.pause.setAccessibleName(tr("Pause sharing"))
        menu = QMenu(self.pause)
        self.ways = pausing.fill(menu)
        self.pause.setMenu(menu)
        for one in (self.begin, self.resume, self.anyway, self.pause):
            one.hide()
            row.addWidget(one)
        self.body.setContentsMargins(looks.LARGE, looks.LARGE, looks.LARGE, looks.LARGE)
        self.body.addLayout(row)
        theme.changed.connect(self._draw)
        self._draw()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Say it anew."""
        changed, self._state = self._state != snapshot.state, snapshot.state
        self.headline.setText(headline(snapshot))
        self.reason.setText(self._second_line(snapshot))
        self.ways.show(snapshot)
        what = offer(snapshot)
        ways = (self.begin, self.resume, self.anyway, self.pause)
        used = any(one.hasFocus() for one in ways)
        self.begin.setVisible(what == "begin")
        self.resume.setVisible(what == "resume")
        self.anyway.setVisible(what == "share_anyway")
        self.pause.setVisible(what in ("pause", "share_anyway", "resume"))
        if used and (left := next((one for one in ways if not one.isHidden()), None)):
            # Else Qt gives the focus of a button that goes to whatever comes next.
            left.setFocus()
        if changed:
            self._draw()

    def show_lost(self) -> None:
        """The node is away: what it did last is not what it does now, nor can it be asked."""
        self._state = "problem"
        self.headline.setText(tr("Not connected to Potluck's node"))
        self.reason.setText("")
        for one in (self.begin, self.resume, self.anyway, self.pause):
            one.hide()
        self._draw()

    @staticmethod
    def _second_line(snapshot: Snapshot) -> str:
        if snapshot.pause is not None:
            rest = lasting(snapshot)
            if snapshot.pause.reason == "no_consent":
                return tr("Chat works without sharing. Sharing makes Potluck faster for everyone.")
            return rest or tr("It goes on by itself when the reason is gone.") * (
                snapshot.pause.reason != "manual"
            )
        now = snapshot.totals.conversations_now
        if snapshot.state == "sharing" and now:
            return counted(
                now, "Helping with {n} conversation now", "Helping with {n} conversations now"
            )
        if snapshot.state == "sharing":
            if snapshot.connected is False:
                return tr("Others can ask this computer as soon as one of them is connected.")
            quiet = tr("Ready to help; nobody is asking at the moment.")
            known = counted(
                snapshot.computers, "{n} other computer known.", "{n} other computers known."
            )
            return f"{quiet} {known}" if snapshot.computers else quiet
        return ""

    def _draw(self) -> None:
        ratio = self.devicePixelRatioF()
        drawn = state_picture(
            self._state, dark=self._theme.dark, pixels=round(STATE_PIXELS * ratio)
        )
        drawn.setDevicePixelRatio(ratio)
        self._picture.setPixmap(drawn)
        self._picture.setFixedSize(QSize(STATE_PIXELS, STATE_PIXELS))


class SpeedCard(Card):
    """One graph with its number of the moment."""

    def __init__(self, title: str, graph: SpeedGraph) -> None:
        super().__init__(title)
        self.figure = label(words.UNKNOWN, "figure")
        self.note = label("", "muted")
        row = QHBoxLayout()
        row.addWidget(self.figure)
        row.addStretch(1)
        row.addWidget(self.note, 0, Qt.AlignmentFlag.AlignBottom)
        self.graph = graph
        self.body.addLayout(row)
        self.body.addWidget(graph)


class ModelCard(Card):
    """The strip of layers and what it means."""

    choose = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__(tr("Layers"))
        top = QHBoxLayout()
        self.name = label("", wrap=True)
        top.addWidget(self.name, 1)
        top.addWidget(button(tr("Choose model"), self.choose.emit, "quiet"))
        self.strip = LayerStrip(theme)
        self.note = label("", "muted", wrap=True)
        self.place = label("", "muted", wrap=True)
        self.beside = label("", "muted", wrap=True)
        self.legend = label(
            tr("Full: two computers or more · half full: one · hatched: nobody"), "muted", wrap=True
        )
        self.body.addLayout(top)
        self.body.addWidget(self.strip)
        below = QVBoxLayout()
        below.setSpacing(2)
        for one in (self.legend, self.note, self.place, self.beside):
            below.addWidget(one)
        self.body.addLayout(below)

    def show_model(
        self,
        model: ModelView | None,
        coverage: Sequence[Coverage] = (),
        *,
        resting: bool = False,
    ) -> None:
        """Draw another model, or say that there is none; what rests is only promised."""
        self.strip.setVisible(model is not None)
        self.legend.setVisible(model is not None)
        found = [one for one in coverage if model is not None and one.model_id == model.model_id]
        self.place.setText(words.place_words(found[0].my_place) if found else "")
        self.place.setVisible(bool(self.place.text()))
        self.beside.setText("" if model is None else told(model.beside, model.beside_said))
        self.beside.setVisible(bool(self.beside.text()))
        self.strip.show_model(model, resting=resting)
        if model is None:
            self.name.setText(tr("No model chosen yet."))
            self.note.setText(
                tr("Choose one, and Potluck fetches the layers that fit this computer.")
            )
            return
        if model.my_start is not None and not resting:
            span = layers(model.my_start, model.my_stop or 0, model.units)
            mine = tr("this computer serves {layers}").format(layers=span)
        elif model.chosen_stop:
            span = layers(model.chosen_start, model.chosen_stop, model.units)
            mine = tr("this computer would serve {layers}").format(layers=span)
        else:
            mine = tr("this computer serves none of it now")
        self.name.setText(f"{model.title}: {mine}")
        joins = found[0].joins if found else True
        self.note.setText(self._note(model, joins=joins))

    def _note(self, model: ModelView, *, joins: bool) -> str:
        helpers = sum(not holder.mine for holder in model.holders)
        parts = [counted(helpers, "{n} other helper", "{n} other helpers")]
        parts.append(words.coverage_words(words.replicas(model), joins=joins))
        if self.strip.hidden_holders:
            parts.append(
                counted(self.strip.hidden_holders, "{n} helper not drawn", "{n} helpers not drawn")
            )
        return " · ".join(parts)


class DownloadCard(Card):
    """Layers on their way here."""

    def __init__(self) -> None:
        super().__init__(tr("Download"))
        self.name = label("", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName(tr("Download"))
        self.note = label("", "muted")
        for one in (self.name, self.bar, self.note):
            self.body.addWidget(one)
        self.hide()

    def show_download(self, download: Download | None) -> None:
        """Show how far it is; hidden without one."""
        self.setVisible(download is not None)
        if download is None:
            return
        self.name.setText(tr("Layers of {model}").format(model=download.model))
        share = download.done_bytes / max(1, download.total_bytes)
        self.bar.setValue(round(1000 * min(1.0, share)))
        parts = [
            tr("{done} of {total}").format(
                done=words.size(download.done_bytes), total=words.size(download.total_bytes)
            ),
            words.network_speed(download.bytes_per_second),
        ]
        if download.bytes_per_second > 0:
            left = (download.total_bytes - download.done_bytes) / download.bytes_per_second
            parts.append(tr("{time} left").format(time=words.duration(left)))
        if download.origin:
            parts.append(tr("from {origin}").format(origin=download.origin))
        self.note.setText(" · ".join(parts))


class LimitsCard(Card):
    """The limits that hold now, with what was measured beside what was asked."""

    def __init__(self) -> None:
        super().__init__(tr("Limits in force"))
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(looks.LARGE)
        self._grid.setVerticalSpacing(looks.SMALL)
        self._grid.setColumnStretch(0, 2)
        self._grid.setColumnStretch(2, 3)
        self._shown: list[LimitInForce] = []
        self._empty = label(tr("No limit holds at the moment."), "muted")
        self.body.addWidget(self._empty)
        self.body.addLayout(self._grid)

    def show_limits(self, limits: list[LimitInForce]) -> None:
        """List them, one a row."""
        if limits == self._shown:
            return
        self._shown = limits
        self._empty.setVisible(not limits)
        clear(self._grid)
        for row, limit in enumerate(limits):
            self._grid.addWidget(label(told(limit.words, limit.said), wrap=True), row, 0)
            self._grid.addWidget(label(_figures(limit), "strong"), row, 1)
            self._grid.addWidget(label(told(limit.how, limit.how_said), "muted", wrap=True), row, 2)


def _figures(limit: LimitInForce) -> str:
    parts = []
    if limit.measured is not None:
        measured = words.number(round(limit.measured, 1))
        parts.append(tr("{measured} {unit} now").format(measured=measured, unit=limit.unit))
    if limit.asked is not None:
        asked = words.number(limit.asked)
        parts.append(tr("at most {asked} {unit}").format(asked=asked, unit=limit.unit))
    return ", ".join(parts) or words.UNKNOWN


class TotalsCard(Card):
    """What was given so far, in three numbers."""

    def __init__(self) -> None:
        super().__init__(tr("Served"))
        row = QHBoxLayout()
        row.setSpacing(looks.WIDE)
        self.figures: list[QLabel] = []
        for name in (tr("tokens today"), tr("tokens ever"), tr("sent this month")):
            column = QVBoxLayout()
            column.setSpacing(0)
            figure = label(words.UNKNOWN, "figure")
            figure.setAccessibleName(name)
            self.figures.append(figure)
            column.addWidget(figure)
            column.addWidget(label(name, "muted"))
            row.addLayout(column)
        row.addStretch(1)
        self.body.addLayout(row)
        self.credits = label("", "muted", wrap=True)
        self.body.addWidget(self.credits)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show the numbers of the moment."""
        self._show_credits(snapshot.credits)
        totals = snapshot.totals
        values = (
            words.whole(totals.tokens_today),
            words.whole(totals.tokens_ever),
            words.size(totals.uploaded_bytes_month),
        )
        for figure, value in zip(self.figures, values, strict=True):
            figure.setText(value)

    def _show_credits(self, credits: Credits) -> None:
        self.credits.setText(
            tr("Given {given} · Taken {taken}").format(
                given=words.whole(credits.given), taken=words.whole(credits.taken)
            )
        )
        today = tr("Today: given {given}, taken {taken}.").format(
            given=words.whole(credits.given_today), taken=words.whole(credits.taken_today)
        )
        meaning = tr(
            "One token through one layer counts one: given is what this computer computed for"
            " others, taken what others computed for your chats. Only this computer counts it,"
            " and it buys nothing."
        )
        # A blank line keeps a screen reader from running the two together.
        self.credits.setToolTip(f"{meaning}\n\n{today}")
        self.credits.setAccessibleDescription(f"{meaning} {today}")


class Dashboard(Page):
    """The page itself; `choose_model` when the person wants another model."""

    choose_model = Signal()

    def __init__(self, theme: Theme, pausing: Pausing) -> None:
        super().__init__(tr("Overview"))
        self.title.hide()
        self.trouble = Banner("danger")
        self._warnings = QVBoxLayout()
        self._warnings.setSpacing(looks.SMALL)
        self._warned: list[str] = []
        self.state = StateCard(theme, pausing)
        self.download = DownloadCard()
        self.model = ModelCard(theme)
        self.model.choose.connect(self.choose_model)
        self.tokens = SpeedCard(
            tr("Speed for others"),
            SpeedGraph(
                theme,
                tr("Tokens per second for others, last two minutes"),
                5.0,
                words.token_speed,
                idle=tr("Nothing was computed for others in the last two minutes."),
            ),
        )
        self.network = SpeedCard(
            tr("Network"),
            SpeedGraph(
                theme,
                tr("Network, last two minutes"),
                12_500.0,
                words.network_speed,
                lines=(f"↑ {tr('sent')}", f"↓ {tr('received')}"),
                idle=tr("Nothing was sent in the last two minutes."),
            ),
        )
        self.totals = TotalsCard()
        self.helpers = HelperTable(theme)
        self.coverage = CoverageCard(theme)
        self.limits = LimitsCard()
        speeds = QWidget()
        row = QHBoxLayout(speeds)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(looks.LARGE)
        row.addWidget(self.tokens, 1)
        row.addWidget(self.network, 1)
        self.body.addWidget(self.trouble)
        self.body.addLayout(self._warnings)
        for card in (self.state, self.download, self.model, speeds, self.totals):
            self.body.addWidget(card)
        for card in (self.helpers, self.coverage, self.limits):
            self.body.addWidget(card)
        self.body.addStretch(1)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show everything of this moment."""
        self.trouble.say("")
        self.state.show_snapshot(snapshot)
        self.download.show_download(snapshot.download)
        resting = snapshot.pause is not None
        self.model.show_model(snapshot.model, snapshot.coverage, resting=resting)
        self.coverage.show_coverage(snapshot.coverage, snapshot.repairs)
        self.totals.show_snapshot(snapshot)
        self.helpers.show_model(snapshot.model)
        self.limits.show_limits(snapshot.limits)
        self._show_warnings(told_all(snapshot.warnings, snapshot.warnings_said))
        speeds, now = snapshot.speeds, time.monotonic()
        self.tokens.figure.setText(words.token_speed(speeds.tokens_per_second))
        self.tokens.graph.add(now, speeds.tokens_per_second)
        up, down = speeds.upload_bytes_per_second, speeds.download_bytes_per_second
        self.network.figure.setText(f"↑ {words.network_speed(up)}")
        self.network.note.setText(f"↓ {words.network_speed(down)}")
        self.network.graph.add(now, up, down)

    def go_on_from(self, other: Dashboard) -> None:
        """Draw on where another one stopped."""
        self.tokens.graph.go_on_from(other.tokens.graph)
        self.network.graph.go_on_from(other.network.graph)

    def show_trouble(self, text: str, offer: str = "", action: Action = nothing) -> None:
        """Say that the node is away, and what can be done; the figures are as they were last."""
        self.trouble.say(text, offer, action)
        self.state.show_lost()

    def _show_warnings(self, warnings: list[str]) -> None:
        if warnings == self._warned:
            return
        self._warned = list(warnings)
        clear(self._warnings)
        for text in warnings[:5]:
            banner = Banner()
            self._warnings.addWidget(banner)
            banner.say(text)
