"""Ed25519: who wrote these bytes?

Raw keys and signatures only (32, 32 and 64 bytes), so that they fit messages,
files and manifests alike. What is signed always starts with words that say what
it is for; that is the caller's part (see `app/net/wire.py`, `app/net/records.py`).
Deterministic, like Ed25519 itself.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from app.errors import BadSignature
from app.ids import PeerId

PRIVATE_KEY_BYTES = 32
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64


def generate_private_key() -> bytes:
    """A fresh private key, 32 bytes, from the system's own randomness."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def load_private_key(private_key: bytes) -> Ed25519PrivateKey:
    """The key as an object, for certificates and repeated signing.

    Raises:
        ValueError: not 32 bytes.
    """
    return Ed25519PrivateKey.from_private_bytes(private_key)


def public_key_of(private_key: bytes) -> PeerId:
    """The public half, 32 bytes.

    Raises:
        ValueError: not 32 bytes.
    """
    return PeerId(load_private_key(private_key).public_key().public_bytes_raw())


def sign(private_key: bytes, signed: bytes) -> bytes:
    """The signature of `signed`, 64 bytes.

    Raises:
        ValueError: the key is not 32 bytes.
    """
    return load_private_key(private_key).sign(signed)


def verify(public_key: bytes, signature: bytes, signed: bytes) -> None:
    """Return when `public_key` signed exactly these bytes.

    Raises:
        BadSignature: it did not, or the key is no key.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        raise BadSignature("the signature does not belong to these bytes and this key") from None
