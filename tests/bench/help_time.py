"""`gameday --help` against `python -c "import click"`: whole processes, in turn, the medians."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from tests.bench.table import Row

RUNS = 15


def measure() -> Row:
    """Median seconds of each."""
    gameday = Path(sys.executable).with_name("gameday")
    ours_command = [str(gameday), "--help"] if gameday.exists() else [sys.executable, "-m", "console", "--help"]
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(RUNS):
        ours.append(_seconds(ours_command))
        theirs.append(_seconds([sys.executable, "-c", "import click"]))
    ratio = median(ours) / median(theirs)
    return Row("gameday --help", median(ours), 'python -c "import click"', median(theirs), "s", "under 2", ratio < 2)


def _seconds(command: list[str]) -> float:
    start_s = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start_s
