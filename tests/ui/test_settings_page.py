"""The settings: made from their declaration, sent at once, taken back when refused."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtWidgets import QCheckBox, QSpinBox

from app.settings import SETTINGS
from app.ui.settings_page import SettingsPage
from tests.helpers.fake_node_data import snapshot_at_rest


@pytest.fixture
def page(qtbot, theme, backend, wait) -> SettingsPage:
    made = SettingsPage(theme, backend)
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    made.refresh()
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


def test_a_refused_change_goes_back_and_says_why(page, fake, wait) -> None:
    field = page.fields["listen"].widget
    field.setText("nonsense")
    field.editingFinished.emit()
    wait(lambda: page.trouble.isVisible())
    assert page.trouble.text.text() == "listen cannot be 'nonsense'; it must be HOST:PORT."
    assert field.text() == "0.0.0.0:0"


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
    assert "no hour" in page._remarks.itemAt(0).widget().text.text()


def test_unused_layers_can_be_freed(page, fake, wait) -> None:
    page.show_snapshot(snapshot_at_rest())
    assert page.disk_button.text() == "Free 1.3 GB"
    page.disk_button.click()
    wait(lambda: page.disk_words.text() == "1.3 GB came free.")
    nothing = msgspec.structs.replace(snapshot_at_rest(), disk_unused_bytes=0)
    page.show_snapshot(nothing)
    assert not page.disk_button.isEnabled()


def test_programs_are_sent_when_the_field_is_left(page, fake, wait) -> None:
    page._change("pause_programs", ["game", "  ", " film "])
    wait(lambda: fake.node.asked)
    assert fake.node.asked == [("settings", {"pause_programs": ["game", "film"]})]


def test_logs_are_shown_before_they_are_saved(page, qtbot, wait) -> None:
    from app.ui.logs_dialog import LogsDialog

    page._show_logs()
    wait(lambda: page.findChildren(LogsDialog))
    (dialog,) = page.findChildren(LogsDialog)
    assert "serving units" in dialog.text.toPlainText()
    dialog.reject()
