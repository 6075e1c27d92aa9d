"""The token is the owner's alone, and holds as it stands in its file; see app/api/token.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app.api.token import ApiToken, load_or_create_token
from app.errors import UsageError


def test_the_token_is_kept_for_the_owner_alone(tmp_path: Path) -> None:
    token = load_or_create_token(tmp_path)
    assert len(token) == 64
    assert load_or_create_token(tmp_path) == token
    if sys.platform != "win32":
        assert (tmp_path / "api-token").stat().st_mode & 0o777 == 0o600


if sys.platform != "win32":  # which has no such modes

    def test_a_token_that_others_could_read_is_replaced(tmp_path: Path) -> None:
        token = load_or_create_token(tmp_path)
        (tmp_path / "api-token").chmod(0o644)
        assert load_or_create_token(tmp_path) != token


def test_a_damaged_token_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "api-token").write_text("short")
    os.chmod(tmp_path / "api-token", 0o600)
    assert len(load_or_create_token(tmp_path)) == 64


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="api-token"):
        load_or_create_token(tmp_path / "missing")


if sys.platform != "win32":

    def test_a_pipe_in_the_tokens_place_is_not_opened(tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "api-token")
        with pytest.raises(UsageError, match="no ordinary file"):
            load_or_create_token(tmp_path)


# ── while the node runs ──────────────────────────────────────────────────────


def put(folder: Path, text: str) -> None:
    """Have the file say this, as a program of the owner's would."""
    draft = folder / "mine"
    draft.write_text(text)
    draft.chmod(0o600)
    os.replace(draft, folder / "api-token")


def test_another_token_in_the_file_holds_at_once(tmp_path: Path) -> None:
    token = ApiToken(tmp_path)
    first = token.current()
    assert token.current() == first == (tmp_path / "api-token").read_text().strip()
    put(tmp_path, "b" * 64)
    assert token.current() == "b" * 64
    assert ApiToken(tmp_path).current() == "b" * 64


def test_a_token_that_was_taken_away_does_not_hold_any_more(tmp_path: Path) -> None:
    token = ApiToken(tmp_path)
    first = token.current()
    (tmp_path / "api-token").unlink()
    second = token.current()
    assert second != first
    assert (tmp_path / "api-token").read_text().strip() == second


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    token = ApiToken(tmp_path)
    first = token.current()
    put(tmp_path, "c" * 10)
    assert token.current() == first
    assert (tmp_path / "api-token").read_text() == "c" * 10
    put(tmp_path, "c" * 64)
    assert token.current() == "c" * 64


def test_without_the_folder_the_last_token_holds_and_none_begins(tmp_path: Path) -> None:
    token = ApiToken(tmp_path / "data")
    with pytest.raises(UsageError, match="api-token"):
        token.current()
    (tmp_path / "data").mkdir()
    first = token.current()
    (tmp_path / "data").rename(tmp_path / "moved")
    assert token.current() == first
