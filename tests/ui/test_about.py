"""The page about this program and this computer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.ui import about
from app.ui.about import AboutPage, LicenceDialog, listens_on
from tests.helpers.fake_node_data import snapshot_at_rest


def test_it_tells_the_facts(qtbot) -> None:
    page = AboutPage(Path("/data"), "1.2.3")
    qtbot.addWidget(page)
    assert page.facts["uptime"].text() == "\u2013"
    page.show_snapshot(snapshot_at_rest())
    assert page.facts["folder"].text() == str(Path("/data"))
    assert page.facts["listen"].text() == "port 47110, on every network it is in"
    assert page.facts["uptime"].text() == "2 hours 16 minutes"
    assert page.facts["identity"].text() == "the system's keyring"
    page.show_snapshot(msgspec.structs.replace(snapshot_at_rest(), listen=""))
    assert page.facts["listen"].text() == "\u2013"


def test_the_licence_can_be_read(qtbot, tmp_path: Path) -> None:
    page = AboutPage(tmp_path, "0.1.0")
    qtbot.addWidget(page)
    page.licence.click()
    (dialog,) = page.findChildren(LicenceDialog)
    assert "Apache License" in dialog.text.toPlainText()
    assert "END OF TERMS AND CONDITIONS" in dialog.text.toPlainText()
    dialog.reject()


def test_a_problem_can_be_reported(qtbot, tmp_path: Path) -> None:
    page = AboutPage(tmp_path, "0.1.0")
    qtbot.addWidget(page)
    with qtbot.waitSignal(page.report_wanted):
        page.report.click()


def test_what_was_not_brought_along_is_not_offered(qtbot, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(about, "root_folder", lambda: tmp_path)
    monkeypatch.setattr(about, "licence_text", lambda: "")
    page = AboutPage(tmp_path, "0.1.0")
    qtbot.addWidget(page)
    assert page.manual.isHidden()
    assert page.licence.isHidden()


def test_where_it_listens_is_said_in_words() -> None:
    assert listens_on("0.0.0.0:4433") == "port 4433, on every network it is in"
    assert listens_on("[::]:4433") == "port 4433, on every network it is in"
    assert listens_on("192.0.2.7:4433") == "192.0.2.7:4433"
