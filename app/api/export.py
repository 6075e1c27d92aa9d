"""A conversation as a text that people keep: Markdown, one heading for each turn.

Pure. The same as JSON needs nothing: it is the shape itself.
"""

from __future__ import annotations

from app.api.shapes import Conversation, MessageView

_WHO = {"user": "You", "assistant": "Answer", "system": "Instructions"}


def as_markdown(conversation: Conversation) -> str:
    """The whole conversation; who answered stands under each answer."""
    parts = [f"# {conversation.title or 'Conversation'}"]
    if conversation.options.system:
        parts.append(f"## {_WHO['system']}\n\n{conversation.options.system}")
    for message in conversation.messages:
        text = f"## {_WHO[message.role]}\n\n{message.content}"
        if message.role == "assistant":
            text += f"\n\n*{_footer(message)}*"
        parts.append(text)
    return "\n\n".join(parts) + "\n"


def _footer(message: MessageView) -> str:
    words = [", ".join(message.chain) or "nobody", f"{message.tokens} tokens"]
    if message.tokens_per_second:
        words.append(f"{message.tokens_per_second:.1f} a second")
    if message.state == "stopped":
        words.append("stopped")
    if message.error:
        words.append(message.error)
    return "; ".join(words)
