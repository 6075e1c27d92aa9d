"""An address is tried before it is kept; see app/node/listening.py."""

from __future__ import annotations

import socket

import pytest

from app.errors import UsageError
from app.node.listening import check_listening


@pytest.mark.parametrize("udp", [True, False])
def test_an_address_of_this_computer_passes(udp: bool) -> None:
    check_listening("127.0.0.1:0", udp=udp)
    check_listening("0.0.0.0:0", udp=udp)


@pytest.mark.parametrize("udp", [True, False])
@pytest.mark.parametrize("address", ["192.0.2.1:0", "127.0.0.1:99999", "[::::]:1", "nobody"])
def test_an_address_where_nobody_could_listen_is_refused_in_one_line(
    address: str, udp: bool
) -> None:
    with pytest.raises(UsageError, match="nothing was changed") as refusal:
        check_listening(address, udp=udp)
    assert address in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_name_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UsageError, match="Name or service not known"):
        check_listening("evil:8", udp=False)


def test_an_address_that_is_taken_passes_for_it_may_be_our_own() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        check_listening(f"127.0.0.1:{taken.getsockname()[1]}", udp=True)
