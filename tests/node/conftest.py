"""What the tests of a node share."""

from __future__ import annotations

import pytest

from app.node import announcing, sharing


@pytest.fixture
def heard_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told to a directory that answers is told, however busy the computer is: nobody who
    waits for that goes on without."""
    monkeypatch.setattr(sharing, "FIRST_ANNOUNCE_SECONDS", 60.0)
    monkeypatch.setattr(announcing, "WITHDRAW_SECONDS", 60.0)
