"""potluck status: what it gathers, and that nobody else's words steer the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.folder.tally import SERVED_FILE
from app.ids import ModelId, PeerId, Span, peer_text
from app.net.addresses import parse_bootstrap
from app.net.identity import new_identity
from app.net.records import Announcement
from tests.command_line.conftest import Told

NOBODY = f"{peer_text(new_identity().peer_id)}@127.0.0.1:9"


def announced(span: Span | None, *, model: bytes = bytes(32), name: str = "m") -> Announcement:
    """What some computer says of itself."""
    return Announcement(
        peer=PeerId(new_identity().peer_id),
        sequence=1,
        issued_at=1.0,
        expires_at=2.0,
        model=ModelId(model),
        model_name=name,
        span=span,
        layers_per_second=10.0,
        kv_tokens_free=100,
    )


@pytest.fixture
def swarm(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets bootstraps know this much."""

    def knows(*found: Announcement) -> None:
        async def lookup_all(bootstraps: Any, known: Any) -> list[Announcement]:
            return [*found]

        monkeypatch.setattr("app.command_line.status.lookup_all", lookup_all)

    return knows


def test_nothing_running_and_nobody_known_is_told_plainly(told: Told, tmp_path: Path) -> None:
    code, output, errors = told("status")
    assert (code, errors) == (0, "")
    assert output.splitlines() == [
        f"no node runs in {tmp_path / 'data'}",
        "layers on disk: 0 MB of 20.0 GB",
        "to see who serves what, name a computer to ask with --bootstrap PEERID@HOST:PORT",
    ]


