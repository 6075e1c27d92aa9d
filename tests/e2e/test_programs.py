"""The other commands, as processes: publish, doctor, demo."""

from __future__ import annotations

import json

from tests.e2e.conftest import Published
from tests.helpers.processes import Processes, until
from tests.helpers.tiny_models import write_gemma2

URL = "http://127.0.0.1:9/model.gguf"


def test_publish_tells_the_units_the_id_and_the_key(processes: Processes, model: Published) -> None:
    first, second, third = model.told.splitlines()
    assert first == f"{model.manifest}: worded, 6 layers"
    assert second.startswith("id ")
    assert third.startswith("publisher ")
    rows = json.loads(processes.run("models", "--json", data=str(model.publisher)).stdout)
    (row,) = [row for row in rows if row["name"] == "worded"]
    assert (row["id"], row["licence"]) == (second.removeprefix("id "), "mit")
    assert third.removeprefix("publisher ") in row["trusted"]


def test_publish_refuses_what_cannot_be_cut_with_the_reason(processes: Processes) -> None:
    file = write_gemma2(processes.folder / "gemma2.gguf")
    done = processes.run("publish", str(file), "--url", URL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("potluck: gemma2.gguf cannot be published: ")
    assert "scale" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not file.with_suffix(".manifest.json").exists()


def test_publish_refuses_a_file_that_is_cut_off(processes: Processes, model: Published) -> None:
    file = processes.folder / "cut.gguf"
    file.write_bytes(model.file.read_bytes()[:-5000])
    done = processes.run("publish", str(file), "--url", URL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("potluck: cut.gguf cannot be published: ")
    assert done.stderr.count("\n") == 1


def test_publish_refuses_a_file_that_lies(processes: Processes, model: Published) -> None:
    file = processes.folder / "liar.gguf"
    data = model.file.read_bytes()
    key = b"llama.attention.head_count"
    assert data.count(key + b"\x04") == 1
    file.write_bytes(data.replace(key + b"\x04\0\0\0\x04", key + b"\x04\0\0\0\x03"))
    done = processes.run("publish", str(file), "--url", URL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("potluck: liar.gguf cannot be published: ")
    assert "Traceback" not in done.stderr


def test_doctor_runs_the_guide_and_says_how_fast(processes: Processes) -> None:
    done = processes.run("doctor")
    lines = done.stdout.splitlines()
    about = {line[5:].split(":")[0].split(" ")[0]: line[:5] for line in lines}
    assert list(about) == [
        *("processor", "memory", "graphics", "disk", "data", "bootstraps", "identity", "engine"),
    ]
    # Whoever runs this may be short of these two.
    missing = {name for name, found in about.items() if found == "MISS "}
    assert missing <= {"memory", "disk"}, done.stdout
    assert done.returncode == (1 if missing else 0)
    assert {about[name] for name in about.keys() - missing} == {"ok   "}
    assert "layers a second" in lines[-1]
    assert not list((processes.data("client") / "mounts").glob("client-*"))


def test_the_demo_shows_a_chain_that_equals_the_whole_model(processes: Processes) -> None:
    demo = processes.run("demo", "--nodes", "2", "--json", data="")
    output, errors = demo.stdout, demo.stderr
    assert demo.returncode == 0, errors
    assert errors.count("\n") == errors.count("downloading ")
    line = json.loads(output.splitlines()[-1])
    assert line["identical"] is True
    assert [part["units"] for part in line["chain"]] == ["0:5", "5:10"]
    assert len({part["peer_id"] for part in line["chain"]}) == 2
    assert line["tokens_per_second"] > 0
    assert line["text"]
    until(lambda: not processes.at_home())


def test_a_demo_that_is_stopped_leaves_nothing_running(processes: Processes) -> None:
    demo = processes.start("demo", "--nodes", "2", data="")
    assert demo.stdout is not None
    assert any(" serves " in line for line in demo.stdout)
    # The demo, its bootstrap, a node and its worker.
    assert len(processes.at_home()) >= 4
    demo.terminate()
    demo.communicate(timeout=60)
    assert demo.returncode == 143
    until(lambda: not processes.at_home())
