"""What tests of several rooms share: the embedded guide's manifest, written once in a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.running_node import write_guide_manifest


@pytest.fixture(scope="session")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's manifest as a file."""
    return write_guide_manifest(tmp_path_factory.mktemp("guide"))
