"""What every engine must do, real or fake: the tests of `Engine` as hosts and chains use it.

`tests/engine/test_engine_contract.py` runs them on a worker with a tiny model and on
`tests/helpers/fake_engine.py`, which other tests use.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

import numpy as np
import pytest
from numpy.typing import NDArray

from app.engine.frames import Part, PartResult
from app.engine.supervisor import Engine
from app.errors import BadInput, EngineFault, NoRoom

KV_TOKENS = 256
SEQUENCES = 4
TOKENS = [5, 17, 3, 44, 21, 8, 30, 2, 11, 40]


class Bench(ABC):
    """One engine under test, with the whole model or the middle of one."""

    engine: Engine
    width: int
    vocabulary_size: int

    @abstractmethod
    def hidden(self, rows: int) -> NDArray[np.float32]:
        """Rows that such a span may be given."""


def tokens_part(sequence: int, position: int, tokens: list[int], *, outputs: int = 1) -> Part:
    return Part(
        sequence=sequence,
        position=position,
        rows=len(tokens),
        outputs=outputs,
        candidates=4,
        tokens=tokens,
    )


def rows_part(sequence: int, position: int, rows: NDArray[np.float32]) -> Part:
    return Part(sequence=sequence, position=position, rows=len(rows), hidden=rows.tobytes())


async def sound(engine: Engine, part: Part) -> PartResult:
    result = await engine.compute(part)
    assert result.code == "", result.fault
    return result


class EngineContract:
    """Inherit, and give fixtures `whole` (0:N+2), `middle` (without either end)."""

    async def test_it_says_what_it_holds(self, whole: Bench, middle: Bench) -> None:
        assert whole.engine.span.start == 0
        assert middle.engine.span.start > 0
        assert middle.engine.span.stop < whole.engine.span.stop

    async def test_candidates_come_best_first(self, whole: Bench) -> None:
        result = await sound(whole.engine, tokens_part(0, 0, TOKENS, outputs=2))
        ids = np.frombuffer(result.ids, "<i4").reshape(2, 4)
        logits = np.frombuffer(result.logits, "<f4").reshape(2, 4)
        assert (np.diff(logits, axis=1) <= 0).all()
        assert ids.min() >= 0
        assert ids.max() < whole.vocabulary_size
        assert result.hidden == b""

    async def test_hidden_rows_come_without_the_head(self, middle: Bench) -> None:
        result = await sound(middle.engine, rows_part(0, 0, middle.hidden(3)))
        assert len(result.hidden) == 3 * middle.width * 4
        assert result.ids == result.logits == b""

    async def test_in_pieces_it_is_the_same_as_at_once(self, whole: Bench) -> None:
        at_once = await sound(whole.engine, tokens_part(0, 0, TOKENS))
        await sound(whole.engine, tokens_part(1, 0, TOKENS[:4], outputs=0))
        await sound(whole.engine, tokens_part(1, 4, TOKENS[4:9], outputs=0))
        assert await sound(whole.engine, tokens_part(1, 9, TOKENS[9:])) == at_once

    async def test_a_row_depends_on_those_before_it(self, whole: Bench) -> None:
        one = await sound(whole.engine, tokens_part(0, 0, TOKENS))
        other = await sound(whole.engine, tokens_part(1, 0, [TOKENS[1], TOKENS[0], *TOKENS[2:]]))
        assert one.logits != other.logits

    async def test_a_step_forgets_what_comes_after_its_position(self, whole: Bench) -> None:
        wanted = await sound(whole.engine, tokens_part(0, 0, TOKENS))
        await sound(whole.engine, tokens_part(1, 0, [*TOKENS[:3], 9, 9, 9, 9, 9, 9, 9, 9]))
        assert await sound(whole.engine, tokens_part(1, 3, TOKENS[3:])) == wanted

    async def test_a_repeated_step_gives_the_same(self, middle: Bench) -> None:
        rows = middle.hidden(6)
        first = await sound(middle.engine, rows_part(0, 0, rows[:4]))
        second = await sound(middle.engine, rows_part(0, 4, rows[4:]))
        assert await sound(middle.engine, rows_part(0, 4, rows[4:])) == second
        assert await sound(middle.engine, rows_part(0, 0, rows[:4])) == first

    async def test_a_gap_is_told_and_changes_nothing(self, whole: Bench) -> None:
        wanted = await sound(whole.engine, tokens_part(0, 0, TOKENS))
        await sound(whole.engine, tokens_part(1, 0, TOKENS[:5], outputs=0))
        result = await whole.engine.compute(tokens_part(1, 6, TOKENS[6:]))
        assert result.code == "gap"
        assert result.fault
        assert await sound(whole.engine, tokens_part(1, 5, TOKENS[5:])) == wanted

    async def test_a_forgotten_sequence_has_a_gap(self, whole: Bench) -> None:
        await sound(whole.engine, tokens_part(2, 0, TOKENS[:5], outputs=0))
        await whole.engine.forget(2)
        assert (await whole.engine.compute(tokens_part(2, 5, TOKENS[5:]))).code == "gap"

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    async def test_values_that_are_not_finite_are_a_fault(
        self, middle: Bench, value: float
    ) -> None:
        rows = middle.hidden(3)
        rows[1, 2] = value
        assert (await middle.engine.compute(rows_part(0, 0, rows))).code == "input"

    async def test_rows_of_the_wrong_width_are_a_fault(self, middle: Bench) -> None:
        rows = middle.hidden(2)[:, :-1].copy()
        assert (await middle.engine.compute(rows_part(0, 0, rows))).code == "input"

    async def test_tokens_are_a_fault_where_rows_are_wanted(self, middle: Bench) -> None:
        assert (await middle.engine.compute(tokens_part(0, 0, TOKENS))).code == "input"

    async def test_a_token_outside_the_vocabulary_is_a_fault(self, whole: Bench) -> None:
        part = tokens_part(0, 0, [1, whole.vocabulary_size])
        assert (await whole.engine.compute(part)).code == "input"

    async def test_an_unknown_sequence_is_a_fault(self, whole: Bench) -> None:
        assert (await whole.engine.compute(tokens_part(SEQUENCES, 0, TOKENS))).code == "input"
        with pytest.raises(EngineFault):
            await whole.engine.forget(SEQUENCES)

    async def test_a_bad_part_harms_no_other(self, whole: Bench) -> None:
        wanted = await sound(whole.engine, tokens_part(0, 0, TOKENS))
        good, gap, wrong = await asyncio.gather(
            whole.engine.compute(tokens_part(1, 0, TOKENS)),
            whole.engine.compute(tokens_part(2, 4, TOKENS)),
            whole.engine.compute(tokens_part(3, 0, [whole.vocabulary_size])),
        )
        assert good == wanted
        assert (gap.code, wrong.code) == ("gap", "input")

    async def test_parts_of_several_sequences_do_not_mix(self, whole: Bench) -> None:
        texts = [TOKENS[:4], TOKENS[2:9], list(reversed(TOKENS))]
        alone = [await sound(whole.engine, tokens_part(0, 0, text)) for text in texts]
        together = await asyncio.gather(
            *(
                whole.engine.compute(tokens_part(sequence, 0, text))
                for sequence, text in enumerate(texts)
            )
        )
        assert together == alone

    async def test_parts_of_one_sequence_keep_their_order(self, whole: Bench) -> None:
        wanted = await sound(whole.engine, tokens_part(0, 0, TOKENS))
        *_, last = await asyncio.gather(
            whole.engine.compute(tokens_part(1, 0, TOKENS[:3], outputs=0)),
            whole.engine.compute(tokens_part(1, 3, TOKENS[3:8], outputs=0)),
            whole.engine.compute(tokens_part(1, 8, TOKENS[8:])),
        )
        assert last == wanted

    async def test_a_long_step_beside_short_ones_is_the_same_as_alone(self, whole: Bench) -> None:
        text = TOKENS * 6
        alone = await sound(whole.engine, tokens_part(0, 0, text, outputs=3))
        others = [whole.engine.compute(tokens_part(2, at, [at + 1])) for at in range(4)]
        together, *_ = await asyncio.gather(
            whole.engine.compute(tokens_part(1, 0, text, outputs=3), client=b"long"), *others
        )
        assert together == alone

    async def test_what_nobody_wants_any_more_is_not_computed(self, whole: Bench) -> None:
        await sound(whole.engine, tokens_part(0, 0, TOKENS))
        kept, gone, late = await asyncio.gather(
            whole.engine.compute(tokens_part(1, 0, TOKENS)),
            whole.engine.compute(tokens_part(0, 10, [1]), wanted=lambda: False),
            whole.engine.compute(tokens_part(0, 10, [1]), deadline_seconds=0.0),
        )
        assert (kept.code, gone.code, late.code) == ("", "withdrawn", "late")
        assert (await whole.engine.compute(tokens_part(0, 11, [1]))).code == "gap"

    async def test_full_memory_is_told(self, middle: Bench) -> None:
        rows = middle.hidden(100)
        assert (await middle.engine.compute(rows_part(0, 0, rows))).code == ""
        assert (await middle.engine.compute(rows_part(1, 0, rows))).code == ""
        assert (await middle.engine.compute(rows_part(2, 0, rows))).code == "no_room"
        await middle.engine.forget(0)
        assert (await middle.engine.compute(rows_part(2, 0, rows))).code == ""

    async def test_the_ledger_refuses_with_figures(self, whole: Bench) -> None:
        ledger = whole.engine.ledger
        sequence = ledger.admit(200)
        with pytest.raises(NoRoom, match=r"100 tokens are wanted and 56 of 256 are free"):
            ledger.admit(100)
        ledger.release(sequence)
        assert ledger.tokens_free == KV_TOKENS

    async def test_memory_moves_to_another_sequence(self, whole: Bench) -> None:
        wanted = await sound(whole.engine, tokens_part(0, 0, TOKENS))
        await sound(whole.engine, tokens_part(1, 0, TOKENS[:6], outputs=0))
        await whole.engine.restore(2, await whole.engine.save(1, 6))
        assert await sound(whole.engine, tokens_part(2, 6, TOKENS[6:])) == wanted

    async def test_the_beginning_of_a_memory_moves_too(self, whole: Bench) -> None:
        wanted = await sound(whole.engine, tokens_part(0, 0, TOKENS))
        form = await whole.engine.memory_form(3)
        state = await whole.engine.save(0, 4)
        assert len(state) == 4 * form.position_bytes
        await whole.engine.restore(2, state)
        assert (await whole.engine.compute(tokens_part(2, 5, TOKENS[5:]))).code == "gap"
        assert await sound(whole.engine, tokens_part(2, 4, TOKENS[4:])) == wanted

    async def test_the_form_of_memory_is_known_before_anything_else_is(self, middle: Bench) -> None:
        form = await middle.engine.memory_form(0)
        assert form.position_bytes > 0
        assert len(form.digest) == 32
        assert (await middle.engine.compute(rows_part(0, 1, middle.hidden(1)))).code == "gap"

    async def test_memory_that_is_none_is_bad_input(self, whole: Bench) -> None:
        await sound(whole.engine, tokens_part(0, 0, TOKENS))
        state = await whole.engine.save(0, 4)
        for wrong in (b"", state[:-1], state + b"\0", b"not a memory", b"\xff" * len(state)):
            with pytest.raises(BadInput):
                await whole.engine.restore(3, wrong)

    async def test_nothing_known_is_no_memory(self, whole: Bench) -> None:
        with pytest.raises(EngineFault):
            await whole.engine.save(3, 4)
        with pytest.raises(EngineFault):
            await whole.engine.memory_form(SEQUENCES)
