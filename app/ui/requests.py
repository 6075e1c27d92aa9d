"""What the window asks of a node, request by request, and for how long somebody wants to hear.

Who sends them is `app/ui/backend.py`. A page may be gone when its answer arrives, and a
widget that is gone may not be touched: whatever can vanish asks through
`Backend.asked_by(itself)`, and then an answer that comes too late is nobody's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from shiboken6 import isValid

from app.api.shapes import (
    AddModelRequest,
    ChooseModelRequest,
    ConsentRequest,
    Conversation,
    ConversationChange,
    ConversationHead,
    ConversationOptions,
    ErrorBody,
    LogsView,
    ModelOffer,
    PauseRequest,
    ResumeRequest,
    SayRequest,
    SettingsView,
    ShareAnywayRequest,
    SlowModeRequest,
    Snapshot,
)

if TYPE_CHECKING:
    from app.ui.backend import Backend, Stream

Done = Callable[[Any], object]
Failed = Callable[[ErrorBody], object]


class Requests:
    """The requests there are; those who derive from it say how one is sent."""

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        shape: Any = None,
        done: Done | None = None,
        failed: Failed | None = None,
    ) -> None:
        """Send one request; `done` gets its answer in `shape` (bytes without one)."""
        raise NotImplementedError

    def stream(self, method: str, path: str, body: object = None) -> Stream:
        """Send a request whose answer is a stream of events."""
        raise NotImplementedError

    def consent(self, choice: ConsentRequest, failed: Failed) -> None:
        """End the first run."""
        self.ask("POST", "/consent", body=choice, failed=failed)

    def pause(self, wish: PauseRequest, failed: Failed) -> None:
        """Pause by hand."""
        self.ask("POST", "/pause", body=wish, failed=failed)

    def resume(self, wish: ResumeRequest, failed: Failed) -> None:
        """End a pause made by hand."""
        self.ask("POST", "/resume", body=wish, failed=failed)

    def share_anyway(self, failed: Failed) -> None:
        """Overrule an automatic pause for an hour."""
        self.ask("POST", "/share-anyway", body=ShareAnywayRequest(), failed=failed)

    def slow_mode(self, failed: Failed, *, on: bool) -> None:
        """Switch the slow bandwidth caps."""
        self.ask("POST", "/slow-mode", body=SlowModeRequest(on=on), failed=failed)

    def quit_node(self, done: Callable[[Any], object], failed: Failed) -> None:
        """Ask the node to end."""
        self.ask("POST", "/quit", body={}, done=done, failed=failed)

    def settings(self, done: Callable[[SettingsView], object], failed: Failed) -> None:
        """All settings with their words."""
        self.ask("GET", "/settings", shape=SettingsView, done=done, failed=failed)

    def change_settings(
        self, values: dict[str, Any], done: Callable[[SettingsView], object], failed: Failed
    ) -> None:
        """Change some settings; the answer holds all of them again."""
        self.ask("PATCH", "/settings", body=values, shape=SettingsView, done=done, failed=failed)

    def models(self, done: Callable[[list[ModelOffer]], object], failed: Failed) -> None:
        """The models that may be chosen."""
        self.ask("GET", "/models", shape=list[ModelOffer], done=done, failed=failed)

    def add_model(
        self, path: str, done: Callable[[list[ModelOffer]], object], failed: Failed
    ) -> None:
        """Know another model, from its manifest's file."""
        wish = AddModelRequest(path=path)
        self.ask("POST", "/models/add", body=wish, shape=list[ModelOffer], done=done, failed=failed)

    def choose_model(
        self, wish: ChooseModelRequest, done: Callable[[Snapshot], object], failed: Failed
    ) -> None:
        """Serve another model, or other layers of it."""
        path = "/models/choose"
        self.ask("POST", path, body=wish, shape=Snapshot, done=done, failed=failed)

    def free_disk(self, done: Callable[[dict[str, int]], object], failed: Failed) -> None:
        """Delete layers that nothing uses; the answer says how many "freed_bytes"."""
        path = "/disk/free"
        self.ask("POST", path, body={}, shape=dict[str, int], done=done, failed=failed)

    def conversations(
        self, done: Callable[[list[ConversationHead]], object], failed: Failed
    ) -> None:
        """The list of conversations, newest first."""
        self.ask("GET", "/conversations", shape=list[ConversationHead], done=done, failed=failed)

    def conversation(
        self, key: str, done: Callable[[Conversation], object], failed: Failed
    ) -> None:
        """One conversation with its messages."""
        path = f"/conversations/{key}"
        self.ask("GET", path, shape=Conversation, done=done, failed=failed)

    def new_conversation(
        self, options: ConversationOptions, done: Callable[[Conversation], object], failed: Failed
    ) -> None:
        """Begin a conversation that is answered in this way."""
        path = "/conversations"
        self.ask("POST", path, body=options, shape=Conversation, done=done, failed=failed)

    def change_conversation(
        self,
        key: str,
        change: ConversationChange,
        done: Callable[[Conversation], object],
        failed: Failed,
    ) -> None:
        """Rename a conversation or change how it is answered."""
        path = f"/conversations/{key}"
        self.ask("PATCH", path, body=change, shape=Conversation, done=done, failed=failed)

    def delete_conversation(self, key: str, done: Callable[[Any], object], failed: Failed) -> None:
        """Remove a conversation for good."""
        self.ask("DELETE", f"/conversations/{key}", done=done, failed=failed)

    def export_conversation(
        self, key: str, kind: str, done: Callable[[bytes], object], failed: Failed
    ) -> None:
        """A conversation as a file's bytes; `kind` is "markdown" or "json"."""
        self.ask("GET", f"/conversations/{key}/export?format={kind}", done=done, failed=failed)

    def say(self, key: str, wish: SayRequest) -> Stream:
        """Send a message; the answer comes as "delta" events and one "message" at the end."""
        return self.stream("POST", f"/conversations/{key}/messages", wish)

    def regenerate(self, key: str) -> Stream:
        """Have the last answer written again."""
        return self.stream("POST", f"/conversations/{key}/regenerate", {})

    def follow_answer(self, key: str) -> Stream:
        """The answer being written, from its beginning; ends at once when none is."""
        return self.stream("GET", f"/conversations/{key}/events")

    def stop_answer(self, key: str, failed: Failed) -> None:
        """End the answer being written; what was written stays."""
        self.ask("POST", f"/conversations/{key}/stop", body={}, failed=failed)

    def logs(self, done: Callable[[LogsView], object], failed: Failed) -> None:
        """The log as it would be exported."""
        self.ask("GET", "/logs", shape=LogsView, done=done, failed=failed)


class RequestsOf(Requests):
    """Requests whose answers are for one object, and for nobody once Qt has deleted it."""

    def __init__(self, owner: QObject, backend: Backend) -> None:
        self._owner = owner
        self._backend = backend

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        shape: Any = None,
        done: Done | None = None,
        failed: Failed | None = None,
    ) -> None:
        """As the backend does, while the owner is there."""
        self._backend.ask(
            method,
            path,
            body=body,
            shape=shape,
            done=self._while_there(done),
            failed=self._while_there(failed),
        )

    def stream(self, method: str, path: str, body: object = None) -> Stream:
        """As the backend does; the stream is the owner's child and ends with it."""
        return self._backend.stream(method, path, body, owner=self._owner)

    def _while_there(self, hear: Done | None) -> Done | None:
        if hear is None:
            return None

        def heard(answer: Any) -> None:
            if isValid(self._owner):
                hear(answer)

        return heard
