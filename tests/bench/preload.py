"""A process that writes, with libfiu's preload idle and without: whole processes, in turn, the medians."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.bench.table import Row

CALLS = 200_000
RUNS = 7
PRELOAD = "/usr/lib/fiu/fiu_run_preload.so /usr/lib/fiu/fiu_posix_preload.so"
_WRITE = """\
import os, sys, time
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
block = b"x" * 4096
begun = time.perf_counter()
for _ in range(int(sys.argv[2])):
    os.pwrite(file, block, 0)
print(time.perf_counter() - begun)
"""


def measure() -> Row:
    """Median writes a second of each; where libfiu is not installed there is nothing to compare, and it does not hold."""
    what, target = "200,000 writes of 4 kB with libfiu's preload idle", "at least 0.9"
    if not all(Path(library).exists() for library in PRELOAD.split()):
        return Row(f"{what} (libfiu is not installed)", 0.0, "without", 0.0, "calls/s", target, holds=False)
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory(prefix="gameday-bench-") as folder:
        for _ in range(RUNS):
            ours.append(_rate(folder, {"LD_PRELOAD": PRELOAD, "FIU_CTRL_FIFO": f"{folder}/fiu"}))
            theirs.append(_rate(folder, {}))
    ratio = median(ours) / median(theirs)
    return Row(what, median(ours), "without", median(theirs), "calls/s", target, holds=ratio >= 0.9)


def _rate(folder: str, names: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-S", "-c", _WRITE, f"{folder}/file", str(CALLS)],
        env={**os.environ, **names}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return CALLS / float(done.stdout)
