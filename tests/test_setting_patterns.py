"""What texts among the settings may look like; see app/setting_patterns.py."""

from __future__ import annotations

import re

import pytest

from app.setting_patterns import BOOTSTRAP, HOST_AND_PORT, SCHEDULE


@pytest.mark.parametrize("text", ["127.0.0.1:0", "[::1]:65535", "a-host.example:8423"])
def test_an_address_has_a_port_that_there_is(text: str) -> None:
    assert re.match(HOST_AND_PORT, text)
    assert re.match(BOOTSTRAP, f"{'a' * 52}@{text}")
    assert not re.match(BOOTSTRAP, f"{'a' * 51}@{text}")


@pytest.mark.parametrize("text", ["127.0.0.1", "host:65536", "host:-1", "a host:80", ""])
def test_anything_else_is_no_address(text: str) -> None:
    assert not re.match(HOST_AND_PORT, text)


def test_hours_of_days_are_a_schedule() -> None:
    for text in ("", "never", "mon-fri 18-24", "sat,sun 0-24; mon 8-12,14-18"):
        assert re.match(SCHEDULE, text), text
    for text in ("always", "mon", "mon 25-26", "someday 8-12"):
        assert not re.match(SCHEDULE, text), text
