"""Blocks into a document, and the tail of it written anew."""

from __future__ import annotations

from PySide6.QtGui import QTextDocument

from app.ui.controls import plain_tip
from app.ui.markdown import parse
from app.ui.markdown_writer import CODE_MARK, LIST_MARK, DocumentWriter

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
    assert "x = 1" in shown
    assert "end" in shown
    assert "**" not in shown
    assert "```" not in shown


def test_code_is_one_paragraph_with_its_language(theme) -> None:
    document = written(theme, "```c\na\nb\n```")
    block = document.firstBlock()
    assert block.blockFormat().property(CODE_MARK) == "c"
    assert block.text() == "a\u2028b"


def test_dots_and_numbers_are_no_part_of_the_text(theme) -> None:
    document = written(theme, "- a\n- b\n  1. c\n  2. d")
    assert document.toPlainText() == "a\nb\nc\nd"
    marks = []
    block = document.firstBlock()
    while block.isValid():
        marks.append(block.blockFormat().property(LIST_MARK))
        block = block.next()
    assert marks == ["•", "•", "1.", "2."]


def test_a_list_from_right_to_left_is_indented_at_the_right(theme) -> None:
    block = written(theme, "- \u05e9\u05dc\u05d5\u05dd").firstBlock()
    assert (block.blockFormat().leftMargin(), block.blockFormat().rightMargin()) == (0, 24)


def test_lines_of_code_are_not_broken(theme) -> None:
    document = written(theme, "```\n" + "x" * 900 + "\n```\n\nwords")
    document.setTextWidth(200)
    assert document.size().width() > 900
    assert document.firstBlock().layout().lineCount() == 1


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


def test_the_tip_of_a_link_is_the_link(theme) -> None:
    document = written(theme, "[a](https://b.c/<h1>x</h1><img/src=y>x)")
    ranges = document.firstBlock().textFormats()
    tips = [one.format.toolTip() for one in ranges]
    assert tips == [plain_tip("https://b.c/<h1>x</h1><img/src=y>x")]


def test_letters_that_nobody_sees_are_left_out_and_flags_stay(theme) -> None:
    flag = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    text = f"a{chr(0xE0041) * 5000}b {flag}"
    assert written(theme, text).toPlainText() == f"ab {flag}"


def test_korean_letters_are_put_together(theme) -> None:
    assert written(theme, "\u1112\u1161\u11ab").toPlainText() == "\ud55c"
