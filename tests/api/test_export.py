"""A conversation as Markdown; see app/api/export.py."""

from __future__ import annotations

from app.api.export import as_markdown
from app.api.shapes import Conversation, ConversationOptions, MessageView


def test_every_turn_has_its_heading_and_who_answered_stands_below() -> None:
    asked = MessageView(id=1, role="user", content="Why?", created_at=0.0)
    answered = MessageView(
        id=2,
        role="assistant",
        content="Because.",
        created_at=1.0,
        state="stopped",
        chain=["this computer", "abcdefgh"],
        tokens=3,
        tokens_per_second=2.04,
    )
    conversation = Conversation(
        id="a",
        title="",
        created_at=0.0,
        changed_at=1.0,
        options=ConversationOptions(system="Be brief."),
        messages=[asked, answered],
    )
    assert as_markdown(conversation) == (
        "# Conversation\n\n## Instructions\n\nBe brief.\n\n## You\n\nWhy?\n\n## Answer\n\nBecause."
        "\n\n*this computer, abcdefgh; 3 tokens; 2.0 a second; stopped*\n"
    )


def test_an_answer_that_failed_names_nobody_and_says_why() -> None:
    failed = MessageView(
        id=1, role="assistant", content="", created_at=0.0, state="failed", error="Nobody serves it"
    )
    conversation = Conversation(
        id="a", title="T", created_at=0.0, changed_at=0.0, options=ConversationOptions(),
        messages=[failed],
    )  # fmt: skip
    assert "*nobody; 0 tokens; Nobody serves it*" in as_markdown(conversation)
