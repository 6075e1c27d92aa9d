"""Settings: declared once, checked everywhere, and a damaged file harms nothing."""

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.errors import UsageError
from app.settings import (
    MAX_SETTINGS_FILE_BYTES,
    SETTINGS,
    FoundSettings,
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
    assert read_settings(tmp_path / "settings.toml") == FoundSettings()


def test_what_the_owner_wrote_holds(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f'listen = "[::1]:4433"\nkv_tokens = 4096\nkeyring = false\ngpu = "off"\n'
        f'bootstrap = ["{PEER}@example.org:4433"]\norigin_timeout_seconds = 5\n',
    )
    found = read_settings(path)
    assert found.complaints == ()
    assert not found.doubtful
    assert found.settings == Settings(
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
        ("nap_seconds = 3", "no setting of this version ('nap_seconds'); it is kept"),
        ("[policy]\nkind = 1", "no setting of this version ('policy'); it is kept"),
    ],
)
def test_one_bad_setting_keeps_its_default_and_the_others_hold(
    tmp_path: Path, text: str, line: str
) -> None:
    path = write(tmp_path, f"max_sessions = 3\n{text}\n")
    before = path.read_bytes()
    found = read_settings(path)
    read, complaints = found.settings, found.complaints
    assert read == Settings(max_sessions=3)
    assert len(complaints) == 1
    assert line in str(complaints[0])
    assert str(complaints[0]).startswith(str(path))
    assert "\n" not in str(complaints[0])
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
    found = read_settings(path)
    read, complaints = found.settings, found.complaints
    assert read == Settings()
    assert len(complaints) == 1
    assert str(path) in str(complaints[0])
    assert "the defaults hold" in str(complaints[0])
    assert found.doubtful
    assert "stays as it is" in str(complaints[0])
    assert "\n" not in str(complaints[0])
    assert path.read_bytes() == data


def test_a_folder_in_the_files_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").mkdir()
    found = read_settings(tmp_path / "settings.toml")
    read, complaints = found.settings, found.complaints
    assert found.doubtful
    assert read == Settings()
    assert "cannot be read" in str(complaints[0])


def test_loading_logs_a_line_for_each_complaint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "threads = -1\nnaps = 1\nmax_sessions = 2\n")
    with caplog.at_level(logging.WARNING):
        assert load_settings(tmp_path).settings == Settings(max_sessions=2)
    assert len([record for record in caplog.records if record.name == "app.settings"]) == 2


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_file_gives_settings_and_complaints_of_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-settings.toml"
    path.write_bytes(data)
    found = read_settings(path)
    read, complaints = found.settings, found.complaints
    assert isinstance(read, Settings)
    assert all("\n" not in str(complaint) for complaint in complaints)


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
    assert read_settings(path) == FoundSettings(Settings(max_sessions=2))


def test_data_lies_where_the_system_wants_it() -> None:
    assert default_data_folder().name == "potluck"
    assert default_data_folder().is_absolute()


# ── writing ──────────────────────────────────────────────────────────────────


def test_what_is_saved_is_what_is_read_again(tmp_path: Path) -> None:
    values = {"schedule": "mon-fri 18-8", "pause_programs": ("steam",), "upload_mbit_away": 2.5}
    saved = save_settings(tmp_path, values)
    assert saved == FoundSettings(changed(Settings(), values))
    assert read_settings(tmp_path / "settings.toml") == saved
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


def test_a_damaged_file_is_put_aside_before_a_new_one_is_written(tmp_path: Path) -> None:
    told = []
    for text in ("threads = ", "#" * 100_000, "kv = ["):
        write(tmp_path, text)
        told.append(save_settings(tmp_path, {"threads": 2}).aside)
        assert read_settings(tmp_path / "settings.toml") == FoundSettings(Settings(threads=2))
    aside = sorted(tmp_path.glob("settings-damaged-*.toml"))
    assert {path.read_text() for path in aside} == {"threads = ", "#" * 100_000, "kv = ["}
    assert sorted(told) == [path.name for path in aside]


def test_a_file_of_a_far_newer_version_is_told_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path, "threads = 3\n" + "".join(f"new_{n} = {n}\n" for n in range(100)))
    before = path.read_bytes()
    found = read_settings(path)
    (complaint,) = found.complaints
    assert found.settings == Settings(threads=3)
    assert not found.doubtful
    assert "'new_0'" in str(complaint)
    assert len(str(complaint)) < 400
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the settings stay as they were") as refusal:
        save_settings(tmp_path / "missing", {"threads": 2})
    assert "\n" not in str(refusal.value)


