"""The style sheet names only colours and pictures that exist."""

from __future__ import annotations

import re
from dataclasses import fields

from app.ui.resources import resources_folder
from app.ui.style_sheet import STYLE_SHEET
from app.ui.theme import Colours


def test_every_open_place_can_be_filled() -> None:
    names = set(STYLE_SHEET.get_identifiers())
    assert names <= {field.name for field in fields(Colours)} | {"marks", "look"}


def test_every_picture_exists_in_both_looks() -> None:
    for name in set(re.findall(r"\$marks/([\w-]+)-\$look\.svg", STYLE_SHEET.template)):
        for look in ("light", "dark"):
            assert (resources_folder() / "icons" / f"{name}-{look}.svg").exists()


def test_balloons_of_the_tray_wear_the_look_too() -> None:
    assert "QBalloonTip { background: $surface; color: $text; }" in STYLE_SHEET.template


def test_a_sentence_about_trouble_is_not_a_banner() -> None:
    """A label is a frame to Qt, so the two must not share a name."""
    frames = set(re.findall(r'QFrame\[look="(\w+)"\]', STYLE_SHEET.template))
    labels = set(re.findall(r'^QLabel\[look="(\w+)"\]', STYLE_SHEET.template, re.MULTILINE))
    assert not frames & labels
