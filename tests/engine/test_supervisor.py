"""One mounted span that keeps running, whatever its worker does; see app/engine/supervisor.py."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from app.engine import frames, mount, mounting, queueing, supervisor
from app.engine.ladder import Ladder
from app.engine.mounting import BATCH_ROWS, thread_counts
from app.engine.supervisor import Engine
from app.engine.worker import NICENESS
from app.errors import BadInput, EngineFault, NoRoom, Refusal, WorkerDied
from app.ids import Span
from tests.engine.mounted import Prepare, defective, part, pid_of, soon, until_restarted
from tests.helpers.tiny_models import WIDTH

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("nothing_left_running")]


async def test_steps_of_several_sequences_share_a_decode(prepare: Prepare, ladder: Ladder) -> None:
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        alone = await engine.compute(part(0, 0, 4))
        assert alone.fault == ""
        before = engine.status.decodes
        results = await asyncio.gather(*(engine.compute(part(n, 0, 4)) for n in range(5)))
        assert [result.hidden for result in results] == [alone.hidden] * 5
        # The first starts at once, the others wait for it and go together.
        assert engine.status.decodes - before == 2
        assert engine.status.parts == 6
        assert engine.status.decodes < engine.status.parts
        assert engine.status.busy_seconds > 0


async def test_a_decode_that_is_held_back_takes_whoever_comes_meanwhile(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hold(queue: queueing.StepQueue[Any], now: float) -> float:
        return 30.0 if queue.rows_waiting < 3 else 0.0

    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        monkeypatch.setattr(queueing.StepQueue, "hold_seconds", hold)
        before = engine.status.decodes
        results = await asyncio.gather(*(engine.compute(part(n, 0)) for n in range(3)))
        assert [result.code for result in results] == [""] * 3
        assert engine.status.decodes - before == 1


async def test_a_decode_that_is_held_back_begins_when_nobody_comes(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = [0.001, 0.001]
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        monkeypatch.setattr(
            queueing.StepQueue, "hold_seconds", lambda queue, now: holds.pop() if holds else 0.0
        )
        assert (await engine.compute(part(0, 0))).code == ""
        assert holds == []
        monkeypatch.setattr(queueing.StepQueue, "hold_seconds", lambda queue, now: 30.0)
        waiting = asyncio.ensure_future(engine.compute(part(1, 0)))
        await asyncio.sleep(0)
    with pytest.raises(WorkerDied):
        await waiting


async def test_steps_of_one_sequence_keep_their_order(prepare: Prepare, ladder: Ladder) -> None:
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        steps = [engine.compute(part(n, at)) for at in range(6) for n in range(3)]
        results = await asyncio.gather(*steps)
        assert [result.code for result in results] == [""] * 18
        assert engine.status.decodes <= 7
        alone = [await engine.compute(part(4, at)) for at in range(6)]
        assert [result.hidden for result in results[::3]] == [r.hidden for r in alone]


async def test_a_decode_takes_no_more_rows_than_it_may(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("PIECE_SECONDS", "LEAST_PIECE_SECONDS"):  # however slow a decode is
        monkeypatch.setattr(queueing, limit, 3600.0)
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        before = engine.status.decodes
        rows = BATCH_ROWS // 4
        results = await asyncio.gather(
            *(engine.compute(part(n, 0, rows)) for n in range(5)),
            engine.compute(part(0, rows, 1)),
        )
        assert [result.code for result in results] == [""] * 6
        assert engine.status.decodes - before == 3
        assert engine.status.restarts == 0


async def test_a_step_longer_than_a_decode_is_computed_in_pieces(
    prepare: Prepare, ladder: Ladder
) -> None:
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        before = engine.status.decodes
        long = await engine.compute(part(0, 0, BATCH_ROWS + 1))
        assert (long.code, engine.status.decodes - before) == ("", 2)
        await engine.forget(0)
        pieces = [await engine.compute(part(1, 0, BATCH_ROWS)), await engine.compute(part(1, 128))]
        assert long.hidden == b"".join(piece.hidden for piece in pieces)


async def test_a_long_step_lets_those_who_write_go_first_and_comes_out_the_same(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "PIECE_SECONDS", 1e-6)  # pieces as small as they get
    monkeypatch.setattr(queueing, "WRITING_SECONDS", 3600.0)
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        alone = await engine.compute(part(4, 0, 60))
        await engine.compute(part(0, 0))
        before = engine.status.decodes
        reading = asyncio.create_task(engine.compute(part(1, 0, 60), client=b"reader"))
        written = 0
        while not reading.done():
            written += 1
            assert (await engine.compute(part(0, written), client=b"writer")).code == ""
        assert reading.result() == alone
        assert written >= 5
        assert engine.status.decodes - before >= 5


async def test_what_spoils_a_piece_spoils_the_whole_step(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "PIECE_SECONDS", 1e-6)
    monkeypatch.setattr(queueing, "WRITING_SECONDS", 3600.0)
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        await engine.compute(part(1, 0, 20))
        await engine.compute(part(0, 0))
        rows = np.full((40, WIDTH), 0.25, np.float32)
        rows[35] = np.nan
        spoiled = frames.Part(sequence=1, position=10, rows=40, hidden=rows.tobytes())
        assert (await engine.compute(spoiled)).code == "input"
        assert (await engine.compute(part(1, 20))).code == "gap"  # nothing is built on half of it
        assert (await engine.compute(part(1, 10))).code == ""


async def test_a_step_that_nobody_wants_when_its_turn_comes_is_not_computed(
    prepare: Prepare, ladder: Ladder
) -> None:
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        first, gone, late, kept = await asyncio.gather(
            engine.compute(part(0, 0)),
            engine.compute(part(1, 0), wanted=lambda: False),
            engine.compute(part(2, 0), deadline_seconds=0.0),
            engine.compute(part(3, 0), wanted=lambda: True, deadline_seconds=60.0),
        )
        assert (first.code, gone.code, late.code, kept.code) == ("", "withdrawn", "late", "")
        assert engine.status.parts == 2
        assert (await engine.compute(part(1, 1))).code == "gap"


async def test_too_much_of_one_client_is_refused_with_a_time_and_nobody_else_s(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "MOST_ROWS_OF_ONE", 40)
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        outcomes = await asyncio.gather(
            engine.compute(part(0, 0, 30), client=b"greedy"),
            engine.compute(part(1, 0, 30), client=b"greedy"),
            engine.compute(part(2, 0, 30), client=b"modest"),
            return_exceptions=True,
        )
        refusal = outcomes[1]
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.retry_after_seconds) == ("busy", 0.5)
        assert all(isinstance(outcomes[n], frames.PartResult) for n in (0, 2))
        assert (await engine.compute(part(1, 0, 30), client=b"greedy")).code == ""


async def test_a_bad_step_fails_alone(prepare: Prepare, ladder: Ladder) -> None:
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        good, gap, wild, also_good = await asyncio.gather(
            engine.compute(part(0, 0)),
            engine.compute(part(1, 9)),
            engine.compute(part(2, 0, value=float("nan"))),
            engine.compute(part(3, 0)),
        )
        assert (good.code, gap.code, wild.code, also_good.code) == ("", "gap", "input", "")
        assert good.hidden == also_good.hidden


async def test_a_step_given_up_while_it_waits_disturbs_no_other(
    prepare: Prepare, ladder: Ladder
) -> None:
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        tasks = [asyncio.create_task(engine.compute(part(n, 0))) for n in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # on its way to the worker
        tasks[2].cancel()  # still waiting here
        results = await soon(asyncio.gather(*tasks, return_exceptions=True))
        assert isinstance(results[0], asyncio.CancelledError)
        assert isinstance(results[2], asyncio.CancelledError)
        others = [results[n] for n in (1, 3, 4)]
        assert all(isinstance(r, frames.PartResult) and r.fault == "" for r in others)
        assert engine.status.parts == 4
        assert (await engine.compute(part(2, 1))).code == "gap"


async def test_a_killed_worker_is_started_again_and_knows_nothing(
    prepare: Prepare, ladder: Ladder
) -> None:
    request = prepare("llama", Span(1, 3))
    async with Engine(request, ladder, command=defective("hang")) as engine:
        first = await engine.compute(part(0, 0, 4))
        pid = pid_of(engine)
        stuck = asyncio.create_task(engine.compute(part(3, 0)))
        waiting = asyncio.create_task(engine.compute(part(1, 0)))
        await asyncio.sleep(0)
        psutil.Process(pid).kill()
        for task in (stuck, waiting):
            with pytest.raises(WorkerDied):
                await soon(task)
        lost = await soon(engine.compute(part(0, 4)))
        assert lost.code == "gap"
        again = await soon(engine.compute(part(0, 0, 4)))
        assert again.hidden == first.hidden
        assert pid_of(engine) != pid
        assert engine.status.restarts == 1
        assert engine.status.last_death == "killed by SIGKILL"


async def test_a_sequence_can_be_emptied_moved_and_asked_for(
    prepare: Prepare, ladder: Ladder
) -> None:
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        await engine.compute(part(0, 0, 4))
        state = await engine.save(0, 4)
        await engine.restore(2, state)
        moved = await engine.compute(part(2, 4))
        stayed = await engine.compute(part(0, 4))
        assert moved.hidden == stayed.hidden
        await engine.forget(2)
        assert (await engine.compute(part(2, 5))).code == "gap"
        with pytest.raises(BadInput, match="5 bytes are not rows of"):
            await engine.restore(1, b"noise")
        with pytest.raises(EngineFault, match="there is no sequence 17"):
            await engine.forget(17)


async def test_the_worker_steps_back_behind_the_owner_s_work(
    prepare: Prepare, ladder: Ladder
) -> None:
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        worker = psutil.Process(pid_of(engine))
        assert worker.environ()["OMP_WAIT_POLICY"] == "passive"
        if psutil.WINDOWS:
            assert worker.nice() == psutil.BELOW_NORMAL_PRIORITY_CLASS
        else:
            assert worker.nice() == min(19, psutil.Process().nice() + NICENESS)


async def test_stopping_ends_the_worker_and_everything_that_waits(
    prepare: Prepare, ladder: Ladder
) -> None:
    engine = Engine(prepare("llama", Span(1, 3)), ladder, command=defective("hang"))
    async with engine:
        pid = pid_of(engine)
        steps = [asyncio.create_task(engine.compute(part(n, 0))) for n in (3, 0, 1, 0, 1)]
        await asyncio.sleep(0)
    results = await soon(asyncio.gather(*steps, return_exceptions=True))
    assert all(isinstance(result, WorkerDied) for result in results)
    assert not psutil.pid_exists(pid)
    assert engine.worker_pid is None


async def test_whoever_waits_for_a_restart_is_told_when_the_engine_stops(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(prepare("llama", Span(1, 3)), ladder)
    async with engine:
        monkeypatch.setattr(engine, "_command", ["/nowhere/to/be/found"])
        psutil.Process(pid_of(engine)).kill()
        with pytest.raises(WorkerDied):
            await soon(engine.compute(part(0, 0)))
        waiting = asyncio.create_task(engine.compute(part(0, 0)))
        await asyncio.sleep(0)
        with pytest.raises(WorkerDied):
            await engine.save(0, 1)
        await engine.forget(0)
    with pytest.raises(WorkerDied, match="the engine stops"):
        await soon(waiting)


async def test_a_restart_that_fails_is_tried_again(
    prepare: Prepare,
    ladder: Ladder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real, failures = mount.write_slice, [OSError("the disk is full")] * 2

    def write_slice(*arguments: Any) -> list[Path]:
        if failures:
            raise failures.pop()
        return real(*arguments)

    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        monkeypatch.setattr(mounting, "write_slice", write_slice)
        psutil.Process(pid_of(engine)).kill()
        await soon(until_restarted(engine))
        assert failures == []
        assert engine.status.restarts == 1
    assert "cpu-repacked: the disk is full; cpu: the disk is full" in caplog.text


async def test_the_embedding_alone_and_the_head_alone_can_be_served(
    prepare: Prepare, ladder: Ladder
) -> None:
    tokens = [3, 9, 27]
    async with Engine(prepare("qwen2", Span(0, 1)), ladder) as lookup:
        given = frames.Part(sequence=0, position=0, rows=3, tokens=tokens)
        rows = await lookup.compute(given)
        assert len(rows.hidden) == 3 * WIDTH * 4
    # Qwen2 insists on its own shapes, so the small empty block is refused first.
    async with Engine(prepare("qwen2", Span(6, 7)), ladder) as head:
        given = frames.Part(
            sequence=0, position=0, rows=3, outputs=1, candidates=2, hidden=rows.hidden
        )
        best = await head.compute(given)
        assert (len(best.ids), len(best.logits)) == (8, 8)


async def test_room_is_kept_in_the_ledger(prepare: Prepare, ladder: Ladder) -> None:
    engine = Engine(prepare("gemma3", Span(1, 3), kv_tokens=1280), ladder)
    with pytest.raises(RuntimeError, match="not mounted"):
        _ = engine.ledger
    async with engine:
        assert engine.span == Span(1, 3)
        assert engine.ledger.tokens_free == 1280
        # Layers with a window cannot lend what others leave: each sequence has its own share.
        with pytest.raises(NoRoom, match="longer than the 256"):
            engine.ledger.admit(257)
        assert engine.ledger.admit(256) == 0


async def test_the_speed_is_measured_and_the_fastest_thread_count_kept(
    prepare: Prepare, ladder: Ladder
) -> None:
    async with Engine(prepare("llama", Span(1, 3), threads=0), ladder) as engine:
        assert engine.status.threads in thread_counts()
        assert engine.status.layers_per_second > 1
    assert thread_counts()[0] == 1


async def test_a_worker_that_stands_still_is_ended_and_started_again(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        still = pid_of(engine)
        await engine.compute(part(0, 0))
        monkeypatch.setattr(supervisor, "BATCH_SECONDS", 0.2)
        psutil.Process(still).suspend()
        with pytest.raises(WorkerDied):
            await engine.compute(part(0, 1))
        monkeypatch.setattr(supervisor, "BATCH_SECONDS", 25.0)
        assert (await engine.compute(part(0, 0))).code == ""
        assert engine.worker_pid != still


async def test_whoever_waits_for_a_worker_that_is_away_may_go_elsewhere(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LEAST_STALL_SECONDS", 0.0)
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        await engine.compute(part(0, 0))
        assert not engine.overdue
        psutil.Process(pid_of(engine)).kill()
        async with asyncio.timeout(60):
            while not engine.overdue:  # noqa: ASYNC110 - nobody is told, it is asked for
                await asyncio.sleep(0)
        await until_restarted(engine)
        assert not engine.overdue


async def test_a_sequence_is_emptied_without_waiting_for_a_worker_that_stands_still(
    prepare: Prepare, ladder: Ladder
) -> None:
    async with Engine(prepare("llama", Span(1, 3)), ladder) as engine:
        fresh = await engine.compute(part(0, 0))
        await engine.compute(part(0, 1))
        worker = psutil.Process(pid_of(engine))
        worker.suspend()
        async with asyncio.timeout(1.0):
            await engine.forget(0)
        worker.resume()
        assert (await engine.compute(part(0, 1))).code == "gap"
        assert (await engine.compute(part(0, 0))).hidden == fresh.hidden