def test_whom_the_node_asks_is_asked_and_a_meeting_point_itself(
    told: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[object] = []

    async def lookup_all(bootstraps: Any, known: Any) -> list[Announcement]:
        asked.append(bootstraps)
        return [announced(Span(0, 2))]

    monkeypatch.setattr("app.command_line.status.lookup_all", lookup_all)
    (tmp_path / "data").mkdir(mode=0o700)
    own = new_identity().peer_id
    status: dict[str, Any] = {"listen": "x", "units": None, "public": True}
    status |= {
        "written_at": time.time(),
        "peer_id": peer_text(own),
        "addresses": ["127.0.0.1:4600", "198.51.100.7:4600"],
    }
    path = tmp_path / "data" / "node.json"
    path.write_text(json.dumps(status))
    assert "the input and layer 1" in told("status")[1]
    assert asked == [[(own, "127.0.0.1:4600")]]
    path.write_text(json.dumps({**status, "bootstraps": [NOBODY]}))
    assert "the input and layer 1" in told("status")[1]
    assert asked[1] == [parse_bootstrap(NOBODY)]
    for wrong in ({"peer_id": "x"}, {"addresses": ["x"]}, {"bootstraps": ["x"]}):
        path.write_text(json.dumps({**status, **wrong}))
        assert "name a computer to ask" in told("status")[1]


def test_that_nobody_serves_anything_is_told(told: Told, swarm: Callable[..., None]) -> None:
    swarm(announced(None))
    assert "nobody serves a model, as far as" in told("status", "--bootstrap", NOBODY)[1]


def test_who_serves_what_and_what_nobody_serves(told: Told, swarm: Callable[..., None]) -> None:
    swarm(announced(Span(0, 2)), announced(Span(0, 2)), announced(Span(3, 5)), announced(None))
    code, output, _ = told("status", "--json", "--bootstrap", NOBODY)
    assert code == 0
    report = json.loads(output)
    assert report["bootstraps"] == [NOBODY]
    (model,) = report["models"]
    assert model["replicas"] == [2, 2, 0, 1, 1]
    assert model["missing"] == [2]
    assert [host["units"] for host in model["hosts"]] == ["0:2", "0:2", "3:5"]
    _, output, _ = told("status", "--bootstrap", NOBODY)
    assert "m            3  nobody serves layer 2\n" in output
    assert "  2 computers  the input and layer 1\n  nobody       layer 2\n" in output
    assert "  1 computer   layers 3 to 4\n" in output


def test_what_this_computer_is_to_a_model_is_said(
    told: Told, swarm: Callable[..., None], tmp_path: Path
) -> None:
    told("status")  # makes the folder
    mine, other = announced(Span(0, 3)), announced(Span(0, 2))
    coming = msgspec.structs.replace(announced(Span(2, 5)), ready=False)
    status = {
        "listen": "1.2.3.4:5",
        "units": "0:3",
        "model": "m",
        "peer_id": peer_text(PeerId(mine.peer)),
        "written_at": time.time(),
    }
    (tmp_path / "data" / "node.json").write_text(json.dumps(status))
    for others, words, place in (
        ([], "some of which nobody else serves", "only"),
        ([other, announced(Span(2, 5))], "some of which only one other computer serves", "second"),
        ([announced(Span(0, 5)), other, announced(Span(2, 5))], "at least two others", "spare"),
    ):
        swarm(mine, coming, *others)
        _, output, _ = told("status", "--bootstrap", NOBODY)
        marked = [line for line in output.splitlines() if line.endswith("(this computer)")]
        assert marked == [
            f"  {peer_text(PeerId(mine.peer))[:8]}  the input and layers 1 to 2 (this computer)"
        ]
        assert "; 1 more on its way " in " ".join(output.split())
        told_place = " ".join(output[output.index("  this computer: ") :].split())
        assert told_place.startswith("this computer: the input and layers 1 to 2, ")
        assert words in told_place
        assert "  layers 2 to 4 (on its way)\n" in output
        _, output, _ = told("status", "--json", "--bootstrap", NOBODY)
        (model,) = json.loads(output)["models"]
        assert (model["my_units"], model["my_place"]) == ("0:3", place)
        assert (model["computers"], model["coming"]) == (1 + len(others), 1)


def test_parts_that_do_not_meet_are_no_chain(told: Told, swarm: Callable[..., None]) -> None:
    swarm(announced(Span(0, 4)), announced(Span(3, 6)))
    _, output, _ = told("status", "--bootstrap", NOBODY)
    assert "m            2  every layer is served, but the parts do not meet\n" in output


def test_replaced_helpers_are_counted(told: Told, tmp_path: Path) -> None:
    told("status")
    kept = tmp_path / "data" / SERVED_FILE
    kept.write_text('{"day": "2001-01-01", "repairs_today": 2, "repairs_ever": 7}')
    assert "helpers replaced in your chats: 0 today, 7 ever\n" in told("status")[1]
    assert json.loads(told("status", "--json")[1])["repairs"] == {"today": 0, "ever": 7}
    kept.write_text("[")
    assert json.loads(told("status", "--json")[1])["repairs"] is None
    assert kept.read_text() == "["


def test_models_of_several_computers_are_told_apart(told: Told, swarm: Callable[..., None]) -> None:
    swarm(announced(Span(0, 2)), announced(Span(0, 2), model=bytes(31) + b"\1", name="n"))
    _, output, _ = told("status", "--json", "--bootstrap", NOBODY)
    assert [model["name"] for model in json.loads(output)["models"]] == ["m", "n"]


def test_a_strangers_name_for_a_model_cannot_steer_the_terminal(
    told: Told, swarm: Callable[..., None]
) -> None:
    swarm(announced(Span(0, 2), name="\x1b[2Jm"))
    _, output, _ = told("status", "--bootstrap", NOBODY)
    assert "\x1b" not in output
    assert "[2Jm        1  every layer is served" in output


def test_bootstraps_that_are_away_are_part_of_the_status(told: Told) -> None:
    code, output, errors = told("status", "--bootstrap", NOBODY)
    assert (code, errors) == (0, "")
    assert "no bootstrap answers" in output
    _, output, _ = told("status", "--json", "--bootstrap", NOBODY)
    assert "no bootstrap answers" in json.loads(output)["bootstrap_error"]


@pytest.mark.parametrize(
    ("age_seconds", "written", "words"),
    [
        (0, {"units": None}, "a node runs at 1.2.3.4:5 and serves no layers"),
        (1, {"units": "0:2"}, "sharing layer 1 of m\n  at 1.2.3.4:5\n  1 conversation now, 9 ever"),
        (3600, {"units": "0:2"}, "no node runs in "),
        (-3600, {"units": "0:2"}, "no node runs in "),
    ],
)
def test_what_a_node_wrote_counts_while_it_is_fresh(
    told: Told, tmp_path: Path, age_seconds: float, written: dict[str, Any], words: str
) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    status = {
        "listen": "1.2.3.4:5",
        "model": "m",
        "layers": "layer 1",
        "sessions": 1,
        "sessions_ever": 9,
        **written,
    }
    status["written_at"] = time.time() - age_seconds
    (tmp_path / "data" / "node.json").write_text(json.dumps(status))
    assert told("status")[1].startswith(words)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"written_at": "x"}', '{"written_at": NOW}', "\0"),
        '{"written_at": NOW, "listen": "x", "units": [1]}',
        '{"written_at": NOW, "listen": "x", "units": "0:2", "model": 5}',
        '{"written_at": NOW, "listen": "x", "units": "0:2", "sessions": null}',
        '{"written_at": NOW, "listen": "x", "units": null, "addresses": [1]}',
        '{"written_at": 1e999, "listen": "x", "units": null}',
        "[" * 100_000,
        " " * (2 << 20),
    ],
)
def test_a_status_that_is_damaged_counts_as_none(told: Told, tmp_path: Path, text: str) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "node.json").write_text(text.replace("NOW", str(time.time())))
    code, output, _ = told("status")
    assert (code, output.startswith("no node runs")) == (0, True)


