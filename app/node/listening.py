"""Can this computer listen at an address? Asked before a setting is kept that needs it.

The counterpart is `app/node/node.py`, which listens there at its next start.
"""

from __future__ import annotations

import errno
import socket

from app.errors import UsageError
from app.net.addresses import parse_address
from app.sentences import say


def check_listening(address: str, *, udp: bool) -> None:
    """Try it, for a moment; may wait for a name to be looked up.

    An address that is taken already passes: it may be this program's own.

    Args:
        address: HOST:PORT.
        udp: datagrams; False for connections (TCP).

    Raises:
        UsageError: nobody could listen there.
    """
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    try:
        host, port = parse_address(address)
        family, _, _, _, place = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[
            0
        ]
        with socket.socket(family, kind) as trying:
            trying.bind(place)
    except (OSError, ValueError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        if not taken:
            reason = getattr(error, "strerror", None) or str(error)
            words = say("address_unusable", address=address, reason=reason)
            raise UsageError(words) from None
