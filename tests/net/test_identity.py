"""The identity is made once, kept privately, and never overwritten."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from app.errors import BadSignature, UsageError
from app.net import identity as identity_module
from app.net.identity import IDENTITY_FILE, load_or_create_identity, new_identity, verify


class Keyring:
    """A keyring that works, and can be told to forget what it is given."""

    def __init__(self, *, forgets: bool = False) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.forgets = forgets

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if not self.forgets:
            self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.kept.pop((service, username), None)


class BrokenKeyring(Keyring):
    """A keyring without a backend."""

    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError("no recommended backend was available")


class HangingKeyring(Keyring):
    """A keyring that waits for a window nobody sees."""

    def __init__(self, release: threading.Event) -> None:
        super().__init__()
        self.release = release

    def get_password(self, service: str, username: str) -> str | None:
        self.release.wait(10)
        return None


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyring that answers is waited for, however busy this computer is."""
    monkeypatch.setattr(identity_module, "KEYRING_SECONDS", 60.0)


def test_what_one_signs_the_other_can_check() -> None:
    identity = new_identity()
    signature = identity.sign(b"words")
    verify(identity.peer_id, signature, b"words")
    with pytest.raises(BadSignature):
        verify(identity.peer_id, signature, b"other words")


async def test_the_second_start_has_the_same_name(tmp_path: Path) -> None:
    first = await load_or_create_identity(tmp_path / "data", keyring=False)
    again = await load_or_create_identity(tmp_path / "data", keyring=False)
    assert first.peer_id == again.peer_id
    assert again.kept_in == str(tmp_path / "data" / IDENTITY_FILE)


async def test_two_folders_are_two_computers(tmp_path: Path) -> None:
    one = await load_or_create_identity(tmp_path / "one", keyring=False)
    two = await load_or_create_identity(tmp_path / "two", keyring=False)
    assert one.peer_id != two.peer_id


if os.name == "posix":  # elsewhere a folder of the user is private without modes

    async def test_the_file_is_private_and_made_so_again(tmp_path: Path) -> None:
        folder = tmp_path / "data"
        first = await load_or_create_identity(folder, keyring=False)
        path = folder / IDENTITY_FILE
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        path.chmod(0o644)
        again = await load_or_create_identity(folder, keyring=False)
        assert again.peer_id == first.peer_id
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    async def test_a_folder_that_was_there_stays_as_its_owner_made_it(tmp_path: Path) -> None:
        folder = tmp_path / "documents"
        folder.mkdir()
        folder.chmod(0o755)
        await load_or_create_identity(folder, keyring=False)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755

    async def test_no_key_is_kept_where_everybody_may_write(tmp_path: Path) -> None:
        folder = tmp_path / "shared"
        folder.mkdir()
        folder.chmod(0o1777)
        with pytest.raises(UsageError, match="choose a folder of your own"):
            await load_or_create_identity(folder, keyring=False)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
        assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "damage", [b"", b"potluck identity 1 AAAA\n", b"something else", b"\xff\xfe\x00" * 200]
)
async def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / IDENTITY_FILE
    path.write_bytes(damage)
    with pytest.raises(UsageError, match="is damaged and was left as it is"):
        await load_or_create_identity(tmp_path, keyring=True, backend=Keyring())
    assert path.read_bytes() == damage


async def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(UsageError, match="cannot be used"):
        await load_or_create_identity(tmp_path / "data", keyring=False)


async def test_a_working_keyring_keeps_the_key_and_no_file_is_written(tmp_path: Path) -> None:
    keyring = Keyring()
    first = await load_or_create_identity(tmp_path, keyring=True, backend=keyring)
    again = await load_or_create_identity(tmp_path, keyring=True, backend=keyring)
    assert first.peer_id == again.peer_id
    assert again.kept_in == "the keyring"
    assert os.listdir(tmp_path) == []


async def test_a_file_that_is_there_wins_over_the_keyring(tmp_path: Path) -> None:
    in_file = await load_or_create_identity(tmp_path, keyring=False)
    again = await load_or_create_identity(tmp_path, keyring=True, backend=Keyring())
    assert again.peer_id == in_file.peer_id


@pytest.mark.parametrize("backend", [BrokenKeyring(), Keyring(forgets=True)])
async def test_a_keyring_that_does_not_keep_is_not_trusted(
    tmp_path: Path, backend: Keyring
) -> None:
    first = await load_or_create_identity(tmp_path, keyring=True, backend=backend)
    assert first.kept_in == str(tmp_path / IDENTITY_FILE)
    again = await load_or_create_identity(tmp_path, keyring=True, backend=backend)
    assert again.peer_id == first.peer_id


async def test_a_keyring_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_module, "KEYRING_SECONDS", 0.02)
    release = threading.Event()
    try:
        made = await load_or_create_identity(
            tmp_path, keyring=True, backend=HangingKeyring(release)
        )
    finally:
        release.set()
    assert made.kept_in == str(tmp_path / IDENTITY_FILE)


async def test_a_keyring_entry_that_is_no_key_is_left_alone(tmp_path: Path) -> None:
    keyring = Keyring()
    await load_or_create_identity(tmp_path, keyring=True, backend=keyring)
    (name,) = keyring.kept
    keyring.kept[name] = "something of the owner's"
    made = await load_or_create_identity(tmp_path, keyring=True, backend=keyring)
    assert made.kept_in == str(tmp_path / IDENTITY_FILE)
    assert keyring.kept[name] == "something of the owner's"
