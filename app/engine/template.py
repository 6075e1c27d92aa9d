"""Writes a conversation the way a model was trained to read it.

Pure. The template comes with the model, from strangers: it runs in Jinja's
sandbox, and the caller runs this inside the worker, where a template that never
ends costs a worker and nothing else.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.errors import EngineFault

MAX_RENDERED_CHARACTERS: Final = 4 << 20
PLAIN_TEMPLATE: Final = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
"""For models that bring no template of their own."""

_FAILURES: Final = (
    *(jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError),
    # What a stranger's template can also lead Jinja and Python into.
    *(AttributeError, AssertionError, SyntaxError, RecursionError, MemoryError),
)


def render(
    template: str,
    messages: Sequence[dict[str, str]],
    *,
    begin: str,
    end: str,
    today: datetime.date,
) -> str:
    """The prompt for these messages, up to where the answer begins.

    Args:
        template: Jinja, as in `tokenizer.chat_template`; "" for the plain one.
        messages: each with `role` and `content`.
        begin, end: the texts of the tokens that begin and end a text.
        today: for templates that tell the model the date.

    Raises:
        EngineFault: the template is broken, or refuses these messages.
    """
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    try:
        text = environment.from_string(template or PLAIN_TEMPLATE).render(
            messages=list(messages),
            add_generation_prompt=True,
            bos_token=begin,
            eos_token=end,
            raise_exception=_refuse,
            strftime_now=today.strftime,
            tools=None,
        )
    except EngineFault:
        raise
    except _FAILURES as error:
        raise EngineFault(f"the model's chat template fails: {error}") from None
    if len(text) > MAX_RENDERED_CHARACTERS:
        raise EngineFault("the model's chat template makes a prompt that is far too long")
    return text


def _refuse(reason: Any) -> NoReturn:
    raise EngineFault(f"the model's chat template refuses this conversation: {reason}")
