"""A short word for the person about an answer that stands still: what it waits for.

Pure. `app/swarm/generate.py` says it while a chain is mended or somebody is waited for; it
holds until the next token.
"""

from __future__ import annotations

from app.errors import NotServed, PeerLost
from app.layer_words import layers_among
from app.sentences import Sentence, said_of, say
from app.swarm.token_chain import ChainBroken


def words_of_repair(broken: ChainBroken) -> Sentence:
    """While others are put in the place of who failed."""
    if broken.retry_after_seconds is not None:
        return say("helper_is_busy")
    return say("another_takes_over" if broken.suspects else "chain_is_mended")


def words_of_wait(trouble: NotServed | PeerLost, *, head_unit: int | None) -> Sentence:
    """While somebody is waited for.

    Args:
        head_unit: the number of the model's last unit, which is no layer; None if unknown.
    """
    if isinstance(trouble, ChainBroken):
        is_busy = trouble.retry_after_seconds is not None
        return say("waiting_for_turn" if is_busy else "waiting_for_better")
    if isinstance(trouble, PeerLost):
        return say("waiting_for_answer")
    if not trouble.missing:
        return say("waiting_for_parts")
    said = said_of(trouble)
    has_no_room = said is not None and said.code == "nobody_has_room"
    layers = layers_among(trouble.missing, head_unit)
    return say("waiting_for_room" if has_no_room else "waiting_for_layers", layers=layers)
