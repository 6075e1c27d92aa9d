"""What is offered about sharing, and what it asks of the node."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from PySide6.QtWidgets import QMenu

from app.api.shapes import (
    ConsentRequest,
    ErrorBody,
    Pause,
    PauseRequest,
    ResumeRequest,
    Snapshot,
)
from app.reasons import PauseReason
from app.ui.pausing import Pausing, lasting, offer
from tests.helpers.fake_node_data import snapshot_at_rest
from tests.ui.conftest import unexpected


def paused(reason: PauseReason, **fields: Any) -> Snapshot:
    pause = Pause(reason=reason, words="", **fields)
    return msgspec.structs.replace(snapshot_at_rest(), state="paused", pause=pause)


def test_each_state_has_its_one_offer() -> None:
    assert offer(snapshot_at_rest()) == "pause"
    assert offer(snapshot_at_rest(consented=None)) == "begin"
    assert offer(paused("manual")) == "resume"
    assert offer(paused("battery", can_override=True)) == "share_anyway"
    assert offer(paused("temperature")) == ""


def test_the_time_left_is_said() -> None:
    assert lasting(snapshot_at_rest()) == lasting(paused("manual")) == ""
    assert lasting(paused("manual", until=time.time() + 600)) == "10 minutes left"


def test_the_menu_holds_the_five_ways_to_pause(qapp, fake, backend, wait) -> None:
    menu = QMenu()
    Pausing(backend, unexpected).fill(menu)
    for action in menu.actions()[:5]:
        action.trigger()
    wait(lambda: len(fake.node.asked) == 5)
    wishes = sorted((wish for _, wish in fake.node.asked), key=lambda w: (w.kind, w.seconds or 0))
    assert wishes == [
        PauseRequest(kind="resume"),
        PauseRequest(kind="seconds", seconds=900.0),
        PauseRequest(kind="seconds", seconds=3600.0),
        PauseRequest(kind="seconds", seconds=14400.0),
        PauseRequest(kind="tomorrow"),
    ]


def test_every_other_wish_reaches_the_node(fake, backend, wait) -> None:
    pausing = Pausing(backend, unexpected)
    for act in (
        pausing.resume,
        pausing.share_anyway,
        pausing.begin,
        lambda: pausing.slow_mode(on=True),
        lambda: pausing.pause_part("gpu"),
    ):
        before = len(fake.node.asked)
        act()
        wait(lambda before=before: len(fake.node.asked) > before)

    assert ("consent", ConsentRequest(share=True)) in fake.node.asked
    assert ("slow_mode", True) in fake.node.asked
    assert ("pause", PauseRequest(kind="resume", what="gpu")) in fake.node.asked


def test_the_menu_ends_only_the_pause_of_the_part_that_is_ticked_off(fake, backend, wait) -> None:
    menu = QMenu()
    ways = Pausing(backend, unexpected).fill(menu)
    ways.show(msgspec.structs.replace(snapshot_at_rest(), gpu_paused=True, cpu_paused=True))
    assert ways.gpu.isChecked()
    ways.gpu.trigger()
    wait(lambda: fake.node.asked)
    assert fake.node.asked == [("resume", ResumeRequest(what="gpu"))]
    assert ways.cpu.isChecked()


def test_a_failure_is_handed_on(backend, fake, wait) -> None:
    errors: list[ErrorBody] = []
    backend._token = "wrong"
    Pausing(backend, errors.append).resume()
    wait(lambda: errors)
    assert errors[0].words
