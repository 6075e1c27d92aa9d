"""Chat templates as models bring them, and as somebody with bad intentions might."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine import template as template_module
from app.engine.template import render
from app.errors import EngineFault

TODAY = datetime.date(2026, 7, 4)
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who are you? "},
    {"role": "assistant", "content": "A model."},
    {"role": "user", "content": "Whose?"},
]
LLAMA_3 = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
QWEN = """{%- if tools %}
    {{- '<|im_start|>system\\n# Tools\\n' }}{{- tools | tojson }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(last=messages|length - 1) %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if message.role == "user" or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
    {%- if loop.index0 == ns.last %}{%- break %}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
GEMMA = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}\
{% set first = messages[0]['content'] + '\\n\\n' %}{% set loop_messages = messages[1:] %}\
{% else %}{% set first = '' %}{% set loop_messages = messages %}{% endif %}\
{% for message in loop_messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}\
{% endif %}\
{% if (message['role'] == 'assistant') %}{% set role = 'model' %}\
{% else %}{% set role = message['role'] %}{% endif %}\
{{ '<start_of_turn>' + role + '\\n' + (first if loop.first else '') }}\
{{ message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}"""
PHI_3 = """{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}\
{{'<|system|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'user' %}\
{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'assistant' %}\
{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"""
MISTRAL = """{{ bos_token }}
{% for message in messages if message.role != 'system' %}
    {% if message.role == 'user' %}
{{ '[INST] ' + message.content + ' [/INST]' }}
    {% else %}
{{ ' ' + message.content + eos_token }}
    {% endif %}
{% endfor %}
"""


def prompt(template: str, messages: list[dict[str, str]] | None = None) -> str:
    return render(template, messages or TALK, begin="<s>", end="</s>", today=TODAY)


# ── what models bring ────────────────────────────────────────────────────────────────────


def test_a_llama_3_template() -> None:
    assert prompt(LLAMA_3) == (
        "<s><|start_header_id|>system<|end_header_id|>\n\n"
        "Today Date: 04 Jul 2026\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWho are you?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nA model.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWhose?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_a_qwen_template() -> None:
    assert prompt(QWEN) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nWho are you? <|im_end|>\n"
        "<|im_start|>assistant\nA model.<|im_end|>\n"
        "<|im_start|>user\nWhose?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_gemma_template() -> None:
    assert prompt(GEMMA) == (
        "<s><start_of_turn>user\nBe brief.\n\nWho are you?<end_of_turn>\n"
        "<start_of_turn>model\nA model.<end_of_turn>\n"
        "<start_of_turn>user\nWhose?<end_of_turn>\n"
        "<start_of_turn>model\n"
    )


def test_a_phi_3_template() -> None:
    assert prompt(PHI_3) == (
        "<|system|>\nBe brief.<|end|>\n<|user|>\nWho are you? <|end|>\n"
        "<|assistant|>\nA model.<|end|>\n<|user|>\nWhose?<|end|>\n<|assistant|>\n"
    )


def test_blocks_leave_no_blank_lines() -> None:
    assert prompt(MISTRAL) == (
        "<s>\n[INST] Who are you?  [/INST]\n A model.</s>\n[INST] Whose? [/INST]\n"
    )


def test_a_model_without_a_template_gets_a_plain_one() -> None:
    assert prompt("") == (
        "system: Be brief.\nuser: Who are you? \nassistant: A model.\nuser: Whose?\nassistant:"
    )


def test_json_keeps_its_letters() -> None:
    talk = [{"role": "user", "content": "<é> & 'ü'"}]
    assert prompt("{{ messages[0] | tojson }}", talk) == (
        '{"role": "user", "content": "<é> & \'ü\'"}'
    )
    assert prompt("{{ {'a': 1} | tojson(indent=2) }}").startswith("{")


def test_what_people_write_is_not_read_as_a_template() -> None:
    talk = [{"role": "user", "content": "{{ 7 * 7 }} {% for %} {# no #}"}]
    assert prompt("{{ messages[0].content }}", talk) == "{{ 7 * 7 }} {% for %} {# no #}"


# ── what goes wrong ──────────────────────────────────────────────────────────────────────


def test_a_template_may_refuse_a_conversation() -> None:
    talk = [{"role": "assistant", "content": "I begin."}]
    with pytest.raises(EngineFault, match="refuses this conversation: Conversation roles must"):
        prompt(GEMMA, talk)


@pytest.mark.parametrize(
    "template",
    [
        "{% for %}",
        "{{ nothing.there }}",
        "{{ messages[9].content }}",
        "{{ 1 / 0 }}",
        "{{ messages + 1 }}",
        "{{ 'x' | no_such_filter }}",
        "{% include 'secrets.txt' %}",
        "{% import 'os' as os %}",
        "{% extends 'base' %}",
        "{{ strftime_now(3) }}",
        "{{ undefined | tojson }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% for a in [1] %}" * 30 + "{% endfor %}" * 30,
    ],
)
def test_a_broken_template_is_told_in_one_line(template: str) -> None:
    with pytest.raises(EngineFault, match="the model's chat template fails"):
        prompt(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__.__mro__ }}",
        "{{ raise_exception.__globals__.os }}",
        "{{ strftime_now.__self__.year }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ self.__init__.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ ''['__class__']['__mro__'] }}",
        "{{ ('' | attr('__class__')).__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update({'role': 'x'}) }}",
        "{{ messages[0].clear() }}",
    ],
)
def test_a_template_cannot_leave_its_sandbox(template: str) -> None:
    talk = [{"role": "user", "content": "hi"}]
    with pytest.raises(EngineFault):
        prompt(template, talk)
    assert talk == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    "hidden",
    [
        *("messages.__class__", "raise_exception.__globals__", "lipsum.__globals__"),
        *("strftime_now.__self__", "raise_exception.__code__", "'' | attr('__class__')"),
    ],
)
def test_what_lies_outside_the_sandbox_is_not_there(hidden: str) -> None:
    assert prompt("[{{ " + hidden + " }}]") == "[]"


def test_a_range_without_bounds_is_refused() -> None:
    with pytest.raises(EngineFault):
        prompt("{% for i in range(1000000000) %}{% endfor %}")


def test_a_prompt_far_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_module, "MAX_RENDERED_CHARACTERS", 100)
    assert len(prompt("{% for i in range(100) %}x{% endfor %}")) == 100
    with pytest.raises(EngineFault, match="far too long"):
        prompt("{% for i in range(101) %}x{% endfor %}")


PIECES = st.sampled_from(
    [
        *("{{ ", " }}", "{% ", " %}", "{# ", " #}", "for m in messages", "endfor", "if ", "endif"),
        *("else", "m.role", "messages", "[0]", ".content", " | trim", " | tojson", "'x'", "1", "("),
        *(
            ")",
            " + ",
            " * ",
            " ~ ",
            "set a = ",
            "a",
            "namespace(",
            "a.b = ",
            "macro f(",
            "call",
            "",
        ),
        *("raise_exception(", "bos_token", "range(9)", "break", "\n", "text", ".__class__", "-%}"),
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_template_renders_or_fails_in_one_way(template: str) -> None:
    try:
        assert isinstance(prompt(template), str)
    except EngineFault as fault:
        assert "the model's chat template" in str(fault)
