"""Signatures hold for the bytes and the key they were made with, and for nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadSignature
from app.signing import generate_private_key, public_key_of, sign, verify

# RFC 8032, section 7.1, test 2.
KEY = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_it_is_the_ed25519_that_everybody_has() -> None:
    assert public_key_of(KEY) == PUBLIC
    assert sign(KEY, b"\x72") == SIGNATURE
    verify(PUBLIC, SIGNATURE, b"\x72")


def test_other_bytes_are_not_signed() -> None:
    with pytest.raises(BadSignature):
        verify(PUBLIC, SIGNATURE, b"\x73")


def test_another_key_did_not_sign() -> None:
    with pytest.raises(BadSignature):
        verify(public_key_of(generate_private_key()), SIGNATURE, b"\x72")


def test_two_new_keys_differ() -> None:
    assert generate_private_key() != generate_private_key()


def test_a_key_of_another_length_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        sign(b"short", b"")


@settings(deadline=None, max_examples=50)
@given(public=st.binary(max_size=40), signature=st.binary(max_size=80), signed=st.binary())
def test_random_signatures_are_refused_quietly(
    public: bytes, signature: bytes, signed: bytes
) -> None:
    with pytest.raises(BadSignature):
        verify(public, signature, signed)
