"""Icons: there for every state and look, and told apart by shape."""

from __future__ import annotations

from typing import get_args

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QImage, QPainter

from app.api.shapes import State
from app.ui.icons import application_icon, icon, state_picture, tray_icon
from app.ui.resources import resources_folder
from app.ui.theme import DARK, LIGHT, Colours, contrast

STATES = get_args(State)


def shape(state: State) -> bytes:
    """Which pixels are drawn at all, whatever their colour, at the size of a tray."""
    image = state_picture(state, dark=False, pixels=22).toImage()
    mask = image.convertToFormat(QImage.Format.Format_Alpha8)
    return bytes(
        255 if mask.pixelColor(x, y).alpha() > 128 else 0 for y in range(22) for x in range(22)
    )


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_an_icon_for_every_panel(qapp, state: State) -> None:
    for look in ("light", "dark", "template"):
        assert (resources_folder() / "icons" / f"tray-{state}-{look}.svg").is_file()
    assert not tray_icon(state, dark_panel=True).isNull()


def test_states_differ_in_shape_and_not_only_in_colour(qapp) -> None:
    shapes = {state: shape(state) for state in STATES}
    for first in STATES:
        for second in STATES:
            differing = sum(a != b for a, b in zip(shapes[first], shapes[second], strict=True))
            assert first == second or differing >= 8, f"{first} looks like {second}"


def test_on_a_mac_the_icon_is_a_template(qapp, monkeypatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert tray_icon("sharing", dark_panel=False).isMask()


def test_an_icon_takes_the_colour_asked_for(qapp) -> None:
    image = icon("stop", "#ff0000").pixmap(QSize(24, 24)).toImage()
    middle = image.pixelColor(image.width() // 2, image.height() // 2)
    assert middle.name() == "#ff0000"


@pytest.mark.parametrize("pixels", [18, 20, 44])
def test_an_icon_is_sharp_at_double_size(qapp, pixels: int) -> None:
    drawn = icon("chat", "#ff0000").pixmap(QSize(pixels, pixels), 2.0)
    assert drawn.size() == QSize(2 * pixels, 2 * pixels)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_a_disabled_icon_is_clearly_dimmer(qapp, colours: Colours) -> None:
    def ink(mode: QIcon.Mode) -> str:
        ground = QImage(24, 24, QImage.Format.Format_ARGB32)
        ground.fill(QColor(colours.surface))
        painter = QPainter(ground)
        icon("stop", colours.muted).paint(painter, ground.rect(), mode=mode)
        painter.end()
        return ground.pixelColor(12, 12).name()

    enabled = contrast(ink(QIcon.Mode.Normal), colours.surface)
    disabled = contrast(ink(QIcon.Mode.Disabled), colours.surface)
    assert 1.3 < disabled < enabled / 2


def test_the_window_has_an_icon(qapp) -> None:
    assert len(application_icon().availableSizes()) >= 4
