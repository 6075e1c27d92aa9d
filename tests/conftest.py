"""What tests of several rooms share, and how a run of all of them is spread over processors."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Generator
from functools import cache
from pathlib import Path

# Before numpy is imported, here and in every process that a test starts: a pool of threads for
# matrices nobody multiplies takes longer to start than most tests to run.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Compiling the program again in each of hundreds of processes takes a third of their time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests.helpers.running_node import write_guide_manifest
from tools.measured_last import MEASURED, MeasuredLast

REAL = "real"
ONE_SWARM = ("tests/e2e/test_chat.py", "tests/e2e/test_nodes.py")
ONE_PROGRAM = ("tests/e2e/screens/",)
PROCESSES = {"e2e", "chaos"}
"""Folders of tests with swarms of real processes."""
UNITS = f"not {REAL}"
MOST_WORKERS = 8
"""More would wait for the longest file, having taken seconds each to begin."""


# Numbers and words of every module that happens to be imported would be among the examples: those
# of other tests in the same process, too.
providers._get_local_constants = lambda: providers._local_constants
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")
"""Each change is judged by the same examples; new ones are looked for on purpose. How long one
takes says how busy the computer is."""


def pytest_configure() -> None:
    """In this process too, what is compiled is kept, and Ctrl-C is heard."""
    sys.dont_write_bytecode = False
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell has it so for what it runs in the background, and so would all that tests start:
        # they would not hear the Ctrl-C that a test sends them.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """All tests go to all processors; a choice of them is over before workers would have begun."""
    chosen = config.option.keyword or config.option.capture == "no"
    chosen = chosen or config.option.markexpr not in ("", UNITS)
    if chosen or {Path(argument).name for argument in config.args} != {"tests"}:
        return 0
    # One more than there are processors: many tests wait for a process or a moment.
    return min((os.cpu_count() or 1) + 1, MOST_WORKERS)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> MeasuredLast:
    """Files in the order of `pytest_collection_modifyitems`."""
    config.option.loadscopereorder = False
    scheduler = MeasuredLast(config, log)
    scheduler.together = (ONE_SWARM, ONE_PROGRAM)
    return scheduler


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is measured comes last; in parallel, what takes long comes first.

    Long is what has real processes, and then what has many lines: at the end there are only
    short files left, and no worker waits for another one.
    """
    long_first = hasattr(config, "workerinput")
    length = cache(lambda path: int(path.stat().st_size))

    def place(item: pytest.Item) -> tuple[int, int]:
        if MEASURED in item.path.parts:
            item.add_marker(MEASURED)
            return 2, 0
        if not long_first:
            return 1, 0
        return 1 if PROCESSES.isdisjoint(item.path.parts) else 0, -length(item.path)

    for item in items:
        if not PROCESSES.isdisjoint(item.path.parts):
            item.add_marker(REAL)
    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """What a command that runs in a test's own process sets of the log is set for that test."""
    root = logging.getLogger()
    handlers, levels = list(root.handlers), log_levels()
    try:
        return (yield)
    finally:
        for handler in [handler for handler in root.handlers if handler not in handlers]:
            root.removeHandler(handler)
            handler.close()
        for name, level in log_levels().items():
            if level != levels.get(name, logging.NOTSET):
                logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


def log_levels() -> dict[str, int]:
    """The level of each logger by its name, that of the root by ""."""
    known = logging.root.manager.loggerDict.items()
    loggers = {name: found for name, found in known if isinstance(found, logging.Logger)}
    return {"": logging.root.level, **{name: found.level for name, found in loggers.items()}}


@pytest.fixture(scope="session")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's manifest as a file."""
    return write_guide_manifest(tmp_path_factory.mktemp("guide"))
