"""Who is the dialler? Two small machines that prove it inside the channel.

Messages in, messages out; no socket, no clock. TLS has already proved the
listener (`app/net/certificates.py`); the dialler now signs the listener's name,
its own and a nonce the listener just made up, so the signature is worth nothing
to anybody else. `DialHandshake` and `ListenHandshake` are counterparts;
`app/net/connection.py` carries their messages.

    dialler                     listener
      Hello(peer)         ->
                          <-    Challenge(nonce, observed)
      Proof(signature)    ->
                          <-    Welcome
"""

from __future__ import annotations

from app.errors import BadInput, BadSignature
from app.ids import PeerId
from app.net.identity import Identity, verify
from app.net.wire import (
    PROTOCOL_VERSION,
    Challenge,
    ControlMessage,
    Hello,
    Proof,
    Welcome,
)

_DIAL_DOMAIN = b"potluck dial v1"


def proof_bytes(*, listener: PeerId, dialler: PeerId, nonce: bytes) -> bytes:
    """What a dialler signs: good for this listener, this dialler and this nonce only."""
    return _DIAL_DOMAIN + listener + dialler + nonce


class DialHandshake:
    """The dialler's side, once TLS has shown that `listener` is who was wanted.

    Attributes:
        peer: the listener.
        observed: the address the listener sees us at, once it said so.
        agent: what the listener says it runs, once it said so.
        proof_sent: the listener may take us as proven from now on.
        done: channels may be opened.
    """

    def __init__(self, identity: Identity, *, listener: PeerId, agent: str) -> None:
        self._identity = identity
        self._own_agent = agent
        self.peer = listener
        self.observed: str | None = None
        self.agent = ""
        self.proof_sent = False
        self.done = False

    def begin(self) -> Hello:
        """The first word."""
        return Hello(
            version=PROTOCOL_VERSION, agent=self._own_agent, peer=bytes(self._identity.peer_id)
        )

    def receive(self, message: ControlMessage) -> ControlMessage | None:
        """Take the listener's next message; the answer, or None. BadInput when out of order."""
        match message:
            case Challenge() if not self.proof_sent:
                _check_version(message.version)
                self.observed = message.observed
                self.agent = message.agent
                self.proof_sent = True
                return Proof(
                    signature=self._identity.sign(
                        proof_bytes(
                            listener=self.peer,
                            dialler=self._identity.peer_id,
                            nonce=message.nonce,
                        )
                    )
                )
            case Welcome() if self.proof_sent and not self.done:
                self.done = True
                return None
        raise BadInput(f"a {type(message).__name__} in the middle of the proof")


class ListenHandshake:
    """The listener's side.

    Attributes:
        peer: who the dialler says it is; proven when `done`.
        agent: what the dialler says it runs.
        done: the proof holds.
    """

    def __init__(self, identity: Identity, *, agent: str, observed: str, nonce: bytes) -> None:
        self._identity = identity
        self._own_agent = agent
        self._observed = observed
        self._nonce = nonce
        self.peer: PeerId | None = None
        self.agent = ""
        self.done = False

    def receive(self, message: ControlMessage) -> ControlMessage:
        """Take the dialler's next message and answer it.

        Raises:
            BadSignature: the proof does not hold.
            BadInput: another version, or a message out of order.
        """
        match message:
            case Hello() if self.peer is None:
                _check_version(message.version)
                self.peer = PeerId(message.peer)
                self.agent = message.agent
                return Challenge(
                    version=PROTOCOL_VERSION,
                    agent=self._own_agent,
                    nonce=self._nonce,
                    observed=self._observed,
                )
            case Proof() if self.peer is not None and not self.done:
                signed = proof_bytes(
                    listener=self._identity.peer_id, dialler=self.peer, nonce=self._nonce
                )
                try:
                    verify(self.peer, message.signature, signed)
                except BadSignature:
                    raise BadSignature("the dialler is not who it says it is") from None
                self.done = True
                return Welcome()
        raise BadInput(f"a {type(message).__name__} in the middle of the proof")


def _check_version(version: int) -> None:
    if version != PROTOCOL_VERSION:
        raise BadInput(f"protocol version {version}; this computer speaks {PROTOCOL_VERSION}")
