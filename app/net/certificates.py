"""The listener's TLS certificate, and the PeerId in somebody else's.

A certificate here is only an envelope for the identity key: self-signed, no
name, no authority. TLS proves that the other end holds its private half; the
dialler then compares the key with the PeerId it wants (`app/net/handshake.py`
is the counterpart, for the other direction).
"""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.x509.oid import NameOID

from app.errors import BadInput
from app.ids import PeerId

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "potluck")])
# Fixed, because the key is what counts and a wrong clock must not keep two computers apart.
_NOT_BEFORE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_NOT_AFTER = datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)


def self_signed_certificate(private_key: Ed25519PrivateKey) -> x509.Certificate:
    """A certificate for the key's public half, signed by the key itself."""
    return (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(private_key.public_key())
        .serial_number(1)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .sign(private_key, algorithm=None)
    )


def certificate_peer(certificate: x509.Certificate | None) -> PeerId:
    """The PeerId whose key a certificate carries.

    Raises:
        BadInput: there is no certificate, or its key is of another kind.
    """
    if certificate is None:
        raise BadInput("it showed no certificate")
    try:
        key = certificate.public_key()
    except ValueError:
        raise BadInput("its certificate carries no readable key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput("its certificate carries another kind of key than Ed25519")
    return PeerId(key.public_bytes_raw())
