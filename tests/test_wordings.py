"""Every code that the node can produce has a template, and every template is used."""

from __future__ import annotations

import ast
import re
import string
from functools import cache
from pathlib import Path

from app import wordings
from app.sentences import IN_ENGLISH, At
from app.wordings import WORDINGS

ROOT = Path(wordings.__file__).parent
EXAMPLES = {"": "x", "size": 1, "count": 2, "number": 1.5, "time": At(0.0, "8:00"), "own": "x"}


@cache
def calls() -> list[tuple[str, ast.Call]]:
    """Every call of `say` in the program, with where it is."""
    return [
        (f"{path.name}:{node.lineno}", node)
        for path in sorted(ROOT.rglob("*.py"))
        if "say(" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say"
    ]


def codes(call: ast.Call) -> list[str]:
    """What may be said by a call: one code, or one of two; "" for what is not written out."""
    first = call.args[0]
    branches = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
    return [str(one.value) if isinstance(one, ast.Constant) else "" for one in branches]


def places(template: str) -> dict[str, str]:
    """The open places of a template, with their kinds."""
    return {name: kind or "" for _, name, kind, _ in string.Formatter().parse(template) if name}


def test_every_sentence_that_is_said_has_a_template_with_just_these_places() -> None:
    assert len(calls()) > 100
    wrong = []
    for where, call in calls():
        given = {keyword.arg for keyword in call.keywords}
        for code in codes(call):
            if code not in WORDINGS:
                wrong.append(f"{where}: the code has to be one of app/wordings.py, written out")
            elif None not in given and given != set(places(WORDINGS[code])):
                wrong.append(f"{where}: {code} is given {given}")
    assert wrong == []


def test_every_template_is_said_somewhere() -> None:
    said = {code for _, call in calls() for code in codes(call)}
    assert set(WORDINGS) - said == set()


def test_no_code_stands_in_two_tables() -> None:
    tables = [v for k, v in vars(wordings).items() if isinstance(v, dict) and k.isupper()]
    assert sum(len(t) for t in tables if t is not WORDINGS) == len(WORDINGS)


def test_every_template_can_be_filled_and_fits_in_a_line() -> None:
    for code, template in WORDINGS.items():
        assert re.fullmatch(r"[a-z_]+", code)
        values = {name: EXAMPLES[kind] for name, kind in places(template).items()}
        words = IN_ENGLISH.fill(template, values)
        assert words
        assert "\n" not in words
        assert not set("{}") & set(words)
