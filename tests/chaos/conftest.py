"""Where the tests with real faults can run."""

from __future__ import annotations

import sys

# Processes are stopped by signals, and disks filled by limits, that other systems do not have.
collect_ignore = [] if sys.platform.startswith("linux") else ["test_chaos.py"]
