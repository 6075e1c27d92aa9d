"""The word about an answer that stands still; see app/swarm/waiting.py."""

from __future__ import annotations

import pytest

from app.errors import NotServed, PeerLost
from app.ids import PeerId
from app.sentences import say
from app.swarm.token_chain import ChainBroken, MemoryLost
from app.swarm.waiting import words_of_repair, words_of_wait

PEER = PeerId(b"p" * 32)
HEAD_UNIT = 9


@pytest.mark.parametrize(
    ("missing", "layers"),
    [
        ((4, 5, 6), "layers 4 to 6"),
        ((3,), "layer 3"),
        ((2, 5), "layers 2, 5"),
        ((0, 1, 2), "the input and layers 1 to 2"),
        ((7, 8, 9), "layers 7 to 8 and the output"),
        ((0,), "the input"),
        ((9,), "the output"),
    ],
)
def test_layers_that_are_waited_for_are_named_as_people_count_them(
    missing: tuple[int, ...], layers: str
) -> None:
    words = words_of_wait(NotServed("no chain", missing=missing), head_unit=HEAD_UNIT)
    assert words.words == f"Waiting for somebody who serves {layers}…"


def test_who_has_no_room_is_not_called_missing() -> None:
    reason = say("nobody_has_room", units=say("layer_one", layer=3), tokens=900)
    words = words_of_wait(NotServed(reason, missing=(3,)), head_unit=None)
    assert words.words == "Waiting for room with those who serve layer 3…"


def test_other_troubles_have_words_of_their_own() -> None:
    broken = ChainBroken("it left", peer=PEER)
    busy = ChainBroken("it is busy", peer=PEER, retry_after_seconds=2.0)
    apart = NotServed(say("spans_apart"), missing=())
    codes = [
        (words_of_repair(broken), "another_takes_over"),
        (words_of_repair(busy), "helper_is_busy"),
        (words_of_repair(MemoryLost("forgotten")), "chain_is_mended"),
        (words_of_wait(broken, head_unit=None), "waiting_for_better"),
        (words_of_wait(busy, head_unit=None), "waiting_for_turn"),
        (words_of_wait(apart, head_unit=None), "waiting_for_parts"),
        (words_of_wait(PeerLost("nobody answers"), head_unit=None), "waiting_for_answer"),
    ]
    assert [words.said.code for words, _ in codes] == [code for _, code in codes]
    assert all(words.words.endswith("…") for words, _ in codes)
