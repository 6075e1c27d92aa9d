"""The settings: made from their declaration, sent at once, taken back when refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QSpinBox

from app.api.shapes import SettingsView
from app.settings import SETTINGS, changed
from app.ui.settings_page import SettingsPage
from tests.helpers.fake_node_data import snapshot_at_rest
from tests.helpers.laid_out import laid_out


@pytest.fixture
def page(qtbot, theme, backend, wait) -> SettingsPage:
    made = SettingsPage(theme, backend)
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()  # which asks the node
    wait(lambda: made.fields)
    return made


def test_every_setting_has_a_field_with_a_name_and_words(page) -> None:
    assert list(page.fields) == [setting.name for setting in SETTINGS]
    for setting in SETTINGS:
        widget = page.fields[setting.name].widget
        assert widget.accessibleName() == setting.label
        assert widget.accessibleDescription()


def test_a_change_is_sent_at_once(page, fake, wait) -> None:
    box = page.fields["pause_on_battery"].widget
    assert isinstance(box, QCheckBox)
    assert box.isChecked()
    box.click()
    wait(lambda: fake.node.asked)
    assert fake.node.asked == [("settings", {"pause_on_battery": False})]


def test_a_change_of_mind_is_sent_when_the_first_one_was_answered(page, fake, wait) -> None:
    box = page.fields["pause_on_battery"].widget
    box.click()
    box.click()
    wait(lambda: len(fake.node.asked) == 2)
    wait(lambda: page._asked == {})
    assert [change["pause_on_battery"] for _, change in fake.node.asked] == [False, True]
    assert box.isChecked()


def test_an_answer_from_before_a_change_does_not_take_it_back(page, wait, monkeypatch) -> None:
    """It may come last: answers come over several connections."""
    heard: list[Callable[[SettingsView], object]] = []
    ask, before = page._requests.settings, page._view
    monkeypatch.setattr(page._requests, "settings", lambda done, failed: heard.append(done))
    page.refresh()
    box = page.fields["pause_on_battery"].widget
    box.click()
    wait(lambda: page._asked == {})
    monkeypatch.setattr(page._requests, "settings", ask)
    saw: list[SettingsView] = []
    page.saw.connect(saw.append)
    heard[0](before)
    assert not box.isChecked()
    wait(lambda: saw)
    assert not box.isChecked()


def test_who_comes_back_to_what_was_asked_has_asked_once(page, fake, wait) -> None:
    box = page.fields["pause_on_battery"].widget
    for _ in range(3):
        box.click()
    wait(lambda: page._asked == {})
    assert [change["pause_on_battery"] for _, change in fake.node.asked] == [False]
    assert not box.isChecked()


def test_a_wrong_entry_stays_to_be_mended_and_the_page_stays_where_it_is(page, fake, wait) -> None:
    field, row = page.fields["listen"].widget, page.rows["listen"]
    wait(lambda: page.verticalScrollBar().maximum() > 400)
    page.verticalScrollBar().setValue(400)
    field.setText("nonsense")
    field.editingFinished.emit()
    wait(lambda: row.is_refused)
    assert row.trouble.text() == (
        "Not taken. Write an address, a colon and a port, such as 0.0.0.0:4433. "
        "Until then it stays as it was: 0.0.0.0:0."
    )
    assert field.text() == "nonsense"
    assert not page.trouble.isVisible()
    assert page.verticalScrollBar().value() == 400
    page.refresh()
    page.fields["pause_on_battery"].widget.click()
    wait(lambda: ("settings", {"pause_on_battery": False}) in fake.node.asked)
    assert field.text() == "nonsense"


def test_a_mended_entry_is_taken_and_nothing_is_said_any_more(page, fake, wait) -> None:
    box, row = page.fields["bootstrap"].widget, page.rows["bootstrap"]
    page._change("bootstrap", ["somebody"])
    wait(lambda: row.is_refused)
    assert "stays as it was: empty." in row.trouble.text()
    box.setPlainText(f"{'a' * 52}@192.0.2.7:4433")
    page._change("bootstrap", box.toPlainText().split("\n"))
    wait(lambda: not row.is_refused)


def test_an_entry_that_is_taken_back_by_hand_is_no_longer_wrong(page, fake, wait) -> None:
    page._change("listen", "nonsense")
    wait(lambda: page.rows["listen"].is_refused)
    page._change("listen", "0.0.0.0:0")
    assert not page.rows["listen"].is_refused


def test_what_does_not_hold_by_default_has_a_way_back(page, fake, wait) -> None:
    box, row = page.fields["cpu_percent_away"].widget, page.rows["cpu_percent_away"]
    assert row.back.isHidden()
    box.setValue(40)
    wait(lambda: not row.back.isHidden())
    assert row.back.accessibleName() == "Processor: back to 75 %"
    row.back.click()
    wait(row.back.isHidden)
    assert box.value() == 75
    assert fake.node.asked[-1] == ("settings", {"cpu_percent_away": 75})


def test_tab_goes_through_the_page_from_top_to_bottom(page, fake, wait) -> None:
    page.show_snapshot(snapshot_at_rest())
    wait(lambda: page.verticalScrollBar().maximum() > 2000)
    places = []
    widget = page.trouble.button
    while widget is not page.logs_button:
        widget = widget.nextInFocusChain()
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisibleTo(page):
            places.append(widget.mapTo(page.widget(), widget.rect().topLeft()).y())
    assert len(places) > len(SETTINGS)
    # Within a row of buttons the heights differ by a few pixels at most.
    assert all(later >= earlier - 8 for earlier, later in pairwise(places))


def test_opening_the_page_shows_what_holds_now(page, fake, wait) -> None:
    page.hide()
    fake.do(lambda node: setattr(node, "_values", changed(node._values, {"cpu_percent_away": 80})))
    page.show()
    wait(lambda: page.fields["cpu_percent_away"].widget.value() == 80)


def test_what_the_node_says_is_not_sent_back_to_it(page, fake, wait) -> None:
    box = page.fields["cpu_percent_away"].widget
    assert isinstance(box, QSpinBox)
    page.refresh()
    page._backend.settings(lambda view: page.show_view(view), pytest.fail)
    wait(lambda: box.value() == 75)
    assert fake.node.asked == []


def test_remarks_stand_at_the_top(page, fake, wait) -> None:
    fake.node.remarks = ["Your schedule allows no hour of the week, so sharing never starts."]
    page.refresh()
    wait(lambda: page._remarks.count() == 1)
    assert "no hour" in laid_out(page._remarks)[0].text.text()


def test_unused_layers_can_be_freed(page, fake, wait) -> None:
    page.show_snapshot(snapshot_at_rest())
    assert page.disk_button.text() == "Free 1.3 GB"
    page.disk_button.click()
    wait(lambda: page.disk_words.text() == "1.3 GB came free.")
    nothing = msgspec.structs.replace(snapshot_at_rest(), disk_unused_bytes=0)
    page.show_snapshot(nothing)
    assert page.disk_button.isHidden()
    assert page.disk_words.text() == "Models take 4.1 GB; all of it is in use."


def test_programs_are_sent_when_the_field_is_left(page, fake, wait) -> None:
    page._change("pause_programs", ["game", "  ", " film "])
    wait(lambda: fake.node.asked)
    assert fake.node.asked == [("settings", {"pause_programs": ["game", "film"]})]


def test_logs_are_shown_before_they_are_saved(page, qtbot, wait) -> None:
    from app.ui.logs_dialog import LogsDialog

    page.show_logs()
    wait(lambda: page.findChildren(LogsDialog))
    (dialog,) = page.findChildren(LogsDialog)
    assert "sharing layers 1 to 14" in dialog.text.toPlainText()
    dialog.reject()


def test_what_holds_now_stands_beside_its_setting(page) -> None:
    assert not page.rows["listen"].now.isVisible()
    view = page._view
    moved = [
        msgspec.structs.replace(setting, now="Programs reach it now at http://127.0.0.1:9/v1.")
        if setting.name == "api"
        else setting
        for setting in view.settings
    ]
    page.show_view(msgspec.structs.replace(view, settings=moved))
    assert page.rows["api"].now.text() == "Programs reach it now at http://127.0.0.1:9/v1."
    assert page.rows["api"].now.isVisible()
