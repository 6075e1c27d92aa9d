"""The words that the node's rules and its API share: why it rests, what rests, which caps.

Rules (`app/policy`) and API (`app/api/shapes.py`) do not see each other; what both say is
declared here, once. How it is told to people stands in `app/wordings.py`.
"""

from __future__ import annotations

from typing import Literal

PauseReason = Literal[
    "",
    "no_consent",
    "manual",
    "battery",
    "metered",
    "other_program",
    "full_screen",
    "temperature",
    "schedule",
    "program_list",
    "budget",
    "limits",
    "disk",
    "no_model",
    "problem",
]
"""Why sharing rests; "" when it does not. "no_model" and "problem" are the node's own."""

Part = Literal["all", "gpu", "cpu"]
"""What is paused or resumed by hand: everything, the graphics card or the processor."""

LimitName = Literal["cpu", "gpu", "power", "upload", "download", "month", "disk"]
"""The caps that may be in force."""
