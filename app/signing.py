"""Ed25519 signatures on plain 32-byte keys: identities, manifests, records, proofs.

Whoever signs puts words of their own in front of the message, such as
`b"potluck manifest v1\\0"`, so that a signature made for one thing fits nothing else.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.errors import BadSignature

KEY_BYTES = 32
SIGNATURE_BYTES = 64


def generate_key() -> bytes:
    """A fresh private key, 32 bytes."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(private: bytes) -> bytes:
    """The public key of a private one, 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sign(private: bytes, message: bytes) -> bytes:
    """The signature over `message`, 64 bytes; the same every time."""
    return Ed25519PrivateKey.from_private_bytes(private).sign(message)


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Return if `signature` is that of `public` over `message`.

    Raises:
        BadSignature: it is not, or the key is no key.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise BadSignature("the signature does not belong to these bytes and this key") from None
