"""Graphics cards of NVIDIA: heat, power drawn, and the power limit set in the driver.

Setting a limit needs administrator rights; without them the caller keeps the cap by
resting (`app/policy/pacing.py`). What the limit was before is written down, so that it
is restored at the end, and after a crash at the next start.

Energy comes from a card's own counter; where it has none, from readings of its power
(`app/policy/energy.py`), for which somebody has to call `sample` often.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import pynvml

from app.clock import Clock, SystemClock
from app.policy.energy import EnergyMeter
from app.small_files import read_small

logger = logging.getLogger(__name__)

LIMITS_FILE: Final = "power-limits.json"
MAX_FILE_BYTES: Final = 16 * 1024
MAX_CARDS: Final = 64
STUCK_SECONDS: Final = 2.0
"""A counter that stands still so long on a card that draws power does not count."""
SILENT_SECONDS: Final = 60.0
"""A card that did not tell its power is not believed to for so long: layers that are loaded
anew each time it does and does not would be worse than a card that rests."""

SAMPLE_SECONDS: Final = (0.05, 0.15)
"""Between two samples at least and at most, drawn anew each time: batches come in step, and
samples in step with them would see only the work or only the rests."""

Metering = Literal["counter", "readings", ""]
"""How the energy of the cards is known; "" when it is not."""


class Card(msgspec.Struct, frozen=True):
    """One card's reading; None where it does not tell."""

    celsius: float | None
    watts: float | None


