"""What was chosen is kept; see app/folder/choice.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import UsageError
from app.folder.choice import CHOICE_FILE, Choice, load_choice, save_choice
from app.ids import Span

CHOICE = Choice("ab" * 32, Span(2, 6))


def test_a_choice_comes_back(tmp_path: Path) -> None:
    assert load_choice(tmp_path) is None
    for choice in (CHOICE, Choice("cd" * 32)):
        save_choice(tmp_path, choice)
        assert load_choice(tmp_path) == choice


@pytest.mark.parametrize(
    "text", ["", "{", '{"model": "zz"}', '{"model": "' + "ab" * 32 + '", "span": [5, 2]}', "[]"]
)
def test_a_damaged_choice_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / CHOICE_FILE).write_text(text)
    assert load_choice(tmp_path) is None


def test_a_choice_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the choice stays as it was"):
        save_choice(tmp_path / "missing", CHOICE)
