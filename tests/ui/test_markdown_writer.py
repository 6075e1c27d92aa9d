"""Blocks into a document, and the tail of it written anew."""

from __future__ import annotations

from PySide6.QtGui import QTextDocument

from app.ui.markdown import parse
from app.ui.markdown_writer import CODE_MARK, DocumentWriter

TEXT = (
    "# Title\n\nWords **bold**.\n\n- a\n- b\n\n```python\nx = 1\n```\n\n| a |\n|--|\n| 1 |\n\nend"
)


def written(theme, text: str) -> QTextDocument:
    document = QTextDocument()
    DocumentWriter(document, theme).write(parse(text))
    return document


def test_all_words_are_there_without_marks(theme) -> None:
    shown = written(theme, TEXT).toPlainText()
    assert "Words bold." in shown
    assert "•\ta" in shown
    assert "x = 1" in shown
    assert "end" in shown
    assert "**" not in shown
    assert "```" not in shown


def test_code_is_one_paragraph_with_its_language(theme) -> None:
    document = written(theme, "```c\na\nb\n```")
    block = document.firstBlock()
    assert block.blockFormat().property(CODE_MARK) == "c"
    assert block.text() == "a\u2028b"


def test_code_has_colours(theme) -> None:
    document = written(theme, "```python\nif x:\n```")
    block = document.firstBlock()
    (first, *_) = block.layout().formats()
    assert (first.start, first.length) == (0, 2)
    assert first.format.foreground().color() == theme.colour("code_keyword")


def test_a_tail_written_anew_is_the_same_as_all_written_at_once(theme) -> None:
    blocks = parse(TEXT)
    document = QTextDocument()
    writer = DocumentWriter(document, theme)
    positions = writer.write(blocks)
    for number in reversed(range(len(blocks))):
        writer.cut(positions[number])
        writer.write(blocks[number:])
        assert document.toPlainText() == written(theme, TEXT).toPlainText()


def test_links_keep_their_address(theme) -> None:
    document = written(theme, "[a](https://b.c)")
    assert "https://b.c" in document.toHtml()
