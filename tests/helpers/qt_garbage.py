"""Where Qt's objects are thrown away: in the thread of the tests, and nowhere else.

Python's collector runs in whichever thread happens to fill its measure, be it that of a fake
node or that of the test runner, and Qt crashes when a widget is deleted in another thread.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QCoreApplication, QEvent


@contextmanager
def collected_here() -> Iterator[None]:
    """Nothing is collected meanwhile, and everything at the end."""
    gc.disable()
    try:
        yield
    finally:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.enable()
        gc.collect()
