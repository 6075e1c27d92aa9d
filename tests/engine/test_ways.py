"""How a span is loaded: what crashes is left, what is damaged is mended.

See app/engine/ways.py; here as the engine uses it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from app.engine import ways
from app.engine.child import Child, running_workers
from app.engine.ladder import PLAIN, REPACKED, Ladder
from app.engine.mounting import Mount
from app.engine.supervisor import Engine
from app.engine.ways import start_mounted
from app.errors import DownloadFailed, EngineFault, WorkerDied
from app.ids import Span
from app.tasks import TaskOwner
from tests.engine.mounted import Prepare, defective, part, pid_of, soon, until_restarted

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("nothing_left_running")]


async def test_a_configuration_that_crashes_is_left_and_remembered(
    prepare: Prepare, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "ladder.json"
    request = prepare("llama", Span(1, 3))
    async with Engine(request, Ladder(file), command=defective("repack")) as engine:
        assert engine.status.configuration == PLAIN.name
        assert (await engine.compute(part(0, 0))).fault == ""
    assert "cpu-repacked does not work on this computer: killed by SIGSEGV" in caplog.text
    assert Ladder(file).rungs(gpu=False) == [PLAIN]
    caplog.clear()
    async with Engine(request, Ladder(file), command=defective("repack")) as engine:
        assert engine.status.configuration == PLAIN.name
    assert "SIGSEGV" not in caplog.text


async def test_a_configuration_that_is_refused_is_left_but_tried_again_next_time(
    prepare: Prepare, tmp_path: Path
) -> None:
    file = tmp_path / "ladder.json"
    request = prepare("llama", Span(1, 3))
    async with Engine(request, Ladder(file), command=defective("refuse")) as engine:
        assert engine.status.configuration == PLAIN.name
    assert Ladder(file).rungs(gpu=False) == [REPACKED, PLAIN]


async def test_a_configuration_that_crashes_twice_in_use_is_left(
    prepare: Prepare, tmp_path: Path
) -> None:
    file = tmp_path / "ladder.json"
    async with Engine(
        prepare("llama", Span(1, 3)), Ladder(file), command=defective("use")
    ) as engine:
        assert engine.status.configuration == REPACKED.name
        for _ in range(2):
            await soon(engine.compute(part(0, 0)))
            with pytest.raises(WorkerDied):
                await soon(engine.compute(part(3, 0)))
            await soon(until_restarted(engine))
        assert (await soon(engine.compute(part(3, 0)))).fault == ""
        assert engine.status.configuration == PLAIN.name
        assert engine.status.restarts == 2
        assert engine.status.last_death == "killed by SIGSEGV"
    assert Ladder(file).rungs(gpu=False) == [PLAIN]


async def test_where_nothing_works_one_error_says_what_was_tried(
    prepare: Prepare, ladder: Ladder
) -> None:
    engine = Engine(prepare("llama", Span(1, 3)), ladder, command=defective("load"))
    with pytest.raises(EngineFault) as failure:
        await engine.__aenter__()
    assert not isinstance(failure.value, WorkerDied)
    assert str(failure.value) == (
        "the layers cannot be run here (cpu-repacked: killed by SIGSEGV; cpu: killed by SIGSEGV)"
    )
    assert engine.worker_pid is None
    with pytest.raises(WorkerDied, match="the engine stops"):
        await engine.compute(part(0, 0))


async def test_a_worker_that_does_not_start_is_one_error(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = prepare("llama", Span(1, 3))
    with pytest.raises(EngineFault, match=r"does not start \(killed by SIGSEGV\)"):
        await Engine(request, ladder, command=defective("start")).__aenter__()
    monkeypatch.setattr(ways, "PROBE_SECONDS", 0.3)
    silent = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(EngineFault, match="does not start: it says nothing"):
        await Engine(request, ladder, command=silent).__aenter__()


async def test_units_that_are_gone_are_one_error(prepare: Prepare, ladder: Ladder) -> None:
    request = prepare("llama", Span(1, 3))
    request.unit_files[2].unlink()
    with pytest.raises(EngineFault, match=r"cannot be run here .*No such file"):
        await Engine(request, ladder).__aenter__()


async def test_units_that_are_mended_are_mounted_the_same_way_again(
    prepare: Prepare, ladder: Ladder
) -> None:
    request = prepare("llama", Span(1, 3))
    whole = request.unit_files[2].read_bytes()
    request.unit_files[2].unlink()
    asked: list[int] = []

    async def mend() -> bool:
        asked.append(1)
        request.unit_files[2].write_bytes(whole)
        return True

    async with Engine(request, ladder, mend=mend) as engine:
        assert engine.status.configuration == REPACKED.name
        request.unit_files[2].unlink()
        psutil.Process(pid_of(engine)).kill()
        await soon(until_restarted(engine))
        assert len(asked) == 2  # once for each mount that failed


async def test_where_nothing_was_damaged_the_way_of_loading_is_to_blame(
    prepare: Prepare, tmp_path: Path
) -> None:
    file = tmp_path / "ladder.json"
    asked: list[int] = []

    async def mend() -> bool:
        asked.append(1)
        return False

    command = defective("load")
    engine = Engine(prepare("llama", Span(1, 3)), Ladder(file), command=command, mend=mend)
    with pytest.raises(EngineFault, match="cpu-repacked: killed by SIGSEGV; cpu: killed by"):
        await engine.__aenter__()
    assert len(asked) == 1  # not for every way: hashing takes long
    assert Ladder(file).rungs(gpu=False) == [PLAIN]


async def test_what_cannot_be_fetched_again_is_said_and_leaves_nothing_running(
    prepare: Prepare, ladder: Ladder
) -> None:
    request = prepare("llama", Span(1, 3))
    request.unit_files[2].unlink()

    async def mend() -> bool:
        raise DownloadFailed("no origin delivers unit 2")

    with pytest.raises(DownloadFailed, match="no origin delivers"):
        await Engine(request, ladder, mend=mend).__aenter__()


async def test_who_gives_up_in_the_middle_of_a_mount_leaves_no_worker(
    prepare: Prepare, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounting = asyncio.Event()

    async def endless(*_: object) -> Mount:
        mounting.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(ways, "mount_in", endless)
    others, begun = set(running_workers()), list[Child]()
    async with TaskOwner("test") as owner:
        work = start_mounted(prepare("llama", Span(1, 3)), ladder, begun=begun.append)
        starting = owner.start(work, name="start")
        await soon(mounting.wait())
        assert set(running_workers()) == others | {child.pid for child in begun}
        starting.cancel()
        await soon(asyncio.wait([starting]))
    assert set(running_workers()) <= others
