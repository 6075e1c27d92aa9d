"""A model that several conversations share; see app/chat/opened_model.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.chat.opened_model import DEFAULT_MAX_TOKENS, OpenedModel, sweep_scratch
from app.engine.footprint import footprint
from app.engine.mounting import BATCH_ROWS
from app.errors import PromptTooLong
from app.folder.data_folder import DataFolder, OpenModel, fetch_units
from app.ids import Span
from app.swarm.sampling import SamplingOptions

SAMPLING = SamplingOptions()


async def test_a_request_fits_into_what_the_model_reads(tmp_path: Path, guide: Path) -> None:
    data = DataFolder.open(tmp_path)
    model = data.model(str(guide))

    async def fetch(model: OpenModel, span: Span) -> None:
        await fetch_units(data, model, span)

    async with OpenedModel(data, model, fetch=fetch) as opened:
        request = await opened.request("hello", sampling=SAMPLING)
        assert request.max_tokens == DEFAULT_MAX_TOKENS
        room = opened.context_tokens - len(request.prompt)
        assert (
            await opened.request("hello", sampling=SAMPLING, max_tokens=9999)
        ).max_tokens == room
        with pytest.raises(PromptTooLong, match="nothing was sent"):
            await opened.request("word " * 3000, sampling=SAMPLING)
        assert opened.is_here
        whole = await opened.whole()
        assert await opened.whole() is whole
        scratch = data.folder / "mounts"
        assert sorted(scratch.iterdir())
    assert sorted(scratch.iterdir()) == []
    assert whole.worker_pid is None


async def test_a_whole_model_fits_where_its_conversations_do_too(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataFolder.open(tmp_path)
    model = data.model(str(guide))
    monkeypatch.setattr(OpenModel, "is_embedded", False)

    async def fetch(model: OpenModel, span: Span) -> None:
        raise AssertionError("nothing is asked")

    opened = OpenedModel(data, model, fetch=fetch, sequences=2)
    tokens = 2 * opened.context_tokens
    taken = footprint(model.plan, tokens=tokens, batch_rows=BATCH_ROWS)
    size = model.manifest.payload_bytes + sum(taken.unit_bytes) + taken.span_bytes
    assert size > model.manifest.payload_bytes + tokens * sum(model.plan.position_bytes)
    for room, fits in ((size, True), (size - 1, False)):
        monkeypatch.setattr("app.chat.opened_model.room_bytes", lambda *_, room=room: room)
        assert opened.fits == fits


def test_what_a_killed_program_left_goes_after_a_day(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    for name in ("client-old", "client-new", "serving"):
        (mounts / name).mkdir(parents=True)
    for name in ("client-old", "serving"):
        os.utime(mounts / name, (1.0, 1.0))
    sweep_scratch(tmp_path)
    assert sorted(path.name for path in mounts.iterdir()) == ["client-new", "serving"]
