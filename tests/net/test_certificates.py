"""A certificate carries the identity key, and another kind of key is refused."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.errors import BadInput
from app.net.certificates import certificate_peer, self_signed_certificate
from app.net.identity import new_identity


def test_the_certificate_carries_the_peer_id_and_is_signed_with_it() -> None:
    identity = new_identity()
    certificate = self_signed_certificate(identity.private_key)
    assert certificate_peer(certificate) == identity.peer_id
    certificate.verify_directly_issued_by(certificate)


def test_a_missing_certificate_is_refused() -> None:
    with pytest.raises(BadInput, match="no certificate"):
        certificate_peer(None)


def test_a_certificate_of_another_kind_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC))
        .sign(key, hashes.SHA256())
    )
    with pytest.raises(BadInput, match="another kind of key"):
        certificate_peer(certificate)
