"""Which of these tests a system can run at all."""

from __future__ import annotations

import sys

# The screen they use is X's (`tests/helpers/screen.py`), which other systems do not have.
collect_ignore = [] if sys.platform.startswith("linux") else ["test_desktop.py"]
