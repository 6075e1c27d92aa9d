"""Computers that were there the last time, kept in the data folder: DATA/contacts.json.

With them a restart needs no bootstrap. They are publicly reachable computers that answered at
these addresses; whether they are there now, `app/net/dht.py` finds out. The file may be lost
without harm.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from app.ids import PeerId, peer_text
from app.net.addresses import parse_bootstrap
from app.net.dht_messages import MAX_CONTACT_ADDRESSES, Contact
from app.small_files import read_small, write_whole

logger = logging.getLogger(__name__)

FILE: Final = "contacts.json"
KEEP_SECONDS: Final = 20.0
"""How often is looked whether there is somebody new; mostly there is not."""
MOST_CONTACTS: Final = 64
MOST_BYTES: Final = 64 << 10
"""Twice what so many contacts with the longest addresses take."""


class KnownContacts:
    """The contacts in one data folder, the last ones met first."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._saved: list[Contact] | None = None

    def load(self) -> list[Contact]:
        """Those that were kept; none when there is no sound file."""
        try:
            self._saved = _read(json.loads(read_small(self._path, MOST_BYTES)))
        except FileNotFoundError:
            self._saved = []
        except (OSError, ValueError, RecursionError) as error:
            logger.warning("%s cannot be read (%s) and begins anew", self._path, str(error)[:200])
            self._saved = []
        return list(self._saved)

    async def keep_up(self, met: Callable[[], Sequence[Contact]]) -> None:
        """Keep whoever is met, again and again; runs until it is cancelled."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await asyncio.to_thread(self.keep, met())

    def keep(self, met: Sequence[Contact]) -> None:
        """Keep these, and of the older ones as many as there is room for.

        Waits for the disk. What cannot be written is logged; the next call tries again.
        """
        saved = self.load() if self._saved is None else self._saved
        names = {contact.peer for contact in met}
        wanted = [*met, *(old for old in saved if old.peer not in names)][:MOST_CONTACTS]
        if set(map(_line, wanted)) == set(map(_line, saved)):
            return
        try:
            write_whole(self._path, json.dumps([*map(_line, wanted)]).encode(), durable=False)
        except OSError as error:
            logger.warning("the computers met cannot be kept: %s", error)
            return
        self._saved = wanted


def _line(contact: Contact) -> str:
    return " ".join(f"{peer_text(PeerId(contact.peer))}@{text}" for text in contact.addresses)


def _read(lines: Any) -> list[Contact]:
    if not isinstance(lines, list) or len(lines) > MOST_CONTACTS:
        raise ValueError("it is no list of contacts")
    found: dict[PeerId, Contact] = {}
    for line in lines:
        if not isinstance(line, str):
            raise ValueError("a contact that is no text")
        places = [parse_bootstrap(text) for text in line.split(" ")]
        peers = {peer for peer, _ in places}
        if len(peers) != 1 or len(places) > MAX_CONTACT_ADDRESSES:
            raise ValueError(f"{line[:80]!r} is no contact")
        (peer,) = peers
        found[peer] = Contact(peer=peer, addresses=[address for _, address in places])
    return list(found.values())
