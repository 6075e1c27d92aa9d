"""What the tests with real processes share: a model that speaks, and one swarm that serves it.

Both are there for this folder only: nodes that wait for the end of all tests take from them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.origin import Origin
from tests.helpers.processes import NodeProcess, Processes, serving
from tests.helpers.worded_models import write_worded

# The screen it uses is X's (`tests/helpers/screen.py`), which other systems do not have.
collect_ignore = [] if sys.platform.startswith("linux") else ["test_desktop.py"]


@dataclass(frozen=True)
class Published:
    """A model that was published.

    Its file, its manifest's file, where it is served, what the command told, and the
    publisher's data folder.
    """

    file: Path
    manifest: Path
    origin: Origin
    told: str
    publisher: Path


@dataclass(frozen=True)
class Swarm:
    """A bootstrap and three nodes that serve the whole model in three pieces."""

    processes: Processes
    bootstrap: NodeProcess
    hosts: list[NodeProcess]
    model: Published

    @property
    def asking(self) -> list[str]:
        """The words a client needs."""
        return ["--bootstrap", self.bootstrap.name, "--model", str(self.model.manifest)]


@pytest.fixture(scope="package")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """A tiny model, published with `potluck publish`, and an honest origin that has it."""
    folder = tmp_path_factory.mktemp("published")
    file = write_worded(folder / "worded.gguf")
    manifest = folder / "worded.json"
    with serving(file.read_bytes()) as origin, Processes(folder) as processes:
        words = ["--url", origin.url, "--licence", "mit", "--out", str(manifest)]
        done = processes.run("publish", str(file), *words, data="publisher")
        assert done.returncode == 0, done.stderr
        yield Published(file, manifest, origin, done.stdout, processes.data("publisher"))


@pytest.fixture(scope="package")
def swarm(model: Published, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """Nobody may stop its nodes; what must be broken is started by the test that breaks it."""
    with Processes(tmp_path_factory.mktemp("swarm")) as processes:
        bootstrap = processes.node("--public", name="bootstrap")
        words = ["--bootstrap", bootstrap.name, "--model", str(model.manifest)]
        hosts = [processes.node(*words, "--units", span) for span in ("0:3", "3:5", "5:8")]
        assert [host.ready["units"] for host in hosts] == ["0:3", "3:5", "5:8"]
        yield Swarm(processes, bootstrap, hosts, model)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Processes of one test."""
    with Processes(tmp_path) as started:
        yield started
