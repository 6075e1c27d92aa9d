"""Finding a chain: the fewest computers, then the fastest; and why there is none."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import NotServed
from app.ids import PeerId, Span, parse_span
from app.swarm.route import SLOWEST_LAYERS_PER_SECOND, Offer, Route, find_route
from app.swarm.route import chain_between as shortest

HEAD = 9


def peer(name: str) -> PeerId:
    return PeerId(name.encode().ljust(32, b"."))


def offer(name: str, span: str, *, speed: float = 10.0, room: int = 1000) -> Offer:
    return Offer(peer(name), (f"{name}:1",), parse_span(span), speed, room)


def names(route: Route) -> list[str]:
    return [link.offer.peer.decode().rstrip(".") for link in route.links]


def spans(route: Route) -> list[str]:
    return [str(link.span) for link in route.links]


def test_one_computer_with_everything_is_the_chain() -> None:
    route = find_route([offer("a", "0:10")], HEAD, tokens=100)
    assert names(route) == ["a"]
    assert spans(route) == ["0:10"]
    assert not route.own_embedding
    assert not route.own_head


def test_spans_that_meet_make_a_chain_in_order() -> None:
    offers = [offer("c", "7:10"), offer("a", "0:4"), offer("b", "4:7")]
    route = find_route(offers, HEAD, tokens=100)
    assert names(route) == ["a", "b", "c"]
    assert spans(route) == ["0:4", "4:7", "7:10"]


def test_fewer_computers_win_over_faster_ones() -> None:
    offers = [
        offer("slow", "0:10", speed=0.1),
        offer("fast", "0:5", speed=1000),
        offer("fast too", "5:10", speed=1000),
    ]
    assert names(find_route(offers, HEAD, tokens=100)) == ["slow"]


def test_of_equally_many_the_fastest_win() -> None:
    offers = [
        offer("a", "0:5", speed=10),
        offer("b", "0:5", speed=20),
        offer("c", "0:3", speed=99),
        offer("d", "5:10", speed=10),
        offer("e", "3:10", speed=1),
    ]
    assert names(find_route(offers, HEAD, tokens=100)) == ["b", "d"]


@pytest.mark.parametrize("speed", [0.0, -3.0])
def test_a_speed_that_is_no_speed_counts_as_very_slow(speed: float) -> None:
    offers = [offer("odd", "0:10", speed=speed), offer("slow", "0:10", speed=0.5)]
    assert names(find_route(offers, HEAD, tokens=100)) == ["slow"]
    assert offers[0].seconds_per_token == 10 / SLOWEST_LAYERS_PER_SECOND


def test_units_that_nobody_serves_are_named() -> None:
    with pytest.raises(NotServed, match="nobody serves units 3 to 6 of this model") as caught:
        find_route([offer("a", "0:3"), offer("b", "7:10")], HEAD, tokens=1)
    assert caught.value.missing == (3, 4, 5, 6)


def test_single_units_that_nobody_serves_are_listed() -> None:
    offers = [offer("a", "0:3"), offer("b", "4:6"), offer("c", "7:10")]
    with pytest.raises(NotServed, match="units 3, 6 of") as caught:
        find_route(offers, HEAD, tokens=1)
    assert caught.value.missing == (3, 6)


def test_one_unit_is_named_alone() -> None:
    with pytest.raises(NotServed, match="unit 3 of"):
        find_route([offer("a", "0:3"), offer("b", "4:10")], HEAD, tokens=1)


def test_when_nobody_is_there_everything_but_the_ends_is_missing() -> None:
    with pytest.raises(NotServed) as caught:
        find_route([], HEAD, tokens=1)
    assert caught.value.missing == tuple(range(1, HEAD))
    with pytest.raises(NotServed) as caught:
        find_route([], HEAD, tokens=1, may_run_ends=False)
    assert caught.value.missing == tuple(range(HEAD + 1))


def test_spans_that_do_not_meet_are_told_apart_from_gaps() -> None:
    with pytest.raises(NotServed, match="the spans do not meet: 0:5, 4:10") as caught:
        find_route([offer("a", "0:5"), offer("b", "4:10")], HEAD, tokens=1)
    assert caught.value.missing == ()


def test_a_computer_without_room_is_not_asked() -> None:
    offers = [offer("full", "0:10", speed=99, room=99), offer("a", "0:10", room=100)]
    assert names(find_route(offers, HEAD, tokens=100)) == ["a"]


def test_lack_of_room_is_told_apart_from_gaps() -> None:
    offers = [offer("a", "0:5", room=4096), offer("b", "5:10", room=100)]
    with pytest.raises(NotServed, match=r"units 5 to 8 has less than 2,048 tokens of room") as why:
        find_route(offers, HEAD, tokens=2048)
    assert why.value.missing == (5, 6, 7, 8)


def test_a_computer_to_avoid_is_not_asked() -> None:
    offers = [offer("bad", "0:10", speed=99), offer("a", "0:10")]
    assert names(find_route(offers, HEAD, tokens=1, avoid=[peer("bad")])) == ["a"]
    with pytest.raises(NotServed):
        find_route(offers, HEAD, tokens=1, avoid=[peer("bad"), peer("a")])


def test_own_ends_stand_in_for_what_nobody_serves() -> None:
    route = find_route([offer("a", "1:10")], HEAD, tokens=1)
    assert (route.own_embedding, route.own_head, spans(route)) == (True, False, ["1:10"])
    route = find_route([offer("a", "0:9")], HEAD, tokens=1)
    assert (route.own_embedding, route.own_head, spans(route)) == (False, True, ["0:9"])
    route = find_route([offer("a", "1:9")], HEAD, tokens=1)
    assert (route.own_embedding, route.own_head, spans(route)) == (True, True, ["1:9"])


def test_own_ends_are_not_used_where_somebody_serves_them() -> None:
    offers = [offer("short", "1:9", speed=1e6), offer("a", "0:1"), offer("h", "9:10")]
    route = find_route(offers, HEAD, tokens=1)
    assert names(route) == ["a", "short", "h"]
    assert not route.own_embedding
    assert not route.own_head


def test_a_client_that_may_not_run_ends_says_which_unit_is_missing() -> None:
    with pytest.raises(NotServed) as caught:
        find_route([offer("a", "1:10")], HEAD, tokens=1, may_run_ends=False)
    assert caught.value.missing == (0,)


def test_a_host_of_the_embedding_is_entered_after_it_by_who_has_embedded_already() -> None:
    links = shortest([offer("a", "0:5"), offer("b", "5:10")], Span(1, 10))
    assert links is not None
    assert [str(link.span) for link in links] == ["1:5", "5:10"]
    assert shortest([offer("a", "0:1"), offer("b", "2:10")], Span(1, 10)) is None


SPANS = st.tuples(st.integers(0, 5), st.integers(1, 3)).map(lambda s: Span(s[0], min(6, sum(s))))
OFFERS = st.lists(
    st.builds(
        lambda span, speed, room: (span, speed, room),
        SPANS,
        st.sampled_from([1.0, 2.0, 5.0]),
        st.sampled_from([10, 100]),
    ),
    max_size=6,
).map(
    lambda made: [
        Offer(peer(str(index)), (), span, speed, room)
        for index, (span, speed, room) in enumerate(made)
    ]
)


def by_brute_force(
    offers: Sequence[Offer], head: int, tokens: int, *, ends: bool
) -> tuple[int, float, bool, bool] | None:
    """Try every row of computers: hops, seconds, own embedding, own head of the best."""
    choices = (
        [(False, False), (True, False), (False, True), (True, True)] if ends else [(False,) * 2]
    )
    for own_embedding, own_head in choices:
        start, stop = (1 if own_embedding else 0), head + (0 if own_head else 1)
        best = None
        for count in range(1, len(offers) + 1):
            for row in itertools.permutations(offers, count):
                at, seconds = start, 0.0
                for one in row:
                    enters = one.span.start == at or (at == 1 and one.span.start == 0)
                    if not enters or one.span.stop <= at or one.tokens_free < tokens:
                        break
                    at, seconds = one.span.stop, seconds + one.seconds_per_token
                else:
                    if at == stop and (best is None or seconds < best[1]):
                        best = (count, seconds)
            if best is not None:
                return (*best, own_embedding, own_head)
    return None


@settings(deadline=None, max_examples=120)
@given(OFFERS, st.sampled_from([10, 100]), st.booleans())
def test_no_chain_is_shorter_or_faster(offers: list[Offer], tokens: int, ends: bool) -> None:
    wanted = by_brute_force(offers, 5, tokens, ends=ends)
    try:
        route = find_route(offers, 5, tokens=tokens, may_run_ends=ends)
    except NotServed as none:
        assert wanted is None
        served = {unit for one in offers for unit in range(one.span.start, one.span.stop)}
        own = {0, 5} if ends else set()
        missing = tuple(unit for unit in range(6) if unit not in served | own)
        if missing:
            assert none.missing == missing
        return
    assert wanted is not None
    seconds = sum(link.offer.seconds_per_token for link in route.links)
    assert (len(route.links), route.own_embedding, route.own_head) == (wanted[0], *wanted[2:])
    assert seconds == pytest.approx(wanted[1])
    for link, following in itertools.pairwise(route.links):
        assert link.span.stop == following.span.start
    assert all(link.offer.span.covers(link.span) for link in route.links)
    assert len({link.offer.peer for link in route.links}) == len(route.links)