def test_what_is_left_out_of_a_status_is_no_mistake(told: Told, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    status = {"listen": "x", "units": "0:1", "written_at": time.time()}
    (tmp_path / "data" / "node.json").write_text(json.dumps(status))
    code, output, _ = told("status")
    assert (code, output.splitlines()[0]) == (
        0,
        "a node runs at x and serves no layers yet",
    )


def test_what_a_node_stands_by_for_is_part_of_the_status(told: Told, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    status = {"listen": "x", "units": "0:1", "written_at": time.time(), "beside": "Also\x1b[2J m"}
    (tmp_path / "data" / "node.json").write_text(json.dumps(status))
    code, output, _ = told("status")
    assert code == 0
    line = output.splitlines()[1]
    assert line.startswith("  Also")
    assert "\x1b" not in line


def test_why_a_node_serves_nothing_is_part_of_the_status(told: Told, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    line = "Paused by you (until 15:40)"
    for state, units, seen in (("paused", None, True), ("sharing", "0:1", False)):
        status = {"listen": "x", "units": units, "written_at": time.time()}
        status |= {"state": state, "headline": line}
        (tmp_path / "data" / "node.json").write_text(json.dumps(status))
        assert (f"  {line}" in told("status")[1].splitlines()) == seen


def test_a_status_cannot_steer_the_terminal(told: Told, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    evil = "\x1b[31mEVIL\x1b]0;t\x07\nno node"
    status = {"listen": evil, "units": evil, "model": evil, "written_at": time.time()}
    status |= {"state": "paused", "headline": evil, "peer_id": evil, "layers": evil}
    status |= {"public": True, "addresses": [evil], "beside": evil, "started_at": 1e300}
    (tmp_path / "data" / "node.json").write_text(json.dumps(status))
    code, output, _ = told("status")
    assert code == 0
    assert "\x1b" not in output
    assert "\x07" not in output
    assert output.splitlines()[-2].startswith("layers on disk")


def test_a_meeting_point_tells_how_others_name_it_and_what_it_keeps(
    told: Told, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    started_at = time.time() - 7 * 86400
    status: dict[str, Any] = {"listen": "0.0.0.0:4600", "units": None, "state": "idle"}
    status |= {"headline": "Not sharing", "peer_id": "abc", "started_at": started_at}
    status |= {"written_at": time.time()}
    status |= {"public": True, "records_kept": 1234, "records_of": 1, "connections": [{}, {}]}
    path = tmp_path / "data" / "node.json"
    path.write_text(
        json.dumps({**status, "addresses": ["198.51.100.7:4600", "[2001:db8::1]:4600"]})
    )
    lines = told("status")[1].splitlines()
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(started_at))
    assert lines[0] == f"a node runs at 0.0.0.0:4600 since {began} and serves no layers"
    assert lines[1:3] == [
        "  a public meeting point: here others learn who serves what",
        "  keeps 1,234 records of 1 computer; 2 computers connected now",
    ]
    assert lines[4:6] == ["  abc@198.51.100.7:4600", "  abc@[2001:db8::1]:4600"]
    assert lines[6].startswith("layers on disk")
    path.write_text(json.dumps(status))
    assert "  nobody can come yet: " in told("status")[1]
