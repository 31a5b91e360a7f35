"""What needs mounts of its own is tested as root on Linux; the build runs there."""

from __future__ import annotations

import os
import sys

ROOT_ON_LINUX = sys.platform == "linux" and os.geteuid() == 0

collect_ignore = [] if ROOT_ON_LINUX else ["test_disk_fill.py", "test_disk_fill_rails.py"]
