"""What a computer should serve; see app/swarm/placement.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import PeerId, Span, parse_span
from app.swarm.coverage import replicas
from app.swarm.layout import Layout
from app.swarm.placement import Own, Placement, Server, may_leave, place

TEN = Layout([10] * 10)
ME = PeerId(b"m" * 32)


def peer(name: str) -> PeerId:
    return PeerId(name.encode().ljust(32, b"."))


def server(name: str, span: str, speed: float = 8.0, **more: object) -> Server:
    """A computer that does so many blocks a second."""
    units = parse_span(span)
    rate = speed / TEN.work(units)
    return replace(Server(peer(name), units, rate), **more)  # type: ignore[arg-type]


def me(units: int, current: str | None = None, **more: object) -> Own:
    """This computer, with room for so many units."""
    own = Own(ME, 10 * units, 8.0, current=None if current is None else parse_span(current))
    return replace(own, **more)  # type: ignore[arg-type]


def chosen(own: Own, *servers: Server, draw: float = 0.0) -> str | None:
    found = place(TEN, servers, own, draw=draw)
    return None if found is None else str(found.span)


def moved(own: Own, *servers: Server, draw: float = 0.0) -> Placement | None:
    return place(TEN, servers, own, draw=draw)


# ── where nobody is needed less ──────────────────────────────────────────────


def test_who_has_room_for_all_serves_all() -> None:
    assert chosen(me(10)) == "0:10"
    assert chosen(me(12), server("a", "0:5")) == "0:10"


def test_a_gap_is_closed_exactly() -> None:
    assert chosen(me(2), server("a", "0:3"), server("b", "5:10")) == "3:5"


def test_the_next_go_on_where_the_first_ends() -> None:
    assert chosen(me(4), server("a", "0:4")) in ("4:8", "6:10")
    assert chosen(me(4), server("a", "0:4"), server("b", "4:8")) == "8:10"


def test_three_whose_room_just_suffices_make_a_whole_model() -> None:
    for draw in (0.0, 0.3, 0.6, 0.99):
        servers: list[Server] = []
        for name in "abc":
            found = place(TEN, servers, Own(peer(name), 40, 8.0), draw=draw)
            assert found is not None
            servers.append(server(name, str(found.span)))
        assert min(replicas([each.span for each in servers], 10)) >= 1


def test_what_is_served_once_is_served_twice_before_anything_gets_faster() -> None:
    servers = [server("a", "0:5", 0.1), server("b", "0:5", 0.1), server("c", "5:10", 900.0)]
    assert chosen(me(5), *servers) == "5:10"


def test_then_the_slowest_part_gets_help() -> None:
    servers = [server(name, "0:5", 4.0) for name in "ab"]
    servers += [server(name, "5:10", 20.0) for name in "cd"]
    assert chosen(me(5), *servers) == "0:5"


def test_who_is_on_the_way_counts_so_that_not_all_come() -> None:
    servers = [server("a", "0:5"), server("b", "0:5", ready=False), server("c", "5:10")]
    assert chosen(me(5), *servers) == "5:10"
    leaving = [server("a", "0:5"), server("b", "0:5", moves_to=Span(5, 10)), server("c", "5:10")]
    assert chosen(me(5), *leaving) == "0:5"


def test_who_only_helps_out_for_a_while_changes_nothing() -> None:
    servers = [server("a", "0:5"), server("b", "5:10"), server("c", "5:10", besides=True)]
    servers += [server("d", "0:5")]
    assert chosen(me(5), *servers) == "5:10"


def test_boundaries_that_others_use_are_better_than_own_ones() -> None:
    servers = [server(name, "0:3") for name in "ab"]
    servers += [server(name, "3:10", 80.0) for name in "cd"]
    assert chosen(me(5), *servers) == "0:3"


def test_a_part_whose_places_are_all_taken_gets_help() -> None:
    servers = [server(name, "0:5", load=1.0) for name in "ab"]
    servers += [server(name, "5:10") for name in "cd"]
    assert chosen(me(5), *servers) == "0:5"


def test_small_computers_begin_new_boundaries_and_join_them() -> None:
    servers = [
        server(f"{name}{n}", span) for name, span in (("a", "0:5"), ("b", "5:10")) for n in "12"
    ]
    first = place(TEN, servers, me(3), draw=0.0)
    assert first is not None
    servers.append(server("small", str(first.span)))
    second = place(TEN, servers, replace(me(3), peer=peer("z")), draw=0.0)
    assert second is not None
    both = sorted((first.span, second.span))
    assert both[0].stop == both[1].start
    assert Span(both[0].start, both[1].stop) in (Span(0, 5), Span(5, 10))


def test_where_not_even_one_unit_fits_there_is_no_place() -> None:
    assert place(TEN, [], Own(ME, 9, 8.0), draw=0.0) is None


def test_an_unbelievable_speed_keeps_nobody_away() -> None:
    servers = [server("a", "0:5", 1e12), server("b", "0:5"), server("c", "5:10", 9.0)]
    servers += [server("d", "5:10", 9.0)]
    found = place(TEN, servers, me(5), draw=0.0)
    assert found is not None
    assert found.span in (Span(5, 10), Span(0, 5))


# ── moving ───────────────────────────────────────────────────────────────────


def test_who_is_needed_where_it_is_stays() -> None:
    assert moved(me(5, "0:5"), server("a", "5:10"), server("b", "5:10")) is None


def test_a_unit_that_only_this_computer_serves_keeps_it() -> None:
    servers = [server("a", "1:5"), server("b", "1:5"), server("c", "1:5")]
    # 5:10 lacks everybody, but unit 0 would be left alone.
    assert moved(me(5, "0:5"), *servers) is None
    found = moved(me(5, "0:5"), *servers, server("d", "0:1"))
    assert found is not None
    assert (found.span, found.reason) == (Span(5, 10), "nobody")


def test_a_place_served_by_three_is_left_for_one_served_by_one() -> None:
    servers = [server("a", "0:5"), server("b", "0:5"), server("c", "5:10")]
    found = moved(me(5, "0:5", held={5, 6}), *servers)
    assert found is not None
    assert (found.span, found.reason, found.missing_bytes) == (Span(5, 10), "twice", 30)


def test_a_slow_part_is_worth_moving_to_and_a_slightly_slower_one_is_not() -> None:
    def swarm(there: float) -> list[Server]:
        here = [server(name, "0:5", 8.0) for name in "abc"]
        return here + [server(name, "5:10", there) for name in "xyz"]

    found = moved(me(5, "0:5"), *swarm(4.0))
    assert found is not None
    assert (found.span, found.reason) == (Span(5, 10), "faster")
    assert found.gain > 1.5
    assert moved(me(5, "0:5"), *swarm(10.0)) is None


def test_many_bytes_over_a_slow_line_are_not_worth_it() -> None:
    servers = [server(name, "0:5", 8.0) for name in "abc"]
    servers += [server(name, "5:10", 4.0) for name in "xyz"]
    near = me(5, "0:5", held=set(range(10)))
    assert moved(near, *servers) is not None
    assert moved(replace(near, held=(), line_bytes_per_second=0.001), *servers) is None
    assert moved(replace(near, sessions=9000), *servers) is None


def test_of_many_who_could_help_only_some_act() -> None:
    servers = [server(f"a{n}", "0:5") for n in range(159)] + [server("c", "5:10")]
    acting = [moved(me(5, "0:5"), *servers, draw=draw / 100) is not None for draw in range(100)]
    assert sum(acting) == 25


def test_who_serves_the_whole_stays() -> None:
    assert moved(me(10, "0:10"), *(server(name, "0:5") for name in "abcd")) is None
    crowd = [server(name, "0:5", 80.0) for name in "abcd"] + [server(name, "5:10") for name in "xy"]
    assert moved(me(10, "0:10"), *crowd) is None


def test_after_a_move_nobody_moves_back() -> None:
    servers = [server(name, "0:5") for name in "abc"] + [server(name, "5:10") for name in "xy"]
    found = moved(me(5, "0:5"), *servers)
    assert found is not None
    assert moved(me(5, str(found.span)), *servers) is None


# ── leaving ──────────────────────────────────────────────────────────────────


def test_units_are_left_when_somebody_ready_stays() -> None:
    old, new = Span(0, 5), Span(5, 10)
    assert may_leave([server("a", "0:5")], ME, old, new)
    assert not may_leave([server("a", "0:4")], ME, old, new)
    assert not may_leave([server("a", "0:5", ready=False)], ME, old, new)
    assert not may_leave([server("a", "0:5", besides=True)], ME, old, new)
    assert may_leave([server("a", "0:4")], ME, old, Span(4, 9))


def test_of_two_who_want_to_leave_the_same_units_one_may() -> None:
    low, high = peer("a"), peer("b")
    old, new = Span(0, 5), Span(5, 10)
    asked = {
        one: may_leave([Server(other, old, 1.0, moves_to=new)], one, old, new)
        for one, other in ((low, high), (high, low))
    }
    assert sorted(asked.values()) == [False, True]
    assert asked[high]


# ── standing by ──────────────────────────────────────────────────────────────


# ── whatever strangers announce ──────────────────────────────────────────────

numbers = st.floats(0, 1e9)
strangers = st.builds(
    lambda start, length, rate, load, ready, goal: Server(
        PeerId(bytes([start % 250, length, int(load * 9), 7]) * 8),
        Span(start, start + length),
        rate,
        load,
        ready,
        None if goal is None else Span(goal, goal + length),
    ),
    st.integers(0, 4000),
    st.integers(1, 90),
    numbers,
    st.floats(0, 1),
    st.booleans(),
    st.none() | st.integers(0, 3000),
)
near_strangers = st.builds(
    lambda name, ends, rate: Server(PeerId(name), Span(min(ends), max(ends)), rate),
    st.binary(min_size=32, max_size=32),
    st.sets(st.integers(0, 12), min_size=2, max_size=2),
    numbers,
)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(1, 30), min_size=3, max_size=12),
    st.lists(strangers | near_strangers, max_size=10),
    st.integers(0, 90),
    st.none() | st.sets(st.integers(0, 12), min_size=2, max_size=2),
    st.floats(0, 0.999),
)
def test_what_is_decided_always_fits_and_opens_no_hole(
    sizes: list[int], servers: list[Server], room: int, ends: set[int] | None, draw: float
) -> None:
    layout = Layout(sizes)
    current = None
    if ends is not None and max(ends) <= len(sizes):
        current = Span(min(ends), max(ends))
    found = place(layout, servers, Own(ME, room, 8.0, current=current), draw=draw)
    if found is None:
        assert current is not None or room < max(sizes)
        return
    assert found.span.stop <= len(sizes)
    assert layout.memory(found.span) <= room
    if current is not None:
        assert found.span != current
        assert may_leave(
            [each for each in servers if each.goal.stop <= len(sizes)], ME, current, found.span
        )


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_the_same_view_and_draw_give_the_same_decision(draw: float) -> None:
    servers = [server("a", "0:5"), server("b", "2:7"), server("c", "7:10")]
    assert place(TEN, servers, me(4), draw=draw) == place(TEN, servers, me(4), draw=draw)
