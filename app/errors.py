"""Everything that can go wrong, as a tree.

    PotluckError
    ├── UsageError            a person asked for something that cannot be done as asked
    │   └── PromptTooLong     ... because the model cannot read so much
    ├── Refusal               this computer or another one declines, with a reason
    │   ├── NoRoom            ... because its memory for conversations is full
    │   └── UnsupportedModel  ... because the model cannot be sliced or loaded
    ├── BadInput              somebody else's bytes break the rules
    │   └── BadSignature      ... they are not signed by who they should be
    ├── PeerLost              a computer went away or stopped answering
    ├── NotServed             no chain covers the model: some units have no host
    ├── DownloadFailed        no origin delivered a unit
    └── EngineFault           our own worker failed
        └── WorkerDied        ... its process ended in the middle of something

The text of each is one line a person can read: what happened, what was kept and
what to do; raised with a `Sentence` (`app/sentences.py`), it can be told in any
language. Our own mistakes stay builtin exceptions and are allowed to be loud;
`BadInput` is never loud: whoever sees it counts it against the sender and goes on.
"""

from __future__ import annotations

from app.sentences import Said, Sentence, said_of


class PotluckError(Exception):
    """The root: caught once, at the edge, and shown as one line."""

    @property
    def said(self) -> Said | None:
        """The line without its language; None if it has only its words."""
        return said_of(self)


class UsageError(PotluckError):
    """A person's command or file cannot be used as given."""


class PromptTooLong(UsageError):
    """A conversation or text is longer than the model can read; nothing was sent.

    Attributes:
        share_that_fits: what part of its tokens the model could read; below 1.
    """

    def __init__(self, reason: str | Sentence, *, share_that_fits: float = 0.75) -> None:
        super().__init__(reason)
        self.share_that_fits = share_that_fits


class Refusal(PotluckError):
    """A request was understood and declined.

    Attributes:
        code: a word for programs, such as "no_room" or "unknown_model".
        reason: a sentence for people, shown word for word.
        retry_after_seconds: when trying again may help; None when it will not.
    """

    def __init__(
        self,
        reason: str | Sentence,
        *,
        code: str = "refused",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = str(reason)
        self.retry_after_seconds = retry_after_seconds


class NoRoom(Refusal):
    """Memory for conversations is full; somebody has to finish first."""

    def __init__(self, reason: str | Sentence, *, retry_after_seconds: float | None = 5.0) -> None:
        super().__init__(reason, code="no_room", retry_after_seconds=retry_after_seconds)


class UnsupportedModel(Refusal):
    """The model's file is sound, but cannot be sliced or loaded here."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, code="unsupported_model")


class BadInput(PotluckError):
    """Bytes from outside break a rule; the text names the rule."""


class BadSignature(BadInput):
    """A signature does not belong to the bytes and key it came with."""


class PeerLost(PotluckError):
    """The other computer went away, was cut off, or stopped answering."""


class NotServed(PotluckError):
    """No chain covers the model.

    Attributes:
        missing: the units nobody serves, in order.
    """

    def __init__(self, reason: str | Sentence, *, missing: tuple[int, ...]) -> None:
        super().__init__(reason)
        self.missing = missing


class DownloadFailed(PotluckError):
    """No origin delivered the bytes; what had arrived is kept for the next try."""


class EngineFault(PotluckError):
    """The worker could not do what it was asked."""


class WorkerDied(EngineFault):
    """The worker's process ended while something was waiting for it."""
