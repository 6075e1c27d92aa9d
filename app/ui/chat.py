"""The chat: the list of conversations, the one in front, and its answer being written.

The node keeps the conversations and writes the answers (`app/chat/talk.py`); this page shows
them. An answer goes on being written while another conversation is looked at, and while
the window is closed.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtCore import QStandardPaths, Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.api.shapes import (
    AnswerDelta,
    AnswerWaiting,
    Conversation,
    ConversationChange,
    ConversationHead,
    ConversationOptions,
    ErrorBody,
    MessageView,
    ModelOffer,
    SayRequest,
)
from app.ui import theme as looks
from app.ui import words
from app.ui.backend import Backend, Stream
from app.ui.chat_list import ChatList
from app.ui.chat_options import ChatOptions
from app.ui.composer import Composer
from app.ui.controls import Banner, EmptyState, IconButton, OneLine, button, clear
from app.ui.message_view import Message
from app.ui.sentences import error_words
from app.ui.theme import Theme
from app.ui.transcript import Transcript
from app.ui.translations import tr

SUGGESTIONS = (
    "What is Potluck?",
    "Who can read what I write?",
    "How does a chain of helpers work?",
)


class ChatPage(QWidget):
    """The page; `key` is the conversation in front, "" before the first message."""

    busy_changed = Signal(bool)

    def __init__(self, theme: Theme, backend: Backend) -> None:
        super().__init__()
        self.setProperty("look", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._backend = backend
        self._requests = backend.asked_by(self)
        self._conversation: Conversation | None = None
        self._stream: Stream | None = None
        self._answer: Message | None = None
        self._replaces: int | None = None
        self._offers: list[ModelOffer] = []
        self._draft = ConversationOptions()
        self._asked = ""
        self._beginning = ""
        self.key = ""
        self.list = ChatList(theme)
        self.list.chosen.connect(self.open)
        self.list.new_wanted.connect(self.begin_new)
        self.list.delete_wanted.connect(self._delete)
        self.list.rename_wanted.connect(self._rename)
        self.title = OneLine("strong")
        self.options = IconButton(theme, "settings", "", self._options)
        self.export = IconButton(theme, "export", "")
        self.trouble = Banner("danger")
        self.transcript = Transcript(theme)
        self.transcript.edit_wanted.connect(self._edit)
        self.transcript.again_wanted.connect(self._again)
        self.composer = Composer(theme)
        self.composer.sent.connect(self._send)
        self.composer.stop_wanted.connect(self._stop)
        self.composer.edit_given_up.connect(self._no_edit)
        self.empty = EmptyState(theme, "chat", "", "", yields=True)
        self._build()
        self.retranslate()
        self.begin_new()

    def retranslate(self) -> None:
        """Say everything in the language of now; chat, place and unsent text stay."""
        self.title.setText(words.chat_title(self._conversation.title if self._conversation else ""))
        self.options.rename(tr("How this chat is answered"))
        self.export.rename(tr("Export this chat"))
        self.empty.title.setText(tr("Ask something"))
        self.empty.words.setText(
            tr("Helpers compute the answer together. They could read along: send no secrets.")
        )
        clear(self.empty.below)
        for text in SUGGESTIONS:
            question = tr(text)
            self.empty.below.addWidget(button(question, partial(self._send, question)))
        self._as_markdown.setText(tr("As Markdown…"))
        self._as_json.setText(tr("As JSON…"))
        for part in (self.list, self.transcript, self.composer):
            part.retranslate()

    def _build(self) -> None:
        menu = QMenu(self)
        self._as_markdown = menu.addAction("", lambda: self._export("markdown", "md"))
        self._as_json = menu.addAction("", lambda: self._export("json", "json"))
        self.export.setMenu(menu)
        self.export.setPopupMode(IconButton.ToolButtonPopupMode.InstantPopup)
        bar = QFrame()
        bar.setProperty("look", "bar")
        head = QHBoxLayout(bar)
        head.setContentsMargins(looks.WIDE, looks.SMALL, looks.LARGE, looks.SMALL)
        head.addWidget(self.title, 1)
        head.addWidget(self.options)
        head.addWidget(self.export)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self.transcript)
        below = QHBoxLayout()
        below.setContentsMargins(looks.WIDE, 0, looks.WIDE, looks.WIDE)
        below.addStretch(1)
        foot = QWidget()
        foot.setMaximumWidth(looks.CONTENT_WIDTH - 120)
        inside = QVBoxLayout(foot)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.trouble)
        inside.addWidget(self.composer)
        below.addWidget(foot, 100)
        below.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(bar)
        right.addWidget(self.stack, 1)
        right.addLayout(below)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.list)
        row.addLayout(right, 1)

    # ── what the node says ───────────────────────────────────────────────────

    def refresh(self) -> None:
        """Ask for the list, and for the conversation in front; after each connection."""
        self._requests.conversations(self._listed, self._failed)
        self._requests.models(self._offered, lambda _: None)
        if self.key and self._stream is None:
            self.open(self.key)

    def open(self, key: str) -> None:
        """Bring a conversation to the front."""
        self._leave_stream()
        self.key = key
        self.list.select(key)
        self._no_edit()
        self._requests.conversation(key, self._opened, self._failed)

    def begin_new(self) -> None:
        """Show an empty conversation; the node makes it with its first message."""
        self._leave_stream()
        self.key, self._conversation = "", None
        self._no_edit()
        self.trouble.say("")
        self.transcript.clear_all()
        self.title.setText(tr("New chat"))
        self.list.select("")
        self.stack.setCurrentWidget(self.empty)
        self._draft = ConversationOptions()
        self.export.setEnabled(False)
        self.composer.setFocus()

    def _listed(self, heads: list[ConversationHead]) -> None:
        self.list.show_heads(heads, self.key)

    def _offered(self, offers: list[ModelOffer]) -> None:
        self._offers = offers

    def _opened(self, conversation: Conversation) -> None:
        if conversation.id != self.key:
            return  # the person has gone on to another one
        self._conversation = conversation
        self.trouble.say("")
        self.title.setText(words.chat_title(conversation.title))
        self.export.setEnabled(bool(conversation.messages))
        if self._stream is not None:
            return
        self.transcript.show_messages(conversation.messages)
        shown = self.transcript.messages
        self.stack.setCurrentWidget(self.transcript if shown else self.empty)
        self.transcript.follow()
        if conversation.messages and conversation.messages[-1].state == "writing" and shown:
            shown[-1].begin_writing()
            self._follow(self._requests.follow_answer(self.key), shown[-1])

    def _failed(self, error: ErrorBody) -> None:
        self.trouble.say(error_words(error))

    # ── asking ───────────────────────────────────────────────────────────────

    def _send(self, text: str) -> None:
        if self._stream is not None or self._beginning == text:
            return  # a double click asks once
        self.trouble.say("")
        if self.key:
            self._say(text)
            return
        self._beginning = text

        def made(conversation: Conversation) -> None:
            self._beginning = ""
            self.key, self._conversation = conversation.id, conversation
            self._say(text)

        def refused(error: ErrorBody) -> None:
            self._beginning = ""
            self.composer.field.put(text)
            self._failed(error)

        self._requests.new_conversation(self._draft, made, refused)

    def _say(self, text: str) -> None:
        replaces, self._replaces = self._replaces, None
        if replaces is not None:
            for message in self.transcript.messages:
                if message.key == replaces:
                    self.transcript.cut_from(message)
                    break
        self._asked = text
        self.stack.setCurrentWidget(self.transcript)
        question = self.transcript.add("user")
        question.ask(text)
        self._write(
            self._requests.say(self.key, SayRequest(content=text, replaces=replaces)),
            self.transcript.add("assistant"),
        )

    def _again(self) -> None:
        if self._stream is None and self.transcript.messages:
            self.composer.setFocus()  # the button goes with the answer; its focus went anywhere
            self.transcript.cut_from(self.transcript.messages[-1])
            answer = self.transcript.add("assistant")
            self._write(self._requests.regenerate(self.key), answer)

    def _write(self, stream: Stream, answer: Message) -> None:
        answer.begin_writing()
        self.transcript.mark_last()
        answer.may_be_written_again(yes=False)
        self.transcript.follow()
        self._follow(stream, answer)

    def _follow(self, stream: Stream, answer: Message) -> None:
        self._stream, self._answer = stream, answer
        stream.event.connect(self._heard)
        stream.ended.connect(self._ended)
        answer.may_be_written_again(yes=False)
        self.composer.set_writing(yes=True)
        self.busy_changed.emit(True)

    def _heard(self, name: str, data: str) -> None:
        answer = self._answer
        if answer is None:
            return
        try:
            if name == "delta":
                answer.add(msgspec.json.decode(data, type=AnswerDelta).text)
            elif name == "waiting":
                answer.wait_for(msgspec.json.decode(data, type=AnswerWaiting))
            elif name == "message":
                view = msgspec.json.decode(data, type=MessageView)
                if view.role == "assistant":
                    answer.show_view(view)
            elif name == "error":
                answer.fail(error_words(msgspec.json.decode(data, type=ErrorBody)))
        except msgspec.MsgspecError:
            answer.fail(tr("A part of the answer could not be read."))

    def _ended(self, error: ErrorBody | None) -> None:
        answer = self._answer
        self._drop_stream()
        if error is not None and answer is not None:
            answer.fail(error_words(error))
        self.transcript.mark_last()
        # The node has named the messages and perhaps the conversation: take that over.
        self._requests.conversations(self._listed, lambda _: None)
        if error is None:
            self._requests.conversation(self.key, self._named, lambda _: None)
        elif answer is not None and not answer.text.source:
            self._requests.conversation(
                self.key, lambda kept: self._refused(kept, error_words(error)), lambda _: None
            )

    def _refused(self, kept: Conversation, sentence: str) -> None:
        """Nothing was answered: where the question was not kept, give it back to the person."""
        spoken = [view for view in kept.messages if view.role != "system"]
        if kept.id != self.key or self._stream is not None or not self._asked:
            return
        if any(view.role == "user" and view.content == self._asked for view in spoken[-2:]):
            return
        self.transcript.show_messages(kept.messages)
        self.stack.setCurrentWidget(self.transcript if spoken else self.empty)
        if not self.composer.field.toPlainText():
            self.composer.field.put(self._asked)
        self.trouble.say(sentence)

    def _named(self, conversation: Conversation) -> None:
        """Take over names and numbers without drawing anything anew."""
        if conversation.id != self.key or self._stream is not None:
            return
        self._conversation = conversation
        self.title.setText(words.chat_title(conversation.title))
        self.export.setEnabled(True)
        spoken = [view for view in conversation.messages if view.role != "system"]
        if len(spoken) != len(self.transcript.messages):
            self.transcript.show_messages(conversation.messages)
            return
        for message, view in zip(self.transcript.messages, spoken, strict=True):
            message.key = view.id
            if not message.waiting.isHidden():
                message.show_view(view)  # it was complete before anybody could follow it

    def _leave_stream(self) -> None:
        """Stop listening; the node writes on."""
        if self._stream is not None:
            self._stream.stop()
            self._drop_stream()

    def _drop_stream(self) -> None:
        self._stream = self._answer = None
        self.composer.set_writing(yes=False)
        self.busy_changed.emit(False)

    def _stop(self) -> None:
        if self._stream is not None:
            self._requests.stop_answer(self.key, self._failed)

    # ── changing ─────────────────────────────────────────────────────────────

    def _edit(self, message: Message) -> None:
        if message.key is None or self._stream is not None:
            return
        self._replaces = message.key
        self.composer.edit(message.text.source)

    def _no_edit(self) -> None:
        self._replaces = None

    def _delete(self, key: str) -> None:
        def deleted(_: bytes) -> None:
            if key == self.key:
                self.begin_new()
            self._requests.conversations(self._listed, self._failed)

        self._requests.delete_conversation(key, deleted, self._failed)

    def _rename(self, key: str, title: str) -> None:
        def renamed(conversation: Conversation) -> None:
            if key == self.key:
                self.title.setText(words.chat_title(conversation.title))
            self._requests.conversations(self._listed, self._failed)

        change = ConversationChange(title=title)
        self._requests.change_conversation(key, change, renamed, self._failed)

    def _options(self) -> None:
        options = self._conversation.options if self._conversation else self._draft
        dialog = ChatOptions(self, options, self._offers)
        key = self.key
        dialog.accepted.connect(lambda: self._change_options(key, dialog))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

        def offered(offers: list[ModelOffer]) -> None:
            self._offers = offers
            dialog.show_offers(offers, dialog.options().model)

        # What is chosen under Models may have changed since the node was asked last.
        self._backend.asked_by(dialog).models(offered, lambda _: None)

    def _change_options(self, key: str, dialog: ChatOptions) -> None:
        def changed(conversation: Conversation) -> None:
            if key == self.key:
                self._conversation = conversation

        if not key:
            # Nothing is asked yet: the conversation is made with these when it is.
            self._draft = dialog.options()
            return
        change = ConversationChange(options=dialog.options())
        self._requests.change_conversation(key, change, changed, self._failed)

    def _export(self, kind: str, ending: str) -> None:
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        name = "".join(c if c.isalnum() or c in " -_" else "_" for c in self.title.text())[:60]
        suggestion = str(Path(folder) / f"{name.strip() or 'chat'}.{ending}")
        path, _ = QFileDialog.getSaveFileName(self, tr("Export this chat"), suggestion)
        if path:
            self.export_to(Path(path), kind)

    def export_to(self, path: Path, kind: str) -> None:
        """Write the conversation in front into a file; what goes wrong is said."""
        self.trouble.say("")

        def write(data: bytes) -> None:
            try:
                path.write_bytes(data)
            except OSError as error:
                self.trouble.say(
                    tr("{path} could not be written: {reason}. The chat is kept here.").format(
                        path=path, reason=error.strerror or error
                    )
                )

        self._requests.export_conversation(self.key, kind, write, self._failed)
