"""Who wants to know of changes: made before the parts that change, and handed to each."""

from __future__ import annotations

from app.api.control_port import Changes
from app.sentences import Sentence


class ChangeBoard:
    """Tells every listener that something is different; each then asks for what it shows."""

    def __init__(self) -> None:
        self._listeners: set[Changes] = set()

    @property
    def has_listeners(self) -> bool:
        """Whether anybody wants to know."""
        return bool(self._listeners)

    def changed(self) -> None:
        """Something is different."""
        for listener in self._listeners:
            listener.mark()

    def warn(self, warning: Sentence) -> None:
        """A sentence for the person."""
        for listener in self._listeners:
            listener.warn(warning)

    def listen(self) -> Changes:
        """A new listener; take it off with `unlisten`."""
        changes = Changes()
        self._listeners.add(changes)
        return changes

    def unlisten(self, changes: Changes) -> None:
        """Tell this one no more."""
        self._listeners.discard(changes)
