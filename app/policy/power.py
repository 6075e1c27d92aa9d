"""Graphics cards of NVIDIA: heat, power drawn, and the power limit set in the driver.

Setting a limit needs administrator rights; without them the caller keeps the cap by
resting (`app/policy/pacing.py`). What the limit was before is written down, so that it
is restored at the end, and after a crash at the next start.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

import msgspec
import pynvml

logger = logging.getLogger(__name__)

LIMITS_FILE: Final = "power-limits.json"
MAX_FILE_BYTES: Final = 16 * 1024
MAX_CARDS: Final = 64


class Card(msgspec.Struct, frozen=True):
    """One card's reading; None where it does not tell."""

    celsius: float | None
    watts: float | None


class Cards:
    """The cards of this computer, as long as the driver is open.

    Every call may take some milliseconds and belongs off the event loop, `joules` excepted.

    Args:
        folder: the data folder.
        nvml: NVIDIA's management library; tests hand in their own.
    """

    def __init__(self, folder: Path, *, nvml: Any = pynvml) -> None:
        self._path = folder / LIMITS_FILE
        self._nvml = nvml
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
        """Heat and power of each card."""
        kind = getattr(self._nvml, "NVML_TEMPERATURE_GPU", 0)
        return [
            Card(
                celsius=self._asked(self._nvml.nvmlDeviceGetTemperature, handle, kind),
                watts=_scaled(self._asked(self._nvml.nvmlDeviceGetPowerUsage, handle), 1000.0),
            )
            for handle in self._handles.values()
        ]

    def joules(self) -> float | None:
        """Energy drawn since the driver was loaded, all cards together; None if one is silent."""
        if not self._handles:
            return None
        total = 0.0
        for handle in self._handles.values():
            millijoules = self._asked(self._nvml.nvmlDeviceGetTotalEnergyConsumption, handle)
            if millijoules is None:
                return None
            total += millijoules / 1000
        return total

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
            with self._path.open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES)
            return msgspec.json.decode(data, type=dict[str, int])
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
