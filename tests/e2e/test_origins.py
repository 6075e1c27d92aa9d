"""Origins that do not deliver, and disks that are full: one line, and another origin saves it."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import Published
from tests.helpers.origin import Behaviour, Origin, stalling_after, whole_file, wrong_bytes
from tests.helpers.processes import NodeProcess, Processes, serving

IMPATIENT = "origin_timeout_seconds = 1.0\n"


@pytest.fixture
def bad(model: Published) -> Iterator[Origin]:
    """An origin with the model's file, to be misled by."""
    with serving(model.file.read_bytes()) as origin:
        yield origin


def publish(processes: Processes, model: Published, *urls: str) -> str:
    """A manifest that names these origins."""
    target = processes.folder / "manifest.json"
    words = [word for url in urls for word in ("--url", url)]
    done = processes.run("publish", str(model.file), *words, "--out", str(target), data="publisher")
    assert done.returncode == 0, done.stderr
    return str(target)


def complaint(node: NodeProcess) -> str:
    """The one line with which a node ended."""
    assert node.process.wait(30) == 1
    assert node.output_after_ready() == ""
    told = [line for line in node.errors.splitlines() if not line.startswith("downloading ")]
    assert len(told) == 1, node.errors
    assert told[0].startswith("potluck: ")
    return told[0]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (wrong_bytes, "sent wrong bytes for unit"),
        (whole_file, "ignores range requests"),
        (stalling_after(10), "nothing"),
    ],
    ids=["wrong bytes", "whole file", "stalls"],
)
def test_an_origin_that_does_not_deliver_is_named_and_another_one_saves_it(
    processes: Processes, model: Published, bad: Origin, behaviour: Behaviour, words: str
) -> None:
    bad.always = behaviour
    manifest = publish(processes, model, bad.url)
    node = processes.node("--model", manifest, "--units", "2:4", settings=IMPATIENT)
    line = complaint(node)
    assert "Unit " in line
    assert bad.name in line
    both = publish(processes, model, bad.url, model.origin.url)
    saved = processes.node("--model", both, "--units", "2:4", settings=IMPATIENT)
    assert saved.ready["units"] == "2:4"
    assert bad.requests
    assert saved.stop() == 0


def test_what_had_arrived_is_not_fetched_again(processes: Processes, model: Published) -> None:
    manifest = str(model.manifest)
    first = processes.node("--model", manifest, "--units", "2:4", name="same")
    assert first.ready
    assert first.stop() == 0
    asked = len(model.origin.requests)
    second = processes.node("--model", manifest, "--units", "2:4", name="same")
    assert second.ready["units"] == "2:4"
    assert len(model.origin.requests) == asked


def test_an_owner_who_gives_too_little_room_is_told_how_much(
    processes: Processes, model: Published
) -> None:
    manifest = str(model.manifest)
    node = processes.node("--model", manifest, settings="disk_quota_bytes = 1000\n")
    line = complaint(node)
    assert "disk_quota_bytes" in line or "quota" in line or "room" in line
    used = processes.run("status", "--json", data=node.folder.name)
    assert json.loads(used.stdout)["disk"]["used_bytes"] == 0


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
