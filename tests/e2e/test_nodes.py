"""A node as whoever starts it sees it: its ready line, its end, and what it says when it cannot."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil

from app.engine.publish import publish
from app.ids import peer_text
from app.net.identity import new_identity
from tests.e2e.conftest import Published, Swarm
from tests.helpers.origin import stalling_after
from tests.helpers.processes import Processes, all_gone, serving, until

ENDS_SECONDS = 20.0
"""It takes a fraction of a second, however many share the processor; what nobody ends ends later:
an origin that sends nothing, or a computer that says no more, after thirty."""


def test_a_node_starts_serves_and_ends_in_time(
    processes: Processes, swarm: Swarm, model: Published
) -> None:
    words = ["--bootstrap", swarm.bootstrap.name, "--model", str(model.manifest)]
    node = processes.node(*words, "--units", "0:2")
    assert node.ready.keys() == {"ready", "peer_id", "listen", "units"}
    assert node.ready["ready"] is True
    assert len(node.ready["peer_id"]) == 52
    assert node.ready["listen"].startswith("127.0.0.1:")
    assert node.ready["units"] == "0:2"
    family = node.family()
    assert len(family) == 2
    node.signal(signal.SIGTERM)
    assert node.process.wait(ENDS_SECONDS) == 0
    assert all_gone(family[1:], seconds=0.1)
    assert node.output_after_ready() == ""
    assert "Traceback" not in node.errors
    assert not (node.folder / "node.json").exists()
    # Who asks after a node that took its leave is not sent there.
    done = processes.run("status", "--json", "--bootstrap", swarm.bootstrap.name)
    (served,) = json.loads(done.stdout)["models"]
    assert node.ready["peer_id"] not in {host["peer_id"] for host in served["hosts"]}


def test_a_node_that_is_killed_leaves_no_worker_behind(
    processes: Processes, model: Published
) -> None:
    node = processes.node("--model", str(model.manifest), "--units", "1:3")
    assert node.ready["units"] == "1:3"
    worker = node.worker()
    node.signal(signal.SIGKILL)
    node.process.wait(30)
    assert all_gone([worker])


def test_ctrl_c_ends_a_node_and_its_worker(processes: Processes, model: Published) -> None:
    node = processes.node("--model", str(model.manifest), "--units", "1:3")
    assert node.ready
    worker = node.worker()
    node.signal(signal.SIGINT)
    assert node.process.wait(ENDS_SECONDS) == 130
    assert all_gone([worker], seconds=0.1)


def test_a_bootstrap_serves_no_layers(swarm: Swarm) -> None:
    assert swarm.bootstrap.ready["units"] is None
    assert [p.pid for p in swarm.bootstrap.family()] == [swarm.bootstrap.process.pid]


def test_a_node_that_still_downloads_can_be_stopped(
    processes: Processes, model: Published, tmp_path: Path
) -> None:
    with serving(model.file.read_bytes()) as origin:
        origin.always = stalling_after(100)
        manifest = tmp_path / "stalling.json"
        manifest.write_bytes(publish(model.file, [origin.url], key=bytes(32)))
        node = processes.node("--model", str(manifest))
        until(lambda: origin.busy)
        node.signal(signal.SIGTERM)
        assert node.process.wait(ENDS_SECONDS) == 0
    assert node.output_after_ready() == ""
    assert "Traceback" not in node.errors


def test_another_computer_at_a_known_address_is_noticed(
    processes: Processes, swarm: Swarm, model: Published
) -> None:
    somebody_else = f"{peer_text(new_identity().peer_id)}@{swarm.bootstrap.ready['listen']}"
    words = ["chat", "hi", "--bootstrap", somebody_else, "--model", str(model.manifest)]
    done = processes.run(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert somebody_else[:8] in done.stderr


def test_a_command_that_waits_for_an_answer_can_be_stopped(
    processes: Processes, swarm: Swarm
) -> None:
    words = ["chat", "hello", "--max-tokens", "1900", "--deadline", "60", *swarm.asking]
    chat = processes.start(*words)
    assert chat.stdout is not None
    assert chat.stdout.read(1)
    family = psutil.Process(chat.pid).children(recursive=True)
    chat.send_signal(signal.SIGINT)
    _, errors = chat.communicate(timeout=ENDS_SECONDS)
    assert chat.returncode == 130
    assert errors == ""
    assert all_gone(family)
