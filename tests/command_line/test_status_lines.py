"""How a status reads at 80 columns; see app/command_line/status_lines.py."""

from __future__ import annotations

from typing import Any

from app.command_line.columns import WIDTH
from app.command_line.status_lines import MOST_ROWS, status_lines


def model(name: str, replicas: list[int], *hosts: str, **more: Any) -> dict[str, Any]:
    """What a report has of one model; `units` None is one this computer does not know."""
    told = [
        {"peer_id": f"helper{n:02}" * 6, "units": units, "ready": True, "mine": False}
        for n, units in enumerate(hosts)
    ]
    found = {
        "name": name,
        "units": len(replicas),
        "replicas": replicas,
        "missing": [unit for unit, count in enumerate(replicas) if not count],
        "computers": len(hosts),
        "coming": 0,
        "joins": 0 not in replicas,
        "my_units": None,
        "my_place": "none",
        "hosts": told,
    }
    return {**found, **more}


def lines(*models: dict[str, Any]) -> list[str]:
    """A status of these models, with no node here, from the first model on."""
    report = {
        "node": None,
        "data_dir": "here",
        "disk": {"used_bytes": 0, "quota_bytes": 1},
        "bootstrap_error": "",
        "asked": True,
        "repairs": None,
        "models": models,
    }
    return "\n".join(status_lines(report)).splitlines()[3:]


def test_several_models_stand_under_each_other() -> None:
    told = lines(
        model("guide-7m-q8_0", [2] * 10, "0:10", "0:10"),
        model("a-model-with-quite-a-long-name-of-its-own", [1, 0, 0, 1], "0:1", "3:4"),
        model("tiny", [1] * 4, *["0:4"] * 12, coming=2),
    )
    assert told[:5] == [
        "MODEL                             HELPERS  STATE",
        "guide-7m-q8_0                           2  every layer is served by 2 or more",
        "a-model-with-quite-a-long-nam...        2  nobody serves layers 1 to 2",
        "tiny                                   12  every layer is served, some by one",
        "                                           computer only; 2 more on their way",
    ]
    assert max(map(len, told)) <= WIDTH


def test_whatever_a_model_lacks_is_told_at_80_columns() -> None:
    gaps = [unit % 2 for unit in range(82)]
    told = lines(model("n" * 300, gaps, *[f"{unit}:{unit + 1}" for unit in range(1, 82, 2)]))
    assert max(map(len, told)) <= WIDTH
    assert f"  and {len(gaps) - MOST_ROWS} more; --json tells all" in told
    assert f"  and {len(gaps) // 2 - MOST_ROWS} more; --json tells all" in told


def test_who_serves_what_is_told_in_layers() -> None:
    assert lines(model("m", [2, 2, 1, 1], "0:2", "0:4", my_units="0:2", my_place="second"))[3:] == [
        "m: how many serve what",
        "  2 computers  the input and layer 1",
        "  1 computer   layer 2 and the output",
        "m: who serves what",
        "  helper00  the input and layer 1",
        "  helper01  all 2 layers",
        "  this computer: the input and layer 1, some of which only one other computer",
        "  serves",
    ]


def test_what_nobody_serves_any_more_is_told_so() -> None:
    assert lines(model("m", [0, 0, 0]))[1] == "m            0  nobody serves it"


def test_of_an_unknown_model_the_last_unit_is_taken_for_a_layer() -> None:
    assert "  helper00  the input and layers 1 to 3" in lines(
        model("m", [1] * 4, "0:4", units=None)
    )
