"""Colours for code: a small tokenizer for the languages that answers are written in. Pure.

It knows comments, strings, numbers and keywords, which is what helps reading; it never
fails, and an unknown language simply stays uncoloured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

Kind = Literal["keyword", "string", "comment", "number"]
MAX_CODE_CHARACTERS: Final = 8_000
"""Longer code is shown without colours: they would hold up the window with each new line."""


@dataclass(frozen=True)
class Token:
    """`length` characters from `start`, of one kind."""

    start: int
    length: int
    kind: Kind


_C_WORDS = (
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register return short signed sizeof static struct switch typedef union "
    "unsigned void volatile while class namespace template typename public private protected "
    "virtual override new delete try catch throw using nullptr true false bool constexpr this "
    "NULL include define ifdef ifndef endif import interface extends implements final package "
    "abstract boolean byte null super throws synchronized instanceof string var foreach in is "
    "async await get set readonly"
)
_WORDS: Final = {
    "python": "and as assert async await break case class continue def del elif else except "
    "False finally for from global if import in is lambda match None nonlocal not or pass raise "
    "return True try while with yield self",
    "javascript": "async await break case catch class const continue debugger default delete do "
    "else enum export extends false finally for from function if implements import in "
    "instanceof interface let new null of private protected public return static super switch "
    "this throw true try type typeof undefined var void while yield readonly as string number "
    "boolean any",
    "c": _C_WORDS,
    "rust": "as async await break const continue crate dyn else enum extern false fn for if impl "
    "in let loop match mod move mut pub ref return self Self static struct super trait true type "
    "unsafe use where while",
    "go": "break case chan const continue default defer else fallthrough for func go goto if "
    "import interface map package range return select struct switch type var nil true false",
    "shell": "if then else elif fi for in do done while until case esac function return local "
    "export echo exit set unset source alias cd sudo",
    "sql": "select from where insert into values update set delete create table drop alter add "
    "primary key foreign references not null unique index join left right inner outer on as and "
    "or order by group having limit offset union all distinct case when then else end in is "
    "like between exists begin commit rollback",
    "data": "true false null yes no on off",
    "style": "important media import from to and not only",
}
_HASH = r"#[^\n]*"
_SLASHES = r"//[^\n]*|/\*[\s\S]*?(?:\*/|\Z)"
_DASHES = r"--[^\n]*|/\*[\s\S]*?(?:\*/|\Z)"
_QUOTED = r'"(?:\\.|[^"\\\n])*"?|' + r"'(?:\\.|[^'\\\n])*'?"
_TICKED = _QUOTED + r"|`(?:\\.|[^`\\])*`?"
_TRIPLE = r'"""[\s\S]*?(?:"""|\Z)|' + r"'''[\s\S]*?(?:'''|\Z)|" + _QUOTED
_FAMILIES: Final = {
    "python": (_HASH, _TRIPLE),
    "javascript": (_SLASHES, _TICKED),
    "c": (_SLASHES, _QUOTED),
    "rust": (_SLASHES, r'"(?:\\.|[^"\\])*"?'),
    "go": (_SLASHES, _TICKED),
    "shell": (r"(?<![\w$])" + _HASH, _QUOTED),
    "sql": (_DASHES, _QUOTED),
    "data": (_HASH, _QUOTED),
    "style": (_SLASHES, _QUOTED),
    "markup": (r"<!--[\s\S]*?(?:-->|\Z)", _QUOTED),
}
_NAMES: Final = {
    **dict.fromkeys(("python", "py", "python3", "pycon"), "python"),
    **dict.fromkeys(("javascript", "js", "jsx", "typescript", "ts", "tsx", "json5"), "javascript"),
    **dict.fromkeys(("c", "cpp", "c++", "h", "java", "cs", "csharp", "c#", "kotlin", "swift"), "c"),
    **dict.fromkeys(("rust", "rs"), "rust"),
    **dict.fromkeys(("go", "golang"), "go"),
    **dict.fromkeys(("sh", "bash", "shell", "zsh", "console", "fish", "powershell"), "shell"),
    **dict.fromkeys(("sql", "sqlite", "postgresql", "mysql"), "sql"),
    **dict.fromkeys(("json", "yaml", "yml", "toml", "ini", "conf", "dockerfile"), "data"),
    **dict.fromkeys(("css", "scss", "less"), "style"),
    **dict.fromkeys(("html", "xml", "svg", "vue"), "markup"),
}
_KINDS: Final[dict[str | None, Kind]] = {
    "comment": "comment",
    "string": "string",
    "number": "number",
    "tag": "keyword",
}
_NUMBER = r"\b(?:0[xX][0-9a-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\b"


def tokens(language: str, text: str) -> Iterator[Token]:
    """What is to be coloured, in order and without overlaps."""
    family = _NAMES.get(language.lower())
    if family is None or len(text) > MAX_CODE_CHARACTERS:
        return
    pattern, words = _grammar(family)
    for match in pattern.finditer(text):
        kind = match.lastgroup
        if kind == "word":
            word = match[0].lower() if family == "sql" else match[0]
            if word in words:
                yield Token(match.start(), len(match[0]), "keyword")
        elif kind in _KINDS:
            yield Token(match.start(), len(match[0]), _KINDS[kind])


@lru_cache(maxsize=16)
def _grammar(family: str) -> tuple[re.Pattern[str], frozenset[str]]:
    comment, string = _FAMILIES[family]
    tag = r"|(?P<tag></?[A-Za-z][\w-]*|/?>)" if family == "markup" else ""
    pattern = (
        f"(?P<comment>{comment})|(?P<string>{string})|(?P<number>{_NUMBER}){tag}"
        r"|(?P<word>[^\W\d]\w*)"
    )
    return re.compile(pattern), frozenset(_WORDS.get(family, "").split())
