"""Settings: declared once, checked everywhere, and a damaged file harms nothing."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.errors import UsageError
from app.settings import (
    MAX_SETTINGS_FILE_BYTES,
    SETTINGS,
    Settings,
    changed,
    default_data_folder,
    load_settings,
    read_settings,
    save_settings,
)

PEER = "a" * 52


def write(folder: Path, text: str) -> Path:
    """A settings file with this text."""
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold_and_nothing_is_said(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "settings.toml") == (Settings(), ())


def test_what_the_owner_wrote_holds(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f'listen = "[::1]:4433"\nkv_tokens = 4096\nkeyring = false\ngpu = "off"\n'
        f'bootstrap = ["{PEER}@example.org:4433"]\norigin_timeout_seconds = 5\n',
    )
    read, complaints = read_settings(path)
    assert complaints == ()
    assert read == Settings(
        listen="[::1]:4433",
        kv_tokens=4096,
        keyring=False,
        gpu="off",
        bootstrap=(f"{PEER}@example.org:4433",),
        origin_timeout_seconds=5.0,
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("kv_tokens = 3", "kv_tokens cannot be 3; it must be a whole number from 256 to 4,194,304"),
        ('kv_tokens = "many"', "kv_tokens cannot be 'many'"),
        ("kv_tokens = 4096.5", "kv_tokens cannot be 4096.5"),
        ("threads = 99999999999999999999999", "threads cannot be 99999999999999999999999"),
        ("origin_timeout_seconds = nan", "origin_timeout_seconds cannot be nan"),
        ("origin_timeout_seconds = inf", "origin_timeout_seconds cannot be inf"),
        ("keyring = 1", "keyring cannot be 1; it must be true or false."),
        ('gpu = "all"', 'gpu cannot be \'all\'; it must be "auto" or "off".'),
        ('listen = "nowhere"', "listen cannot be 'nowhere'; it must be HOST:PORT."),
        ('bootstrap = ["example.org:1"]', "it must be at most 16 texts, each PEERID@HOST:PORT."),
        ("nap_seconds = 3", "'nap_seconds' is not a setting of this version."),
        ("[policy]\nkind = 1", "'policy' is not a setting of this version."),
    ],
)
def test_one_bad_setting_keeps_its_default_and_the_others_hold(
    tmp_path: Path, text: str, line: str
) -> None:
    path = write(tmp_path, f"max_sessions = 3\n{text}\n")
    before = path.read_bytes()
    read, complaints = read_settings(path)
    assert read == Settings(max_sessions=3)
    assert len(complaints) == 1
    assert line in complaints[0]
    assert complaints[0].startswith(str(path))
    assert "\n" not in complaints[0]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "data",
    [b"kv_tokens = ", b"\xff\xfe", b"\0", b"a = [" + b"[" * 20_000, b"#" * 100_000],
    ids=["torn", "not-text", "zeros", "nested", "huge"],
)
def test_a_damaged_file_is_named_left_alone_and_the_defaults_hold(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(data)
    read, complaints = read_settings(path)
    assert read == Settings()
    assert len(complaints) == 1
    assert str(path) in complaints[0]
    assert "the defaults hold" in complaints[0]
    assert "\n" not in complaints[0]
    assert path.read_bytes() == data


def test_a_folder_in_the_files_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").mkdir()
    read, complaints = read_settings(tmp_path / "settings.toml")
    assert read == Settings()
    assert "cannot be read" in complaints[0]


def test_loading_logs_a_line_for_each_complaint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "threads = -1\nnaps = 1\nmax_sessions = 2\n")
    with caplog.at_level(logging.WARNING):
        assert load_settings(tmp_path) == Settings(max_sessions=2)
    assert len(caplog.records) == 2


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_file_gives_settings_and_complaints_of_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-settings.toml"
    path.write_bytes(data)
    read, complaints = read_settings(path)
    assert isinstance(read, Settings)
    assert all("\n" not in complaint for complaint in complaints)


def test_values_from_the_command_line_are_checked_like_those_in_the_file() -> None:
    settings = changed(Settings(kv_tokens=1024), {"listen": "127.0.0.1:0", "max_sessions": 4})
    assert settings == Settings(kv_tokens=1024, listen="127.0.0.1:0", max_sessions=4)
    with pytest.raises(UsageError, match="max_sessions cannot be 0; it must be a whole number"):
        changed(settings, {"max_sessions": 0})


def test_every_setting_has_words_a_default_and_bounds_where_it_is_a_number() -> None:
    assert [setting.name for setting in SETTINGS] == list(Settings.__struct_fields__)
    for setting in SETTINGS:
        assert setting.words.endswith(".")
        assert setting.default == getattr(Settings(), setting.name)
        changed(Settings(), {setting.name: setting.default})
        numeric = setting.kind in ("number", "whole number")
        assert numeric == (setting.least is not None) == (setting.most is not None)
        assert (setting.kind == "choice") == bool(setting.choices)


def test_a_settings_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    text = "max_sessions = 2\n"
    path = write(tmp_path, text + "#" * (MAX_SETTINGS_FILE_BYTES - len(text)))
    assert read_settings(path) == (Settings(max_sessions=2), ())


def test_data_lies_where_the_system_wants_it() -> None:
    assert default_data_folder().name == "potluck"
    assert default_data_folder().is_absolute()


# ── writing ──────────────────────────────────────────────────────────────────


def test_what_is_saved_is_what_is_read_again(tmp_path: Path) -> None:
    values = {"schedule": "mon-fri 18-8", "pause_programs": ("steam",), "upload_mbit_away": 2.5}
    saved = save_settings(tmp_path, values)
    assert saved == changed(Settings(), values)
    assert read_settings(tmp_path / "settings.toml") == (saved, ())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["settings.toml"]


def test_saving_keeps_comments_and_what_a_newer_version_wrote(tmp_path: Path) -> None:
    path = write(tmp_path, "# mine\nthreads = 4 # four\nmood = 'good'\n")
    save_settings(tmp_path, {"threads": 2, "public": True})
    assert path.read_text() == "# mine\nthreads = 2 # four\nmood = 'good'\npublic = true\n"


def test_a_value_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "threads = 4\n")
    with pytest.raises(UsageError, match="cpu_percent_away cannot be 101"):
        save_settings(tmp_path, {"threads": 2, "cpu_percent_away": 101})
    assert path.read_text() == "threads = 4\n"


def test_a_damaged_file_is_put_aside_before_a_new_one_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "threads = ")
    with caplog.at_level(logging.WARNING):
        save_settings(tmp_path, {"threads": 2})
    assert (tmp_path / "settings.toml.damaged").read_text() == "threads = "
    assert read_settings(tmp_path / "settings.toml") == (Settings(threads=2), ())
    assert "settings.toml.damaged" in caplog.text


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the settings stay as they were") as refusal:
        save_settings(tmp_path / "missing", {"threads": 2})
    assert "\n" not in str(refusal.value)
