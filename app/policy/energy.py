"""Energy from readings of power, where a graphics card has no meter of its own.

Pure: the time is an argument, in seconds that never go back. The counterpart that reads is
`app/policy/power.py`; the duty cycle that is charged with the energy, `app/policy/duty.py`.
"""

from __future__ import annotations


class EnergyMeter:
    """Adds readings of power up by the trapezoid rule.

    Between two readings the power is taken for the straight line through both, and since
    the last one for what it was. One thread may add while another asks.
    """

    def __init__(self) -> None:
        # One tuple, so that whoever asks sees all of a reading or nothing of it.
        self._state: tuple[float, float, float] | None = None

    def add(self, watts: float, at: float) -> None:
        """A reading; one from before the last is ignored."""
        if self._state is None:
            self._state = (0.0, watts, at)
            return
        joules, last_watts, last_at = self._state
        if at > last_at:
            self._state = (joules + (at - last_at) * (watts + last_watts) / 2, watts, at)

    def joules(self, now: float) -> float | None:
        """Energy since the first reading; None before it. May go back a little when a reading
        shows that less was drawn than was taken for granted."""
        if self._state is None:
            return None
        joules, watts, at = self._state
        return joules + max(0.0, now - at) * watts
