"""The order of a parallel run: files stay together, and what is measured runs last and alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tools.measured_last import MeasuredLast

TESTS = ["a.py::one", "a.py::two", "b.py::one", "c.py::one", "d/d.py::T::one"]
FIGURES = ["tests/measured/e.py::cap", "tests/measured/f.py::cap"]


class Worker:
    """A process that runs tests: what it was given and has not run, and whether it shall end."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.waiting: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.waiting += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def may_run(self) -> bool:
        """A worker keeps its last test until it knows what comes after it."""
        return len(self.waiting) > (0 if self.shutting_down else 1)


class Run:
    """A parallel run of some tests, played step by step."""

    def __init__(self, tests: list[str], workers: int) -> None:
        option = SimpleNamespace(loadscopereorder=False, maxschedchunk=None)
        config: Any = SimpleNamespace(
            option=option, getvalue=lambda name: ["popen"] * workers, rootpath=None
        )
        self.tests = tests
        self.workers = [Worker(f"w{number}") for number in range(workers)]
        self.schedule: Any = MeasuredLast(config)
        self.schedule.together = [("c.py", "d/")]
        self.ran: list[tuple[Worker, str]] = []
        for worker in self.workers:
            self.schedule.add_node(worker)
            self.schedule.add_node_collection(worker, tests)
        self.schedule.schedule()

    def step(self, worker: Worker) -> str:
        """A worker runs its next test, or ends."""
        if worker.may_run:
            index = worker.waiting.pop(0)
            self.ran.append((worker, self.tests[index]))
            self.schedule.mark_test_complete(worker, index)
            return self.tests[index]
        if worker.shutting_down and worker in self.schedule.nodes:
            assert self.schedule.remove_node(worker) is None
        return ""

    def to_the_end(self, *order: int) -> list[str]:
        """Everybody goes on in this order, over and over; gives what ran."""
        for _ in range(4 * len(self.tests)):
            for number in order:
                self.step(self.workers[number])
        return [test for _, test in self.ran]


def test_a_file_s_tests_and_files_that_belong_together_stay_with_one_worker() -> None:
    run = Run(TESTS, workers=2)
    assert sorted(run.to_the_end(0, 1)) == TESTS
    who = {test: worker.gateway.id for worker, test in run.ran}
    assert who["a.py::one"] == who["a.py::two"]
    assert who["c.py::one"] == who["d/d.py::T::one"]
    assert len(set(who.values())) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 0, 0, 1, 2), (1, 1, 2, 2, 2, 0)])
def test_what_is_measured_begins_when_everybody_else_has_ended(order: tuple[int, ...]) -> None:
    run = Run(TESTS + FIGURES, workers=3)
    while not any(test in FIGURES for _, test in run.ran):
        for number in order:
            worker = run.workers[number]
            if run.step(worker) in FIGURES:
                assert run.schedule.nodes == [worker]
                assert sorted(test for _, test in run.ran[:-1]) == TESTS
                break
    assert sorted(run.to_the_end(*order)) == sorted(TESTS + FIGURES)
    assert not run.schedule.has_pending


def test_one_worker_runs_everything_in_order() -> None:
    assert Run(TESTS + FIGURES, workers=1).to_the_end(0) == TESTS + FIGURES
