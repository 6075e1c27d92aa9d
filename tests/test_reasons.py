"""The words that rules and API share are declared once, and both use these."""

from __future__ import annotations

from typing import get_args, get_type_hints

from app.api import shapes
from app.policy.limits import LimitState
from app.policy.verdict import Verdict
from app.reasons import LimitName, Part, PauseReason


def test_rules_and_api_mean_the_same_reasons() -> None:
    assert get_type_hints(Verdict)["reason"] is get_type_hints(shapes.Pause)["reason"]
    assert "" in get_args(PauseReason)


def test_rules_and_api_mean_the_same_limits_and_parts() -> None:
    assert get_type_hints(LimitState)["name"] is get_type_hints(shapes.LimitInForce)["name"]
    assert get_type_hints(shapes.PauseRequest)["what"] is Part
    assert get_type_hints(shapes.ResumeRequest)["what"] is Part
    assert "cpu" in get_args(LimitName)
