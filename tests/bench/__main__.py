"""`make bench`: every figure, as a ratio, in one run."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench import help_time, preload, sample_cpu, ui_delay
from tests.lab import lab_in


def main() -> int:
    """Print the table; 0 when every target holds."""
    rows = [help_time.measure()]
    print(rows[-1], flush=True)
    rows.append(preload.measure())
    print(rows[-1], flush=True)
    with tempfile.TemporaryDirectory(prefix="gameday-bench-") as root, lab_in(Path(root)) as lab:
        rows.append(sample_cpu.measure(lab))
        print(rows[-1], flush=True)
    for row in ui_delay.measure():
        rows.append(row)
        print(row, flush=True)
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
