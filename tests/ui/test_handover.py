"""What pages made anew take over; see app/ui/handover.py."""

from __future__ import annotations

import pytest

from app.ui.controls import Page, label
from app.ui.handover import Place, go_to, place_of
from app.ui.settings_page import SettingsPage


@pytest.fixture
def settings(qtbot, theme, backend, wait):
    def make() -> SettingsPage:
        page = SettingsPage(theme, backend)
        qtbot.addWidget(page)
        page.resize(700, 400)
        page.show()  # which asks the node
        wait(lambda: page.fields)
        return page

    return make


def long_page(qtbot) -> Page:
    page = Page("Long")
    qtbot.addWidget(page)
    for number in range(80):
        page.body.addWidget(label(f"Line {number}"))
    page.resize(400, 300)
    page.show()
    return page


def test_a_page_is_scrolled_to_where_the_one_before_was(qtbot) -> None:
    before, after = long_page(qtbot), long_page(qtbot)
    qtbot.waitUntil(lambda: before.verticalScrollBar().maximum() > 300)
    before.verticalScrollBar().setValue(240)
    go_to(after, place_of(before))
    qtbot.waitUntil(lambda: after.verticalScrollBar().value() == 240)


def test_a_text_that_is_being_written_is_taken_over_with_the_focus(settings, qtbot) -> None:
    before = settings()
    with qtbot.waitActive(before):
        before.activateWindow()
    field = before.fields["api_key"].widget
    field.setFocus()
    field.setText("half a ke")
    place = place_of(before)
    assert (place.in_use, place.drafts) == ("api_key", {"api_key": "half a ke"})
    after = settings()
    with qtbot.waitActive(after):
        after.activateWindow()
    go_to(after, place)
    assert after.fields["api_key"].widget.text() == "half a ke"
    qtbot.waitUntil(lambda: after.fields["api_key"].widget.hasFocus())


def test_a_setting_that_is_there_no_more_is_left_out(settings) -> None:
    page = settings()
    go_to(page, Place(0, "gone", {"gone": "text"}))
    assert "gone" not in page.fields
