"""Origins that do not deliver, and disks that are full: one line, and another origin saves it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.engine.publish import publish
from tests.e2e.conftest import Published
from tests.helpers.origin import Origin, stalling_after, whole_file, wrong_bytes
from tests.helpers.processes import NodeProcess, Processes, serving

IMPATIENT = "origin_timeout_seconds = 1.0\n"


Bad = dict[str, tuple[Origin, NodeProcess, NodeProcess]]


@pytest.fixture(scope="module")
def bad(model: Published, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bad]:
    """Of each kind an origin, a node that has only it, and one that knows an honest one too.

    All are started at once: what stalls is waited for while the others are looked at.
    """
    behaviours = {"wrong": wrong_bytes, "whole": whole_file, "stalls": stalling_after(10)}
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("origins")
        processes = stack.enter_context(Processes(folder))
        found: Bad = {}
        for name, behaviour in behaviours.items():
            origin = stack.enter_context(serving(model.file.read_bytes()))
            origin.always = behaviour
            nodes = []
            for number, urls in enumerate(([origin.url], [origin.url, model.origin.url])):
                manifest = folder / f"{name}{number}.json"
                manifest.write_bytes(publish(model.file, urls, key=bytes(32)))
                words = ["--model", str(manifest), "--units", "2:4"]
                settings = IMPATIENT if name == "stalls" else ""
                nodes.append(processes.node(*words, settings=settings))
            found[name] = (origin, nodes[0], nodes[1])
        yield found


def complaint(node: NodeProcess) -> str:
    """The one line with which a node ended."""
    assert node.process.wait(60) == 1
    assert node.output_after_ready() == ""
    told = [line for line in node.errors.splitlines() if not line.startswith("downloading ")]
    assert len(told) == 1, node.errors
    assert told[0].startswith("potluck: ")
    return told[0]


def test_a_full_disk_is_one_line(processes: Processes, model: Published) -> None:
    with ExitStack() as stack:
        full = processes.data("full")
        if mount(full, size_bytes=64 << 10):
            stack.callback(unmount, full)
            node = processes.node("--model", str(model.manifest), name="full")
        else:
            # Without the right to mount: a limit on file sizes says the same as a full disk.
            node = processes.node(
                "--model", str(model.manifest), name="full", settings="disk_quota_bytes = 70000\n"
            )
        line = complaint(node)
        assert "disk" in line or "room" in line
        assert "Traceback" not in node.errors


def mount(folder: Path, *, size_bytes: int) -> bool:
    """Put a tiny file system on a folder; False where that is not allowed."""
    if os.name != "posix" or os.geteuid() != 0:
        return False
    library = ctypes.CDLL(None, use_errno=True)
    options = f"size={size_bytes},mode=700".encode()
    return library.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options) == 0


def unmount(folder: Path) -> None:
    """Take it away again, in use or not."""
    lazy = 2
    ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(folder), lazy)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wrong", "sent wrong bytes for layer"),
        ("whole", "ignores range requests"),
        ("stalls", "sent nothing for 1 seconds"),
    ],
)
def test_an_origin_that_does_not_deliver_is_named_and_another_one_saves_it(
    bad: Bad, name: str, words: str
) -> None:
    origin, lost, saved = bad[name]
    line = complaint(lost)
    assert "Could not download " in line
    assert f"{origin.name} {words}" in line
    assert saved.ready["units"] == "2:4"
    assert saved.stop() == 0
