"""The proof of the dialler, as a dialogue."""

from __future__ import annotations

import pytest

from app.errors import BadInput, BadSignature
from app.net.handshake import DialHandshake, ListenHandshake
from app.net.identity import Identity, new_identity
from app.net.wire import PROTOCOL_VERSION, Challenge, Hello, Ping, Proof, Welcome

NONCE = b"n" * 32


def listener(identity: Identity, nonce: bytes = NONCE) -> ListenHandshake:
    return ListenHandshake(identity, agent="host", observed="192.0.2.1:7", nonce=nonce)


def test_an_honest_dialler_is_welcome() -> None:
    host, client = new_identity(), new_identity()
    dial = DialHandshake(client, listener=host.peer_id, agent="guest")
    listen = listener(host)
    challenge = listen.receive(dial.begin())
    proof = dial.receive(challenge)
    assert isinstance(proof, Proof)
    assert listen.receive(proof) == Welcome()
    assert dial.receive(Welcome()) is None
    assert dial.done
    assert listen.done
    assert listen.peer == client.peer_id
    assert (dial.agent, listen.agent) == ("host", "guest")
    assert dial.observed == "192.0.2.1:7"


def test_a_dialler_without_the_key_is_refused() -> None:
    host, client, impostor = new_identity(), new_identity(), new_identity()
    listen = listener(host)
    challenge = listen.receive(
        Hello(version=PROTOCOL_VERSION, agent="", peer=bytes(client.peer_id))
    )
    dial = DialHandshake(impostor, listener=host.peer_id, agent="")
    proof = dial.receive(challenge)
    assert isinstance(proof, Proof)
    with pytest.raises(BadSignature):
        listen.receive(proof)
    assert not listen.done


def test_a_proof_for_one_listener_is_worth_nothing_to_another() -> None:
    host, other, client = new_identity(), new_identity(), new_identity()
    dial = DialHandshake(client, listener=other.peer_id, agent="")
    listen = listener(host)
    proof = dial.receive(listen.receive(dial.begin()))
    assert isinstance(proof, Proof)
    with pytest.raises(BadSignature):
        listen.receive(proof)


def test_a_proof_cannot_be_used_twice() -> None:
    host, client = new_identity(), new_identity()
    dial = DialHandshake(client, listener=host.peer_id, agent="")
    first, second = listener(host), listener(host, nonce=b"m" * 32)
    proof = dial.receive(first.receive(dial.begin()))
    assert isinstance(proof, Proof)
    second.receive(dial.begin())
    with pytest.raises(BadSignature):
        second.receive(proof)


@pytest.mark.parametrize("early", [Proof(signature=bytes(64)), Ping(serial=1), Welcome()])
def test_nothing_but_hello_comes_first(early: Proof | Ping | Welcome) -> None:
    with pytest.raises(BadInput, match="in the middle of the proof"):
        listener(new_identity()).receive(early)


def test_a_second_hello_is_refused() -> None:
    host, client = new_identity(), new_identity()
    dial = DialHandshake(client, listener=host.peer_id, agent="")
    listen = listener(host)
    listen.receive(dial.begin())
    with pytest.raises(BadInput, match="in the middle of the proof"):
        listen.receive(dial.begin())


def test_a_welcome_before_the_challenge_is_refused() -> None:
    dial = DialHandshake(new_identity(), listener=new_identity().peer_id, agent="")
    with pytest.raises(BadInput, match="in the middle of the proof"):
        dial.receive(Welcome())


def test_another_version_is_named() -> None:
    host, client = new_identity(), new_identity()
    with pytest.raises(BadInput, match="version 7"):
        listener(host).receive(Hello(version=7, agent="", peer=bytes(client.peer_id)))
    dial = DialHandshake(client, listener=host.peer_id, agent="")
    with pytest.raises(BadInput, match="version 7"):
        dial.receive(Challenge(version=7, agent="", nonce=NONCE, observed="192.0.2.1:7"))
