"""How a conversation is answered, in a dialog."""

from __future__ import annotations

import msgspec
from PySide6.QtWidgets import QLabel, QWidget

from app.api.shapes import ConversationOptions, ModelOffer
from app.ui.chat_options import ChatOptions
from tests.helpers.fake_node_data import OFFERS

NONE_CHOSEN = [msgspec.structs.replace(offer, chosen=False) for offer in OFFERS]


def dialog(
    qtbot, options: ConversationOptions, offers: list[ModelOffer] | None = None
) -> ChatOptions:
    parent = QWidget()
    qtbot.addWidget(parent)
    made = ChatOptions(parent, options, OFFERS if offers is None else offers)
    made.held = parent
    return made


def test_what_it_shows_is_what_it_gives(qtbot) -> None:
    options = ConversationOptions(
        model="guide-7m",
        system="Be brief.",
        temperature=0.7,
        top_p=0.5,
        max_tokens=64,
        seed=7,
        alone=True,
        over_swarm=True,
    )
    assert dialog(qtbot, options).options() == options


def test_a_seed_that_is_no_number_is_none(qtbot) -> None:
    made = dialog(qtbot, ConversationOptions())
    for text in ("", "abc", "9" * 40):
        made.seed.setText(text)
        assert made.options().seed is None


def test_only_a_number_can_be_written_as_a_seed(qtbot) -> None:
    made = dialog(qtbot, ConversationOptions())
    qtbot.keyClicks(made.seed, "a-7b" + "8" * 30)
    assert made.seed.text() == "7" + "8" * 16
    assert made.options().seed == int(made.seed.text())


def test_a_model_that_is_gone_becomes_the_usual_one(qtbot) -> None:
    assert dialog(qtbot, ConversationOptions(model="gone")).options().model is None


def test_every_field_has_a_name(qtbot) -> None:
    made = dialog(qtbot, ConversationOptions())
    fields = (made.system, made.model, made.temperature, made.top_p, made.length, made.seed)
    assert all(field.accessibleName() for field in fields)


def test_short_fields_are_as_wide_as_each_other(qtbot) -> None:
    made = dialog(qtbot, ConversationOptions())
    fields = (made.model, made.temperature, made.top_p, made.length, made.seed)
    assert len({field.maximumWidth() for field in fields}) == 1


def test_every_field_is_explained_where_it_stands(qtbot) -> None:
    made = dialog(qtbot, ConversationOptions())
    shown = {one.text() for one in made.findChildren(QLabel)}
    fields = (
        made.model,
        made.temperature,
        made.top_p,
        made.length,
        made.seed,
        made.alone,
        made.over_swarm,
    )
    assert {field.accessibleDescription() for field in fields} <= shown


def test_no_explanation_is_cut_off(qtbot, qapp, theme) -> None:
    made = dialog(qtbot, ConversationOptions())
    made.show()
    qapp.processEvents()
    for one in made.findChildren(QLabel):
        assert one.height() >= one.heightForWidth(one.width()), one.text()


def test_it_says_which_model_is_the_usual_one(qtbot) -> None:
    made = dialog(qtbot, ConversationOptions())
    assert made.model.currentText() == "The one chosen here"
    assert "Qwen3 8B" in made.model.accessibleDescription()


def test_without_a_chosen_model_it_says_that_the_guide_answers(qtbot) -> None:
    made = dialog(qtbot, ConversationOptions(), NONE_CHOSEN)
    assert made.model.currentText() == "Potluck's own guide"
    assert "none is chosen; until one is, the small guide" in made.model.accessibleDescription()
    assert made.options().model is None


def test_what_is_chosen_meanwhile_is_said_and_the_selection_kept(qtbot) -> None:
    made = dialog(qtbot, ConversationOptions(model="llama-70b"), NONE_CHOSEN)
    made.show_offers(OFFERS, made.options().model)
    assert made.options().model == "llama-70b"
    assert made.model.itemText(0) == "The one chosen here"
    assert "Qwen3 8B is chosen" in made.model.accessibleDescription()
