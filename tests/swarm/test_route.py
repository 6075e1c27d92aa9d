"""Finding a chain: the one with the least time per token; and why there is none."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import NotServed
from app.ids import PeerId, Span, parse_span
from app.net.wire import Place
from app.swarm.chain_search import Floats, Numbers
from app.swarm.distances import Ways, Whereabouts
from app.swarm.route import (
    CLIENT_SECONDS,
    EMBEDDING_SECONDS,
    HOP_SECONDS,
    MOST_PER_SPAN,
    MOST_ROUTES,
    OWN_END_SECONDS,
    PROMPT_GAIN,
    SLOWEST_LAYERS_PER_SECOND,
    UPLINK_BYTES_PER_SECOND,
    WAITING_SHARE,
    Costs,
    Offer,
    Route,
    chain_between,
    find_route,
    find_routes,
    spread,
)

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


def test_every_computer_costs_its_way_so_fewer_win_unless_they_are_much_slower() -> None:
    two = [offer("fast", "0:5", speed=1000), offer("fast too", "5:10", speed=1000)]
    assert names(find_route([offer("one", "0:10", speed=300), *two], HEAD, tokens=100)) == ["one"]
    slow = offer("slow", "0:10", speed=30)
    assert names(find_route([slow, *two], HEAD, tokens=100)) == ["fast", "fast too"]


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
    assert offers[0].compute_seconds(Span(0, 10), HEAD) == 8 / SLOWEST_LAYERS_PER_SECOND


def test_layers_are_what_takes_time_and_the_ends_are_none() -> None:
    one = offer("a", "0:10", speed=10.0)
    assert one.compute_seconds(Span(0, 10), HEAD) == pytest.approx(0.8)
    assert one.compute_seconds(Span(1, 10), HEAD) == pytest.approx(0.8)
    assert one.compute_seconds(Span(4, 7), HEAD) == pytest.approx(0.3)
    # A head alone is as much as a layer, an embedding alone next to nothing.
    assert offer("h", "9:10", speed=10.0).compute_seconds(Span(9, 10), HEAD) == pytest.approx(0.1)
    assert offer("e", "0:1", speed=0.0).compute_seconds(Span(0, 1), HEAD) == EMBEDDING_SECONDS


def test_layers_that_nobody_serves_are_named() -> None:
    with pytest.raises(NotServed, match="nobody serves layers 3 to 6 of this model") as caught:
        find_route([offer("a", "0:3"), offer("b", "7:10")], HEAD, tokens=1)
    assert caught.value.missing == (3, 4, 5, 6)


def test_single_layers_that_nobody_serves_are_listed() -> None:
    offers = [offer("a", "0:3"), offer("b", "4:6"), offer("c", "7:10")]
    with pytest.raises(NotServed, match="layers 3, 6 of") as caught:
        find_route(offers, HEAD, tokens=1)
    assert caught.value.missing == (3, 6)


def test_one_layer_is_named_alone() -> None:
    with pytest.raises(NotServed, match="layer 3 of"):
        find_route([offer("a", "0:3"), offer("b", "4:10")], HEAD, tokens=1)


def test_when_nobody_is_there_everything_but_the_ends_is_missing() -> None:
    with pytest.raises(NotServed, match="nobody serves any layer of this model now") as caught:
        find_route([], HEAD, tokens=1)
    assert caught.value.missing == tuple(range(1, HEAD))
    with pytest.raises(NotServed) as caught:
        find_route([], HEAD, tokens=1, may_run_ends=False)
    assert caught.value.missing == tuple(range(HEAD + 1))


def test_spans_that_do_not_meet_are_told_apart_from_gaps() -> None:
    with pytest.raises(
        NotServed, match="every layer is served, but the parts do not meet"
    ) as caught:
        find_route([offer("a", "0:5"), offer("b", "4:10")], HEAD, tokens=1)
    assert caught.value.missing == ()


def test_a_computer_without_room_is_not_asked() -> None:
    offers = [offer("full", "0:10", speed=99, room=99), offer("a", "0:10", room=100)]
    assert names(find_route(offers, HEAD, tokens=100)) == ["a"]


def test_lack_of_room_is_told_apart_from_gaps() -> None:
    offers = [offer("a", "0:5", room=4096), offer("b", "5:10", room=100)]
    with pytest.raises(NotServed, match=r"layers 5 to 8 has less than 2,048 tokens of room") as why:
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
    links = chain_between([offer("a", "0:5"), offer("b", "5:10")], Span(1, 10))
    assert links is not None
    assert [str(link.span) for link in links] == ["1:5", "5:10"]
    assert chain_between([offer("a", "0:1"), offer("b", "2:10")], Span(1, 10)) is None


# ── the ways ─────────────────────────────────────────────────────────────────


def at(
    name: str,
    span: str,
    x: float,
    y: float = 0.0,
    *,
    speed: float = 1000.0,
    sessions: int = 0,
    capacity: int = 0,
) -> Offer:
    """Somebody who stands somewhere, in milliseconds."""
    where = place(x, y)
    made = offer(name, span, speed=speed)
    return replace(made, place=where, sessions=sessions, capacity=capacity)


def place(x: float, y: float = 0.0) -> Place:
    return Place(x, y, 0.0, 0.0, 0.02)


HERE = Whereabouts(place(0.0))


def best(offers: Sequence[Offer], costs: Costs) -> list[str]:
    return names(find_route(offers, HEAD, tokens=1, costs=costs))


def test_the_near_win_over_the_far() -> None:
    offers = [at("far", "0:10", 100.0, speed=2000.0), at("near", "0:10", 10.0)]
    assert best(offers, Costs(HERE)) == ["near"]
    offers = [at("far", "0:10", 100.0), at("near", "0:10", 10.0, speed=50.0)]
    assert best(offers, Costs(HERE)) == ["far"]


def test_neighbours_win_although_each_of_them_is_farther_away_than_others() -> None:
    offers = [
        at("west", "0:5", -60.0),
        at("east", "5:10", 60.0),
        at("far", "0:5", 0.0, 70.0),
        at("far too", "5:10", 0.0, 70.0),
    ]
    # By the west and the east: 60 + 120 + 60; by the two together: 70 + 0 + 70.
    assert best(offers, Costs(HERE)) == ["far", "far too"]


def test_a_measured_way_counts_more_than_an_announced_place() -> None:
    offers = [at("boaster", "0:10", 1.0), at("near", "0:10", 10.0)]
    measured = Whereabouts(place(0.0), {peer("boaster"): 0.2})
    assert best(offers, Costs(measured)) == ["near"]


def test_of_two_equals_the_one_that_is_known_better_is_taken() -> None:
    unsure = replace(at("unsure", "0:10", 10.0), place=Place(10.0, 0.0, 0.0, 0.0, 1.0))
    assert best([unsure, at("sure", "0:10", 10.0)], Costs(HERE)) == ["sure"]


# ── crowds, failures, prompts ────────────────────────────────────────────────


def test_a_crowded_computer_gives_way_to_an_idle_one() -> None:
    offers = [at("busy", "0:10", 0.0, sessions=3, capacity=4), at("idle", "0:10", 0.0, speed=900.0)]
    assert best(offers, Costs(HERE)) == ["idle"]


def test_a_full_computer_is_asked_when_nobody_else_is_there() -> None:
    full = at("full", "0:10", 0.0, sessions=4, capacity=4)
    assert best([full, at("far", "0:10", 5.0)], Costs(HERE)) == ["far"]
    assert best([full], Costs(HERE)) == ["full"]


def test_who_failed_lately_gives_way_to_who_did_not() -> None:
    offers = [at("shaky", "0:10", 0.0), at("steady", "0:10", 20.0)]
    shaky = Costs(HERE, failures=lambda name: 1.0 if name == peer("shaky") else 0.0)
    assert best(offers, Costs(HERE)) == ["shaky"]
    assert best(offers, shaky) == ["steady"]
    assert best(offers[:1], shaky) == ["shaky"]


def test_a_long_question_is_for_fast_computers_and_a_short_one_for_near_ones() -> None:
    offers = [at("near", "0:10", 1.0, speed=100.0), at("fast", "0:10", 120.0, speed=1000.0)]
    assert best(offers, Costs(HERE, prompt_rows=10)) == ["near"]
    assert best(offers, Costs(HERE, prompt_rows=2000)) == ["fast"]


def test_a_long_question_goes_through_few_hands() -> None:
    offers = [
        at("a", "0:5", 0.0, speed=2000.0),
        at("b", "5:10", 0.0, speed=2000.0),
        at("one", "0:10", 5.0, speed=2000.0),
    ]
    assert best(offers, Costs(HERE, prompt_rows=1, row_bytes=8192)) == ["a", "b"]
    assert best(offers, Costs(HERE, prompt_rows=2000, row_bytes=8192)) == ["one"]


# ── what is predicted ────────────────────────────────────────────────────────


def test_a_prediction_is_made_of_its_parts() -> None:
    offers = [
        at("a", "0:5", 10.0, speed=100.0, sessions=2),
        at("b", "5:10", 30.0, speed=200.0),
    ]
    costs = Costs(HERE, head_unit=HEAD, prompt_rows=34, row_bytes=1000)
    predicted = find_route(offers, HEAD, tokens=1, costs=costs).predicted
    assert predicted is not None
    assert predicted.network == pytest.approx((0.010 + 0.020 + 0.030) / 2)
    assert predicted.compute == pytest.approx(4 / 100 + 4 / 200)
    assert predicted.waiting == pytest.approx(2 * WAITING_SHARE * 4 / 100)
    assert predicted.overhead == pytest.approx(CLIENT_SECONDS + 2 * HOP_SECONDS)
    rows, sent = 33, 33 * 1000 / UPLINK_BYTES_PER_SECOND
    assert predicted.prompt == pytest.approx(rows * 0.06 / PROMPT_GAIN + sent)
    parts = predicted.network + predicted.compute + predicted.waiting + predicted.overhead
    assert predicted.seconds_per_token == pytest.approx(parts)
    assert predicted.tokens_per_second == pytest.approx(1 / parts)


def test_ends_that_the_client_runs_are_in_the_prediction() -> None:
    costs = Costs(HERE, head_unit=HEAD, prompt_rows=34, row_bytes=1000, own_head_seconds=0.2)
    served, ends_lack = (
        find_route([at("a", span, 10.0)], HEAD, tokens=1, costs=costs).predicted
        for span in ("0:10", "1:9")
    )
    assert served is not None
    assert ends_lack is not None
    assert ends_lack.compute == pytest.approx(served.compute + 0.2)
    assert ends_lack.overhead == pytest.approx(served.overhead + 2 * OWN_END_SECONDS)
    # Hidden states leave the client, where tokens would have.
    sent = 33 * 1000 / UPLINK_BYTES_PER_SECOND
    assert ends_lack.prompt == pytest.approx(served.prompt + sent)


def test_pieces_of_a_long_question_are_computed_side_by_side() -> None:
    offers = [at("a", "0:5", 0.0, speed=100.0), at("b", "5:10", 0.0, speed=100.0)]
    at_once = Costs(HERE, head_unit=HEAD, prompt_rows=101)
    whole = find_route(offers, HEAD, tokens=1, costs=at_once).predicted
    pieces = Costs(HERE, head_unit=HEAD, prompt_rows=101, rows_per_step=10)
    piecewise = find_route(offers, HEAD, tokens=1, costs=pieces).predicted
    assert whole is not None
    assert piecewise is not None
    assert piecewise.prompt == pytest.approx(whole.prompt * 0.1 + whole.prompt / 2 * 0.9)


# ── the load ─────────────────────────────────────────────────────────────────


def test_chains_that_are_nearly_as_good_share_the_load() -> None:
    offers = [
        at("a", "0:10", 40.0),
        at("b", "0:10", 41.0),
        at("c", "0:10", 60.0),
        at("d", "0:10", 40.0),
    ]
    routes = find_routes(offers, HEAD, tokens=1, costs=Costs(HERE))
    assert [names(route) for _, route in routes] == [["a"], ["d"], ["b"], ["c"]]
    drawn = [names(spread(routes, number / 1000))[0] for number in range(1000)]
    assert set(drawn) == {"a", "b", "d"}
    assert drawn[0] == "a"
    assert drawn.count("a") == drawn.count("d") > drawn.count("b") > 250


def test_further_chains_are_of_other_computers_where_there_are_any() -> None:
    offers = [at("only", "0:5", 0.0), at("a", "5:10", 0.0), at("b", "5:10", 50.0)]
    routes = find_routes(offers, HEAD, tokens=1, costs=Costs(HERE))
    assert [names(route) for _, route in routes] == [["only", "a"], ["only", "b"]]


def test_who_announced_twice_stands_in_a_chain_once() -> None:
    offers = [offer("a", "0:5"), offer("a", "5:10"), offer("b", "5:10")]
    with pytest.raises(NotServed):
        find_route(offers, HEAD, tokens=1, may_run_ends=False)


def test_a_thousand_offers_are_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(1)
    offers = []
    for number in range(1000):
        start = 3 * chance.randrange(11)
        span = Span(start, min(34, start + 3 * chance.randrange(1, 5)))
        x, y, z = (chance.gauss(0.0, 40.0) for _ in range(3))
        where = Place(x, y, z, chance.uniform(1.0, 20.0), 0.1)
        name = PeerId(number.to_bytes(32, "big"))
        offers.append(Offer(name, (), span, chance.uniform(20.0, 200.0), 2000, place=where))
    looked_at: list[int] = []
    between = Ways.between

    def counting(ways: Ways, ones: Numbers, others: Numbers) -> tuple[Floats, Floats]:
        looked_at.append(len(ones) * len(others))
        return between(ways, ones, others)

    monkeypatch.setattr(Ways, "between", counting)
    routes = find_routes(offers, 33, tokens=1, costs=Costs(HERE, head_unit=33))
    assert len(routes) == MOST_ROUTES
    # Each way between two computers is a few sums of numbers, many at a time. From here to each
    # and back; and at twelve boundaries from the best who arrive, of four lengths, to the best
    # who go on.
    assert sum(looked_at) <= 2 * len(offers) + 12 * (4 * MOST_PER_SPAN) ** 2
    assert len(looked_at) < 50


# ── against every chain there is ─────────────────────────────────────────────

SPANS = st.tuples(st.integers(0, 5), st.integers(1, 3)).map(lambda s: Span(s[0], min(6, sum(s))))
OFFERS = st.lists(
    st.tuples(
        SPANS,
        st.sampled_from([10.0, 20.0, 50.0]),
        st.sampled_from([10, 100]),
        st.sampled_from([None, -60.0, -10.0, 5.0, 80.0]),
    ),
    max_size=6,
).map(
    lambda made: [
        Offer(peer(str(index)), (), span, speed, room, place=None if x is None else place(x))
        for index, (span, speed, room, x) in enumerate(made)
    ]
)


def way_cost(costs: Costs, one: Offer | None, other: Offer | None) -> float:
    zero, one_ = np.array([0]), np.array([1])
    return float(costs.of_ways(Ways(costs.whereabouts, [one, other]), zero, one_)[0, 0])


def row_cost(row: Sequence[Offer], costs: Costs, start: int) -> tuple[int, float]:
    """Where a row of computers leads from `start`, and what it costs; (-1, 0) if nowhere."""
    reached, cost, previous = start, 0.0, None
    for one in row:
        enters = one.span.start == reached or (reached == 1 and one.span.start == 0)
        if not enters or one.span.stop <= reached:
            return -1, 0.0
        cost += costs.of_host(one, Span(reached, one.span.stop)) + way_cost(costs, previous, one)
        reached, previous = one.span.stop, one
    return reached, cost + way_cost(costs, previous, None)


def by_brute_force(
    offers: Sequence[Offer], head: int, tokens: int, costs: Costs, *, ends: bool
) -> tuple[float, bool, bool] | None:
    """Try every row of computers: cost, own embedding, own head of the best."""
    choices = (
        [(False, False), (True, False), (False, True), (True, True)] if ends else [(False,) * 2]
    )
    roomy = [one for one in offers if one.tokens_free >= tokens]
    for own_embedding, own_head in choices:
        start, stop = (1 if own_embedding else 0), head + (0 if own_head else 1)
        found = [
            cost
            for count in range(1, len(roomy) + 1)
            for row in itertools.permutations(roomy, count)
            for reached, cost in [row_cost(row, costs, start)]
            if reached == stop
        ]
        if found:
            return (min(found), own_embedding, own_head)
    return None


@settings(deadline=None, max_examples=50)
@given(OFFERS, st.sampled_from([10, 100]), st.booleans())
def test_no_chain_is_better(offers: list[Offer], tokens: int, ends: bool) -> None:
    costs = Costs(HERE, head_unit=5, prompt_rows=20, row_bytes=1000)
    wanted = by_brute_force(offers, 5, tokens, costs, ends=ends)
    try:
        routes = find_routes(offers, 5, tokens=tokens, may_run_ends=ends, costs=costs)
    except NotServed as none:
        assert wanted is None
        served = {unit for one in offers for unit in range(one.span.start, one.span.stop)}
        own = {0, 5} if ends else set()
        missing = tuple(unit for unit in range(6) if unit not in served | own)
        if missing:
            assert none.missing == missing
        return
    assert wanted is not None
    cost, route = routes[0]
    assert (route.own_embedding, route.own_head) == wanted[1:]
    assert cost == pytest.approx(wanted[0])
    assert [cost for cost, _ in routes] == sorted(cost for cost, _ in routes)
    for _, route in routes:
        assert len({link.offer.peer for link in route.links}) == len(route.links)
        assert all(link.offer.tokens_free >= tokens for link in route.links)
        assert all(link.offer.span.covers(link.span) for link in route.links)
        for link, following in itertools.pairwise(route.links):
            assert link.span.stop == following.span.start