class Cards:
    """The cards of this computer, as long as the driver is open.

    Every call may take some milliseconds and belongs off the event loop, `joules` and
    `metering` excepted.

    Args:
        folder: the data folder.
        nvml: NVIDIA's management library; tests hand in their own.
    """

    def __init__(self, folder: Path, *, nvml: Any = pynvml, clock: Clock | None = None) -> None:
        self._path = folder / LIMITS_FILE
        self._nvml = nvml
        self._clock = clock or SystemClock()
        self._metering: dict[str, Metering] = {}
        self._counted: dict[str, tuple[float, float]] = {}
        self._silent_at: dict[str, float] = {}
        self._meters: dict[str, EnergyMeter] = {}
        self._handles: dict[str, Any] = {}
        self._open = False

    def open(self) -> None:
        """Look for cards; none without NVIDIA's driver. Restores what a crash left."""
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError:
            return
        self._open = True
        try:
            for index in range(min(self._nvml.nvmlDeviceGetCount(), MAX_CARDS)):
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                self._handles[_text(self._nvml.nvmlDeviceGetUUID(handle))] = handle
        except self._nvml.NVMLError as error:
            logger.info("graphics cards are not all readable: %s", error)
        self.read()
        self.restore()

    def close(self) -> None:
        """Restore the limits and let the driver go. A second call does nothing."""
        if self._open:
            self.restore()
            self._open = False
            self._handles.clear()
            try:
                self._nvml.nvmlShutdown()
            except self._nvml.NVMLError as error:
                logger.info("the driver does not close: %s", error)

    def __len__(self) -> int:
        return len(self._handles)

    def read(self) -> list[Card]:
        """Heat and power of each card; learns on the way how each one's energy is known."""
        kind = getattr(self._nvml, "NVML_TEMPERATURE_GPU", 0)
        cards = []
        for uuid, handle in self._handles.items():
            watts = self._watts(handle)
            self._metering[uuid] = self._metered_by(uuid, handle, watts)
            celsius = self._asked(self._nvml.nvmlDeviceGetTemperature, handle, kind)
            cards.append(Card(celsius, watts))
        return cards

    # ── energy ───────────────────────────────────────────────────────────────

    @property
    def metering(self) -> Metering:
        """How the energy of all cards together is known; "readings" wants `sample` called."""
        if not self._handles:
            return ""
        ways = {self._metering.get(uuid, "") for uuid in self._handles}
        if "" in ways:
            return ""
        return "readings" if "readings" in ways else "counter"

    def sample(self) -> None:
        """Read the power of the cards that have no counter."""
        for uuid, handle in self._handles.items():
            if self._metering.get(uuid) == "readings":
                watts = self._watts(handle)
                if watts is None:
                    self._silent_at[uuid] = self._clock.monotonic()
                    self._metering[uuid] = ""
                else:
                    meter = self._meters.setdefault(uuid, EnergyMeter())
                    meter.add(watts, self._clock.monotonic())

    def forget_samples(self) -> None:
        """`sample` is not called for a while: begin anew when it is."""
        self._meters.clear()

    def joules(self) -> float | None:
        """Energy drawn since some moment, all cards together; None if one is silent."""
        if not self._handles:
            return None
        total = 0.0
        for uuid, handle in self._handles.items():
            joules = self._joules(uuid, handle)
            if joules is None:
                return None
            total += joules
        return total

    def _joules(self, uuid: str, handle: Any) -> float | None:
        way = self._metering.get(uuid, "")
        if way == "counter":
            return self._counter(handle)
        meter = self._meters.get(uuid)
        return None if way == "" or meter is None else meter.joules(self._clock.monotonic())

    def _metered_by(self, uuid: str, handle: Any, watts: float | None) -> Metering:
        now, joules = self._clock.monotonic(), self._counter(handle)
        if joules is not None and not self._is_stuck(uuid, joules, watts, now):
            return "counter"
        if watts is None:
            self._silent_at[uuid] = now
        silent_at = self._silent_at.get(uuid)
        return "" if silent_at is not None and now - silent_at < SILENT_SECONDS else "readings"

    def _is_stuck(self, uuid: str, joules: float, watts: float | None, now: float) -> bool:
        """Whether the counter stands still though the card draws power."""
        counted = self._counted.get(uuid)
        if counted is None or counted[0] != joules or not watts:
            self._counted[uuid] = (joules, now)
            return False
        return now - counted[1] >= STUCK_SECONDS

    def _counter(self, handle: Any) -> float | None:
        return _scaled(self._asked(self._nvml.nvmlDeviceGetTotalEnergyConsumption, handle), 1000.0)

    def _watts(self, handle: Any) -> float | None:
        return _scaled(self._asked(self._nvml.nvmlDeviceGetPowerUsage, handle), 1000.0)

    # ── the limit in the driver ──────────────────────────────────────────────

    def limit(self, watts: float | None) -> bool:
        """Set the limit of all cards together, or restore it; whether the driver holds it now.

        Each card gets an equal share. A share below what a card can be set to is not
        held by its driver, and one above what is set already needs no setting.
        """
        if watts is None:
            self.restore()
            return False
        if not self._handles:
            return False
        share = int(1000 * watts / len(self._handles))
        held = [self._limit_card(uuid, handle, share) for uuid, handle in self._handles.items()]
        if not all(held):
            self.restore()
        return all(held)

    def restore(self) -> None:
        """Set every limit that was changed back to what it was."""
        before = self._before()
        left = dict(before)
        for uuid, milliwatts in before.items():
            handle = self._handles.get(uuid)
            if handle is not None and self._set(handle, milliwatts):
                del left[uuid]
        if left != before:
            self._keep(left)

    def _limit_card(self, uuid: str, handle: Any, milliwatts: int) -> bool:
        now = self._asked(self._nvml.nvmlDeviceGetPowerManagementLimit, handle)
        if now is None:
            return False
        before = self._before()
        normal = before.get(uuid, int(now))
        if normal <= milliwatts and uuid not in before:
            return True
        if not self._keep({**before, uuid: normal}):
            return False  # what cannot be restored after a crash is not changed
        if self._set(handle, min(milliwatts, normal)):
            return True
        if uuid not in before:
            self._keep(before)
        return False

    def _set(self, handle: Any, milliwatts: int) -> bool:
        try:
            self._nvml.nvmlDeviceSetPowerManagementLimit(handle, milliwatts)
        except self._nvml.NVMLError as error:
            logger.info("the driver does not take a power limit: %s", error)
            return False
        return True

    def _before(self) -> dict[str, int]:
        """The limits as they were before they were changed, by card."""
        try:
            return msgspec.json.decode(read_small(self._path, MAX_FILE_BYTES), type=dict[str, int])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            logger.warning("%s is damaged: %s", self._path, error)
            return {}

    def _keep(self, limits: dict[str, int]) -> bool:
        try:
            if limits:
                self._path.write_bytes(msgspec.json.encode(limits))
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._path, error.strerror)
            return False
        return True

    def _asked(self, question: Any, *arguments: Any) -> float | None:
        try:
            return float(question(*arguments))
        except self._nvml.NVMLError:
            return None  # this card does not tell, or has fallen off the bus


def _scaled(value: float | None, divisor: float) -> float | None:
    return None if value is None else value / divisor


def _text(value: str | bytes) -> str:
    """The library has answered in bytes in some versions."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
