"""This computer's name on the network: one Ed25519 key, made once and kept.

Kept in the system's keyring where one works, else in a file that only its owner
can read. A keyring is believed only after it gave back what was written to it:
on a headless Linux it is often missing, locked, or waits for a window nobody
sees, so it is asked off the event loop and given three seconds.
`app/signing.py` is the arithmetic; `app/net/handshake.py` uses the name.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
import os
import queue
import secrets
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app import signing
from app.errors import UsageError
from app.ids import PeerId
from app.small_files import read_small

logger = logging.getLogger(__name__)

IDENTITY_FILE = "identity.key"
KEYRING_SECONDS = 3.0
_KEYRING_SERVICE = "potluck"
_FILE_HEAD = "potluck identity 1 "
MAX_KEY_FILE_BYTES = 1024

_Answer = TypeVar("_Answer")


class KeyringLike(Protocol):
    """The part of the keyring library that is used."""

    def get_password(self, service: str, username: str) -> str | None:
        """What is kept under these names."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it under these names."""
        ...

    def delete_password(self, service: str, username: str) -> None:
        """Forget it."""
        ...


class Identity:
    """A private key and the PeerId that goes with it.

    Attributes:
        peer_id: the public key, what others call this computer.
        kept_in: where the private key is kept, in words: "the keyring", a file's
            path, or "memory".
    """

    def __init__(self, private_key: bytes, *, kept_in: str = "memory") -> None:
        self._key = signing.load_private_key(private_key)
        self.peer_id = signing.public_key_of(private_key)
        self.kept_in = kept_in

    @property
    def private_key(self) -> Ed25519PrivateKey:
        """The key itself, for the TLS certificate."""
        return self._key

    def sign(self, signed: bytes) -> bytes:
        """A signature of 64 bytes; the caller says first in `signed` what it is for."""
        return self._key.sign(signed)


def verify(peer: PeerId, signature: bytes, signed: bytes) -> None:
    """Return when `peer` signed exactly these bytes; BadSignature otherwise."""
    signing.verify(peer, signature, signed)


def new_identity() -> Identity:
    """An identity that lives as long as the process."""
    return Identity(signing.generate_private_key())


async def load_or_create_identity(
    folder: Path, *, keyring: bool, backend: KeyringLike | None = None
) -> Identity:
    """The identity that belongs to a data folder; made on first use.

    A key file that is already there wins over the keyring, so that a folder that
    was moved or restored keeps its name.

    Args:
        folder: the data folder; made with mode 0700 when it is missing.
        keyring: whether to try the system's keyring before a file.
        backend: stands in for the system's keyring.

    Raises:
        UsageError: the file is there but damaged, or cannot be read or written.
            It is left as it is.
    """
    path = folder / IDENTITY_FILE
    try:
        await asyncio.to_thread(_prepare_folder, folder)
        found = await asyncio.to_thread(_read_file, path)
        if found is not None:
            return Identity(found, kept_in=str(path))
        if keyring:
            kept = await _from_keyring(folder, backend)
            if kept is not None:
                return Identity(kept, kept_in="the keyring")
        made = await asyncio.to_thread(_create_file, path)
    except OSError as error:
        raise UsageError(
            f"the identity in {path} cannot be used ({error.strerror or error}); "
            "nothing was changed; check the folder's permissions"
        ) from None
    return Identity(made, kept_in=str(path))


# ── the file ─────────────────────────────────────────────────────────────────


def _prepare_folder(folder: Path) -> None:
    """Make the folder, private; one that is there already stays as its owner made it.

    Raises:
        UsageError: others may write there, so anybody could swap the key.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix" and folder.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX):
        raise UsageError(
            f"{folder} is shared with everybody on this computer, so no key is kept there;"
            " nothing was changed; choose a folder of your own"
        )


def _tighten(path: Path, mode: int) -> None:
    """Take away what others may do; systems without such modes ignore it."""
    present = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and present & ~mode:
        path.chmod(present & mode)
        logger.warning("%s was open to others; it is private now", path)


def _read_file(path: Path) -> bytes | None:
    try:
        text = read_small(path, MAX_KEY_FILE_BYTES)
    except FileNotFoundError:
        return None
    except ValueError:
        text = b""  # far too large for a key: damaged
    _tighten(path, 0o600)
    key = _decode_key(text.decode("ascii", errors="replace"))
    if key is None:
        raise UsageError(
            f"{path} is damaged and was left as it is; restore it from a copy, or move it "
            "away to start with a new identity"
        )
    return key


def _create_file(path: Path) -> bytes:
    """Write a new key so that a crash leaves either none or a whole one."""
    key = signing.generate_private_key()
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_encode_key(key).encode())
            file.flush()
            os.fsync(file.fileno())
        # A link never replaces: of two processes that start at once one wins, both agree.
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            if not path.exists():
                temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    kept = _read_file(path)
    return key if kept is None else kept


def _encode_key(key: bytes) -> str:
    return _FILE_HEAD + base64.b64encode(key).decode() + "\n"


def _decode_key(text: str) -> bytes | None:
    if not text.startswith(_FILE_HEAD):
        return None
    try:
        key = base64.b64decode(text.removeprefix(_FILE_HEAD).strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == signing.PRIVATE_KEY_BYTES else None


# ── the keyring ──────────────────────────────────────────────────────────────


async def _from_keyring(folder: Path, backend: KeyringLike | None) -> bytes | None:
    name = f"identity of {await asyncio.to_thread(folder.resolve)}"
    try:
        return await _in_time(lambda: _ask_keyring(backend, name), KEYRING_SECONDS)
    except Exception as error:  # noqa: BLE001 - backends raise whatever their system raises
        logger.debug("no usable keyring (%s); the identity is kept in a file", error)
        return None


def _ask_keyring(backend: KeyringLike | None, name: str) -> bytes | None:
    """Read the key, or write one and read it back; None when it did not stay."""
    if backend is None:
        import keyring  # slow to load, and not needed where it is not wanted

        backend = keyring
    kept = backend.get_password(_KEYRING_SERVICE, name)
    if kept is not None:
        key = _decode_key(kept)
        if key is None:
            raise ValueError("it holds something else under this name")
        return key
    text = _encode_key(signing.generate_private_key())
    backend.set_password(_KEYRING_SERVICE, name, text)
    if backend.get_password(_KEYRING_SERVICE, name) != text:
        with contextlib.suppress(Exception):
            backend.delete_password(_KEYRING_SERVICE, name)
        raise ValueError("it did not give back what was written")
    return _decode_key(text)


async def _in_time(work: Callable[[], _Answer], seconds: float) -> _Answer:
    """Run `work` in a thread that nobody waits for at exit; TimeoutError when it is late.

    The loop's own threads are joined when the loop closes, so a keyring that
    hangs would hang the program there.
    """
    answers: queue.SimpleQueue[_Answer | BaseException] = queue.SimpleQueue()
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def run() -> None:
        try:
            answers.put(work())
        except Exception as error:  # noqa: BLE001 - handed to the waiter, who logs it
            answers.put(error)
        with contextlib.suppress(RuntimeError):  # the loop may be gone by now
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="keyring", daemon=True).start()
    async with asyncio.timeout(seconds):
        await done.wait()
    answer = answers.get_nowait()
    if isinstance(answer, BaseException):
        raise answer
    return answer
