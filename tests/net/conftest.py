"""What the tests of this room share: patience with a computer that is busy with others."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def patient_dials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is there is waited for; who is not, a test gives up in its own time."""
    monkeypatch.setattr("app.net.dialling.DIAL_SECONDS", 60.0)
