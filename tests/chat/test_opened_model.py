"""A model that several conversations share; see app/chat/opened_model.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.chat.opened_model import DEFAULT_MAX_TOKENS, OpenedModel, sweep_scratch
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


def test_what_a_killed_program_left_goes_after_a_day(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    for name in ("client-old", "client-new", "serving"):
        (mounts / name).mkdir(parents=True)
    for name in ("client-old", "serving"):
        os.utime(mounts / name, (1.0, 1.0))
    sweep_scratch(tmp_path)
    assert sorted(path.name for path in mounts.iterdir()) == ["client-new", "serving"]
