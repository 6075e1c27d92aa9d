"""Who takes whose place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.errors import NotServed
from app.ids import PeerId, Span, parse_span
from app.net.coordinates import ORIGIN
from app.net.wire import Place
from app.swarm.distances import Whereabouts
from app.swarm.repair import patched
from app.swarm.route import Costs, Link, Offer


def peer(name: str) -> PeerId:
    return PeerId(name.encode().ljust(32, b"."))


def offer(name: str, span: str, *, tokens_free: int = 1000, speed: float = 10.0) -> Offer:
    return Offer(peer(name), (f"{name}:1",), parse_span(span), speed, tokens_free)


def chain(*spans: str) -> list[Link]:
    offers = [offer(chr(97 + index), span) for index, span in enumerate(spans)]
    return [Link(each, each.span) for each in offers]


def names(links: list[Link]) -> str:
    return " ".join(f"{link.offer.peer[:1].decode()}{link.span}" for link in links)


def mended(links: list[Link], lost: str, *spare: Offer, avoid: str = "", tokens: int = 100) -> str:
    found = patched(
        links, [peer(n) for n in lost], spare, tokens=tokens, avoid=[peer(n) for n in avoid]
    )
    return names(found)


THREE = chain("0:3", "3:6", "6:9")


def test_a_chain_that_lost_nobody_stays() -> None:
    assert mended(THREE, "") == "a0:3 b3:6 c6:9"


def test_the_same_units_elsewhere_take_the_place() -> None:
    assert mended(THREE, "b", offer("x", "3:6")) == "a0:3 x3:6 c6:9"


def test_the_fastest_of_several_takes_it() -> None:
    spare = [offer("x", "3:6"), offer("y", "3:6", speed=20.0), offer("z", "3:6", speed=15.0)]
    assert mended(THREE, "b", *spare) == "a0:3 y3:6 c6:9"


def test_whoever_is_near_the_neighbours_takes_it() -> None:
    def at(name: str, span: str, x: float) -> Offer:
        return replace(offer(name, span), place=Place(x, 0.0, 0.0, 0.0, 0.1))

    links = [Link(each, each.span) for each in (at("a", "0:3", 80.0), at("b", "3:6", 80.0))]
    links.append(Link(at("c", "6:9", 80.0), Span(6, 9)))
    spare = [at("x", "3:6", 0.0), at("y", "3:6", 90.0)]
    found = patched(links, [peer("b")], spare, tokens=100, costs=Costs(Whereabouts(ORIGIN)))
    assert names(found) == "a0:3 y3:6 c6:9"
    # The client is a neighbour too.
    found = patched(links[1:2], [peer("b")], spare, tokens=100, costs=Costs(Whereabouts(ORIGIN)))
    assert names(found) == "x3:6"


def test_several_together_take_one_place() -> None:
    spare = [offer("x", "3:4"), offer("y", "4:6")]
    assert mended(THREE, "b", *spare) == "a0:3 x3:4 y4:6 c6:9"


def test_one_takes_the_place_of_two_neighbours() -> None:
    assert mended(THREE, "bc", offer("x", "3:9")) == "a0:3 x3:9"


def test_two_gaps_are_filled_by_different_computers() -> None:
    links = chain("0:3", "3:6", "6:9")
    spare = [offer("x", "0:3"), offer("y", "6:9")]
    assert mended(links, "ac", *spare) == "x0:3 b3:6 y6:9"


def test_as_few_neighbours_as_possible_give_way() -> None:
    links = chain("0:2", "2:4", "4:6", "6:8")
    spare = [offer("x", "0:8"), offer("y", "2:6"), offer("z", "2:8")]
    assert mended(links, "b", *spare) == "a0:2 y2:6 d6:8"


def test_the_embedding_may_be_skipped_when_the_chain_begins_after_it() -> None:
    assert mended(chain("1:3", "3:6"), "a", offer("x", "0:3")) == "x1:3 b3:6"


def test_whoever_has_no_room_or_is_avoided_or_in_use_does_not_come() -> None:
    full = offer("x", "3:6", tokens_free=99)
    with pytest.raises(NotServed, match="nobody else serves layers 3 to 5 of"):
        mended(THREE, "b", full)
    with pytest.raises(NotServed, match="nobody else serves layers 3 to 5 of"):
        mended(THREE, "b", offer("x", "3:6"), avoid="x")
    with pytest.raises(NotServed, match="nobody else serves layers 3 to 5 of"):
        mended(THREE, "b", offer("c", "3:6"))


def test_one_that_was_lost_may_come_back_unless_it_is_avoided() -> None:
    back = offer("b", "3:6", speed=99.0)
    (_, again, _) = patched(THREE, [peer("b")], [back], tokens=100)
    assert again.offer is back
    with pytest.raises(NotServed, match="nobody else serves layers 3 to 5 of"):
        mended(THREE, "b", back, avoid="b")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(NotServed) as caught:
        mended(THREE, "bc", offer("x", "3:5"))
    assert caught.value.missing == (3, 4, 5, 6, 7, 8)
