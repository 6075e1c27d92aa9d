"""Where computers stand in the network, so that distances need not be measured pair by pair.

Counterpart: the same code on every other computer.
"""

from __future__ import annotations

import math

from app.net.wire import Place


def distance_seconds(one: Place, other: Place) -> float:
    """The estimated round trip between two places, in seconds; finite and never negative."""
    way = math.dist((one.x, one.y, one.z), (other.x, other.y, other.z))
    return (way + one.height + other.height) / 1000.0


def uncertainty_seconds(one: Place, other: Place) -> float:
    """By how much `distance_seconds` is off as often as not, in seconds."""
    error = max(one.error, other.error)
    return error * distance_seconds(one, other) + error * error * 0.1