# ── nothing is guessed, nothing is lost ──────────────────────────────────────


def test_one_stray_word_leaves_the_rules_in_force_and_lets_nothing_be_shared(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, 'schedule = "never"\noops\ncpu_percent_away = 5\n')
    found = read_settings(path)
    assert found.settings == Settings(schedule="never", cpu_percent_away=5)
    assert found.doubtful
    saved = save_settings(tmp_path, {"theme": "dark"})
    assert saved.settings == Settings(schedule="never", cpu_percent_away=5, theme="dark")
    assert not saved.doubtful
    assert (tmp_path / saved.aside).read_text().splitlines()[1] == "oops"
    assert "# oops" in path.read_text()


def test_changing_nothing_mends_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "oops\n")
    assert save_settings(tmp_path, {}).doubtful
    assert path.read_text() == "oops\n"


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        ('cpu_percent_in_use = "5 %"', True),
        ('schedule = "sometimes"', True),
        ("monthly_budget_gb = -1", True),
        ('gpu = "no"', True),
        ('theme = "pink"', False),
        ("max_sessions = 0", False),
        ("nap_seconds = 3", False),
    ],
)
def test_a_limit_that_is_not_understood_is_not_guessed(
    tmp_path: Path, text: str, doubtful: bool
) -> None:
    found = read_settings(write(tmp_path, text))
    assert found.doubtful == doubtful
    assert ("sharing rests" in str(found.complaints[0])) == doubtful


def test_changes_that_overlap_are_all_kept(tmp_path: Path) -> None:
    save_settings(tmp_path, {"schedule": "never"})
    names = ("cpu_percent_in_use", "cpu_percent_away", "threads", "max_sessions")

    def change(name: str) -> None:
        for value in range(1, 11):
            save_settings(tmp_path, {name: value})

    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(change, names))
    kept = changed(Settings(), {**dict.fromkeys(names, 10), "schedule": "never"})
    assert read_settings(tmp_path / "settings.toml") == FoundSettings(kept)
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


def test_a_value_that_is_no_number_does_not_block_other_changes(tmp_path: Path) -> None:
    path = write(tmp_path, "upload_mbit_away = nan\n")
    saved = save_settings(tmp_path, {"threads": 2})
    assert saved.settings.threads == 2
    assert saved.doubtful
    assert path.read_text() == "upload_mbit_away = nan\nthreads = 2\n"
    assert not save_settings(tmp_path, {"upload_mbit_away": 3.0}).doubtful


def test_an_address_without_a_port_that_can_be_is_refused(tmp_path: Path) -> None:
    for name in ("listen", "api"):
        with pytest.raises(UsageError, match="it must be HOST:PORT"):
            save_settings(tmp_path, {name: "127.0.0.1:65536"})
        save_settings(tmp_path, {name: "127.0.0.1:65535"})


if sys.platform != "win32":

    def test_a_pipe_or_a_device_in_the_files_place_is_not_opened(tmp_path: Path) -> None:
        path = tmp_path / "settings.toml"
        for make in (lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero")):
            make()
            found = read_settings(path)
            assert found.doubtful
            assert "no ordinary file" in str(found.complaints[0])
            with pytest.raises(UsageError, match="the settings stay as they were"):
                save_settings(tmp_path, {"threads": 2})
            path.unlink()

    def test_a_file_of_any_size_is_put_aside_unread(tmp_path: Path) -> None:
        with (tmp_path / "settings.toml").open("wb") as stream:
            stream.truncate(1 << 36)
        saved = save_settings(tmp_path, {"threads": 2})
        assert (tmp_path / saved.aside).stat().st_size == 1 << 36
        assert saved.settings == Settings(threads=2)

    def test_a_link_to_settings_elsewhere_stays_one(tmp_path: Path) -> None:
        real = tmp_path / "dotfiles" / "potluck.toml"
        real.parent.mkdir()
        real.write_text("threads = 1\n")
        (tmp_path / "settings.toml").symlink_to(real)
        save_settings(tmp_path, {"threads": 2})
        assert (tmp_path / "settings.toml").is_symlink()
        assert real.read_text() == "threads = 2\n"
        real.write_text("threads = ")
        save_settings(tmp_path, {"threads": 3})
        assert (tmp_path / "settings.toml").is_symlink()
        assert "threads = 3" in real.read_text()

    def test_what_is_saved_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
        write(tmp_path, "threads = 1\n").chmod(0o644)
        save_settings(tmp_path, {"api_key": "0123456789abcdef"})
        assert (tmp_path / "settings.toml").stat().st_mode & 0o777 == 0o600
