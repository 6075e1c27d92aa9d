"""What the tests of the engine share: tiny models, each written once in a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.helpers.tiny_models import FAMILIES


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the file of a family's tiny model; nobody may change it."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def file_of(family: str) -> Path:
        return FAMILIES[family](folder / f"{family}.gguf")

    return file_of
