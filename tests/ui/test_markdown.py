"""Markdown into blocks: what answers use, and nothing that breaks on the rest."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from app.ui.markdown import (
    MAX_CELLS,
    MAX_ITEM_LINES,
    Block,
    Code,
    Heading,
    Items,
    Paragraph,
    Quote,
    Rule,
    Table,
    parse,
    parse_placed,
)


def test_lines_in_a_row_are_one_paragraph() -> None:
    assert parse("one\ntwo\n\nthree") == [Paragraph("one two"), Paragraph("three")]


def test_two_blanks_at_the_end_break_a_line() -> None:
    assert parse("one  \ntwo") == [Paragraph("one\ntwo")]


def test_headings_and_rules() -> None:
    assert parse("## Two ##\n---\n#no") == [Heading(2, "Two"), Rule(), Paragraph("#no")]


def test_code_keeps_every_character() -> None:
    assert parse("```Python title\na = 1\n\n  # b\n```\nafter") == [
        Code("python", "a = 1\n\n  # b"),
        Paragraph("after"),
    ]


def test_code_that_is_still_being_written_is_code_already() -> None:
    assert parse("```c\nint a;") == [Code("c", "int a;", closed=False)]


def test_a_list_holds_lists() -> None:
    inner = Items(None, ((Paragraph("b"),),))
    assert parse("- a\n  - b\n- c") == [Items(None, ((Paragraph("a"), inner), (Paragraph("c"),)))]


def test_a_numbered_list_keeps_its_first_number_over_blank_lines() -> None:
    assert parse("3. a\n\n4. b") == [Items(3, ((Paragraph("a"),), (Paragraph("b"),)))]


def test_code_inside_a_list_stays_there() -> None:
    (block,) = parse("1. run\n   ```sh\n   ls\n   ```\n2. look")
    assert isinstance(block, Items)
    assert block.items[0] == (Paragraph("run"), Code("sh", "ls"))


def test_a_quote_holds_blocks() -> None:
    assert parse("> a\n> - b") == [Quote((Paragraph("a"), Items(None, ((Paragraph("b"),),))))]


def test_a_table_has_a_head_alignments_and_rows_of_one_width() -> None:
    (table,) = parse("| a | b |\n|:-:|--:|\n| 1 | `x|y` |\n| 2 |")
    assert table == Table(("center", "right"), ("a", "b"), (("1", "`x|y`"), ("2", "")))


def test_a_table_too_large_to_draw_stands_as_it_was_typed() -> None:
    rows = ["| a | b |", "|---|---|", *(f"| {n} | x |" for n in range(MAX_CELLS // 2 - 1))]
    (whole,) = parse("\n".join(rows))
    assert isinstance(whole, Table)
    rows.append("| more | x |")
    assert parse("\n".join([*rows, "", "after"])) == [Code("", "\n".join(rows)), Paragraph("after")]


def test_a_long_list_goes_on_as_another_one() -> None:
    lines = [f"{n}. item" for n in range(1, 2 * MAX_ITEM_LINES + 10)]
    placed = parse_placed(lines)
    assert [one.line for one in placed] == [0, MAX_ITEM_LINES, 2 * MAX_ITEM_LINES]
    blocks = [one.block for one in placed]
    assert [b.first for b in blocks if isinstance(b, Items)] == [1, 121, 241]
    assert sum(len(b.items) for b in blocks if isinstance(b, Items)) == len(lines)
    for number, one in enumerate(placed):
        assert [p.block for p in parse_placed(lines[one.line :])] == blocks[number:]


def test_html_stays_text() -> None:
    assert parse("<script>x</script>") == [Paragraph("<script>x</script>")]


def test_each_block_knows_its_line() -> None:
    assert [one.line for one in parse_placed(["a", "", "# b", "c"])] == [0, 2, 3]


def test_what_stands_above_a_block_does_not_change_it() -> None:
    text = "a\n\n```\nx\n```\n- 1\n\n> q\n\n| a |\n|--|\n| 1 |\n\nend"
    lines = text.split("\n")
    placed = parse_placed(lines)
    for number, one in enumerate(placed):
        alone = parse_placed(lines[one.line :])
        assert [p.block for p in alone] == [p.block for p in placed[number:]]


def test_hostile_text_takes_no_long_time() -> None:
    began = time.process_time()
    for text in ("> " * 4000, "- " * 4000, "|" * 20000 + "\n" + "|-" * 10000, "`" * 20000):
        parse(text)
    assert time.process_time() - began < 3


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet="ab \n#*-_>`~|1.)[](!:\\\t", max_size=120))
def test_any_text_gives_blocks(text: str) -> None:
    blocks: list[Block] = parse(text)
    assert bool(blocks) == bool(text.strip())
