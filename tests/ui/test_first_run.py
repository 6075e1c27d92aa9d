"""The first run: three screens, nothing before consent, chat without sharing."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from app.api.shapes import ConsentRequest
from app.settings import Settings, changed
from app.ui.first_run import AMOUNTS, FirstRun


@pytest.fixture
def run(qtbot, theme) -> FirstRun:
    made = FirstRun(theme)
    qtbot.addWidget(made)
    made.show()
    return made


def test_nothing_is_decided_before_the_last_button(run, qtbot) -> None:
    decided: list[ConsentRequest] = []
    run.decided.connect(decided.append)
    assert run.place.text() == "1 of 3"
    run.next.click()
    run.next.click()
    assert decided == []
    assert run.next.text() == "Start sharing"
    run.next.click()
    (choice,) = decided
    assert choice == ConsentRequest(share=True, settings=AMOUNTS[1], start_at_login=False)


@pytest.mark.parametrize("screen", [0, 1, 2])
def test_on_every_screen_one_may_only_chat(run, qtbot, screen: int) -> None:
    for _ in range(screen):
        run.next.click()
    with qtbot.waitSignal(run.decided) as heard:
        run.skip.click()
    assert heard.args == [ConsentRequest(share=False)]


def test_choices_become_settings(run) -> None:
    run._amount.button(0).click()
    run._when.button(2).click()
    run.login.click()
    assert run.choice(share=True) == ConsentRequest(
        share=True, settings={**AMOUNTS[0], "schedule": "mon-sun 22-7"}, start_at_login=True
    )
    run._when.button(1).click()
    assert run.choice(share=True).settings["cpu_percent_in_use"] == 0


def test_start_at_login_is_not_ticked(run) -> None:
    assert not run.login.isChecked()


def test_one_can_go_back(run) -> None:
    assert not run.back.isVisible()
    run.next.click()
    run.back.click()
    assert run.place.text() == "1 of 3"


def test_every_choice_is_one_the_settings_take(run) -> None:
    for amount in range(3):
        for when in range(3):
            run._amount.button(amount).click()
            run._when.button(when).click()
            changed(Settings(), run.choice(share=True).settings)


def test_balanced_is_what_holds_for_who_chooses_nothing(run) -> None:
    assert changed(Settings(), AMOUNTS[1]) == Settings()


def test_each_amount_says_its_numbers_and_what_they_are_of(run) -> None:
    for number, amount in enumerate(AMOUNTS):
        words = run._amount.button(number).accessibleDescription()
        assert f"{amount['cpu_percent_in_use']} % of the processor" in words
        assert f"{amount['cpu_percent_away']} % while you are away" in words
        assert f"{amount['disk_quota_bytes'] // 10**9} GB of the disk for layers" in words


def test_enter_goes_on_from_the_first_moment(run, qtbot) -> None:
    qtbot.waitUntil(lambda: run.focusWidget() is run.next)
    qtbot.keyClick(run.next, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: run.place.text() == "2 of 3")
