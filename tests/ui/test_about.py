"""The page about this program and this computer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.ui.about import AboutPage
from tests.helpers.fake_node_data import snapshot_at_rest


def test_it_tells_the_facts(qtbot) -> None:
    page = AboutPage(Path("/data"), "1.2.3")
    qtbot.addWidget(page)
    assert page.facts["uptime"].text() == "\u2013"
    page.show_snapshot(snapshot_at_rest())
    assert page.facts["folder"].text() == str(Path("/data"))
    assert page.facts["listen"].text() == "0.0.0.0:47110"
    assert page.facts["uptime"].text() == "2 hours 16 minutes"
    assert page.facts["identity"].text() == "the system's keyring"
    page.show_snapshot(msgspec.structs.replace(snapshot_at_rest(), listen=""))
    assert page.facts["listen"].text() == "\u2013"
