"""Names of things that cross the network: computers, sessions, models and spans.

Everything here is a plain value: it can be compared, hashed, put into a message
and shown to a person, and it knows no socket and no file.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import NewType

import msgspec

PeerId = NewType("PeerId", bytes)
"""A computer's Ed25519 public key, 32 bytes. Nothing else names a peer."""

SessionId = NewType("SessionId", bytes)
"""One generation through one chain, 16 random bytes chosen by the client."""

ModelId = NewType("ModelId", bytes)
"""SHA-256 of a manifest's signed body, 32 bytes."""

PEER_ID_BYTES = 32
SESSION_ID_BYTES = 16
MODEL_ID_BYTES = 32

_SPAN_TEXT = re.compile(r"(\d{1,6}):(\d{1,6})")


def peer_text(peer: PeerId) -> str:
    """Write a PeerId the way people copy it: base32, lower case, 52 characters."""
    return base64.b32encode(peer).decode().rstrip("=").lower()


def short_peer_text(peer: PeerId) -> str:
    """The first eight characters of a PeerId, enough to tell helpers apart in a list."""
    return peer_text(peer)[:8]


def parse_peer(text: str) -> PeerId:
    """Read what `peer_text` wrote.

    Raises:
        ValueError: the text is not a PeerId; the message says what is expected.
    """
    try:
        raw = base64.b32decode(text.strip().upper() + "====")
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != PEER_ID_BYTES or peer_text(PeerId(raw)) != text.strip().lower():
        raise ValueError(f"{text[:60]!r} is not a peer id (52 letters and digits, a-z and 2-7)")
    return PeerId(raw)


def new_session() -> SessionId:
    """A fresh session name that nobody can guess."""
    return SessionId(secrets.token_bytes(SESSION_ID_BYTES))


class Span(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Units `start` up to, not including, `stop`.

    Unit 0 is the embedding, units 1..N the blocks, unit N+1 the head; a whole
    model of N blocks is `0:N+2`.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop <= MAX_UNITS:
            raise ValueError(
                f"{self.start}:{self.stop} is not a span of units; write it like 0:5,"
                " which is units 0 to 4"
            )

    def __str__(self) -> str:
        return f"{self.start}:{self.stop}"

    def __len__(self) -> int:
        return self.stop - self.start

    def __contains__(self, unit: int) -> bool:
        return self.start <= unit < self.stop

    def covers(self, other: Span) -> bool:
        """Whether every unit of `other` is in this span."""
        return self.start <= other.start and other.stop <= self.stop


MAX_UNITS = 4096
"""More blocks than any published model has; bounds every count that derives from it."""


def parse_span(text: str) -> Span:
    """Read `A:B`.

    Raises:
        ValueError: the text is not a span; the message says what is expected.
    """
    match = _SPAN_TEXT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a span of units; write it like 0:5")
    return Span(int(match[1]), int(match[2]))
