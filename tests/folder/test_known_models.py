"""Models by name; see app/folder/known_models.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import Refusal
from app.folder.data_folder import DataFolder
from app.folder.known_models import KnownModels
from tests.helpers.running_node import adopt_guide


async def test_a_model_is_opened_once_and_found_by_name_or_id(tmp_path: Path, guide: Path) -> None:
    adopt_guide(tmp_path, guide)
    models = KnownModels(DataFolder.open(tmp_path))
    found = await models.find("guide")
    assert await models.find(found.id.hex()[:12]) is found
    assert await models.find(" GUIDE ") is found
    assert found.is_embedded
    with pytest.raises(Refusal):
        await models.find("gpt-9")


async def test_without_a_name_the_chosen_one_is_meant(tmp_path: Path, guide: Path) -> None:
    adopt_guide(tmp_path, guide)
    models = KnownModels(DataFolder.open(tmp_path))
    found = await models.find("guide")
    models.chosen = found.id
    assert await models.find(None) is found


async def test_a_file_is_no_name(tmp_path: Path, guide: Path) -> None:
    models = KnownModels(DataFolder.open(tmp_path))
    with pytest.raises(Refusal) as caught:
        await models.find(str(guide))
    assert caught.value.code == "unknown_model"
