"""Finding, starting and losing a node, with real processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ui.node_process import NodeProcess, node_command
from app.window_file import OUTPUT_FILE

pytestmark = pytest.mark.real

FAKE = [sys.executable, "-m", "tests.helpers.fake_node_api"]
WAIT_MILLISECONDS = 60_000


@pytest.fixture
def node(qtbot, tmp_path: Path) -> Iterator[NodeProcess]:
    made = NodeProcess(tmp_path, [*FAKE, "--data-dir", str(tmp_path)])
    yield made
    made.forget()
    end(made)


def kill(node: NodeProcess) -> None:
    assert node._process is not None
    node._process.kill()
    node._process.wait()


def end(node: NodeProcess) -> None:
    if node._process is not None and node._process.poll() is None:
        node._process.send_signal(signal.SIGTERM)
        node._process.wait(10)


def test_a_node_is_started_and_its_address_found(qtbot, node: NodeProcess) -> None:
    assert not node.is_running()
    with qtbot.waitSignal(node.ready, timeout=WAIT_MILLISECONDS) as found:
        node.start()
    address, token = found.args
    assert address.startswith("http://127.0.0.1:")
    assert len(token) > 20
    assert node.is_running()


def test_a_node_that_runs_is_joined_and_not_doubled(qtbot, node, tmp_path: Path) -> None:
    with qtbot.waitSignal(node.ready, timeout=WAIT_MILLISECONDS) as first:
        node.start()
    other = NodeProcess(tmp_path, ["must-not-be-started"])
    with qtbot.waitSignal(other.ready, timeout=WAIT_MILLISECONDS) as second:
        other.start()
    assert first.args == second.args
    assert other._process is None


def test_another_token_of_the_same_node_is_told_when_it_is_looked_for(
    qtbot, node, tmp_path: Path
) -> None:
    with qtbot.waitSignal(node.ready, timeout=WAIT_MILLISECONDS) as first:
        node.start()
    with qtbot.assertNotEmitted(node.ready):
        node.check()
    (tmp_path / "api-token").write_text("b" * 64)
    with qtbot.waitSignal(node.ready, timeout=WAIT_MILLISECONDS) as second:
        node.check()
    assert second.args == [first.args[0], "b" * 64]


def test_a_node_that_dies_is_said_and_started_again(qtbot, node: NodeProcess) -> None:
    with qtbot.waitSignal(node.ready, timeout=WAIT_MILLISECONDS):
        node.start()
    kill(node)
    with (
        qtbot.waitSignal(node.restarting, timeout=WAIT_MILLISECONDS) as said,
        qtbot.waitSignal(node.ready, timeout=WAIT_MILLISECONDS),
    ):
        node.check()
    assert "Your conversations are kept" in said.args[0]


def test_a_node_that_cannot_start_says_why_in_its_own_words(qtbot, tmp_path: Path) -> None:
    complaint = "import sys; sys.exit('potluck: The identity file is damaged.')"
    node = NodeProcess(tmp_path, [sys.executable, "-c", complaint])
    with qtbot.waitSignal(node.failed, timeout=WAIT_MILLISECONDS) as said:
        node.start()
    assert said.args == ["The node did not start. The identity file is damaged."]


def test_a_node_that_keeps_dying_is_left_alone(qtbot, tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, [sys.executable, "-c", "raise SystemExit(1)"])
    node._started_at = float("inf")
    node._quick_ends = 3
    with qtbot.waitSignal(node.failed) as said:
        node.check()
    assert said.args == ["The node ended several times in a row."]
    with qtbot.assertNotEmitted(node.failed), qtbot.assertNotEmitted(node.restarting):
        node.check_again()
    assert node._process is None


def test_a_program_that_is_not_there_is_said(qtbot, tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, [str(tmp_path / "nothing")])
    with qtbot.waitSignal(node.failed) as said:
        node.start()
    assert said.args[0].startswith(f"{tmp_path / 'nothing'} could not be started: ")
    assert said.args[0].endswith("then try again.")


def test_a_file_that_cannot_be_written_is_named(qtbot, tmp_path: Path) -> None:
    (tmp_path / OUTPUT_FILE).mkdir()
    node = NodeProcess(tmp_path, ["must-not-be-started"])
    with qtbot.waitSignal(node.failed) as said:
        node.start()
    assert said.args[0].startswith(f"{tmp_path / OUTPUT_FILE} cannot be written")
    assert node._process is None


def test_another_try_is_given_the_same_patience_as_the_first(qtbot, node: NodeProcess) -> None:
    node._quick_ends = 4
    with qtbot.waitSignal(node.ready, timeout=WAIT_MILLISECONDS):
        node.try_again()
    kill(node)
    with (
        qtbot.waitSignal(node.restarting, timeout=WAIT_MILLISECONDS),
        qtbot.waitSignal(node.ready, timeout=WAIT_MILLISECONDS),
    ):
        node.check()


def test_a_folder_that_cannot_be_made_is_said(qtbot, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    node = NodeProcess(tmp_path / "file" / "data")
    with qtbot.waitSignal(node.failed) as said:
        node.start()
    assert "cannot be used" in said.args[0]


def test_a_hanging_node_can_be_ended(qtbot, node: NodeProcess) -> None:
    with qtbot.waitSignal(node.ready, timeout=WAIT_MILLISECONDS):
        node.start()
    node.kill()
    assert node._process is not None
    assert node._process.wait(10) is not None
    assert not node.is_running()


def test_a_damaged_note_of_the_node_is_no_address(qtbot, tmp_path: Path) -> None:
    node = NodeProcess(tmp_path)
    for text in ("{", "[]", '{"api": 7}', '{"api": "http://evil.example:1"}'):
        (tmp_path / "node.json").write_text(text)
        (tmp_path / "api-token").write_text("t")
        ready: list[object] = []
        node.ready.connect(lambda *found, ready=ready: ready.append(found))
        node._timer.start()
        node._deadline = float("inf")
        node._look()
        assert ready == []
    node.forget()


def test_the_command_is_that_of_the_program_itself(monkeypatch) -> None:
    folder = Path(os.sep) / "data"
    assert node_command(folder)[1:4] == ["-m", "app", "node"]
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert node_command(folder)[:2] == [sys.executable, "node"]
