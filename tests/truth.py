"""`python -m tests.truth`: recovery times of many A1 runs against what the lab itself saw. Prints one line a run."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.lab import Lab, lab_in


@dataclass(frozen=True)
class Compared:
    """One run's recovery time beside the lab's own."""

    seconds: float
    error_s: float
    truth_s: float

    @property
    def holds(self) -> bool:
        """Whether the truth lies within the stated error, and that error is at most 0.1 s."""
        return abs(self.seconds - self.truth_s) <= self.error_s <= 0.1

    def __str__(self) -> str:
        off = self.seconds - self.truth_s
        return f"{self.seconds:.3f} s ± {self.error_s:.3f}, truth {self.truth_s:.3f}, off by {off * 1000:+.0f} ms"


def truth_s(lab: Lab) -> float:
    """From the instant that the gateway's parent reaped it to the first 200 of the next one, on CLOCK_MONOTONIC."""
    gone = [
        e
        for e in lab.log("redfin", "supervisor.jsonl")
        if e["event"] == "exited" and e["unit"].startswith("llm-gateway")
    ]
    healthy = lab.log("redfin", "gateway.jsonl")
    died_s = float(gone[-1]["monotonic_s"])
    return min(float(e["monotonic_s"]) for e in healthy if float(e["monotonic_s"]) > died_s) - died_s


def compare(lab: Lab, *args: str) -> Compared:
    """One passed A1 run, compared."""
    done = lab.run("llm-gateway-kill", *args)
    assert done.code == 0, str(done)
    recovery = done.result["recovery"]
    return Compared(recovery["seconds"], recovery["error_s"], truth_s(lab))


def main() -> int:
    """Compare as often as asked; 0 when the stated error held every time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    held = 0
    with tempfile.TemporaryDirectory(prefix="gameday-truth-") as root, lab_in(Path(root)) as lab:
        for number in range(times):
            compared = compare(lab, "--set", f"signal={'KILL' if number % 2 else 'TERM'}")
            held += compared.holds
            print(f"{'✓' if compared.holds else '✗'} {compared}", flush=True)
    print(f"{held} of {times} within the stated error")
    return 0 if held == times else 1


if __name__ == "__main__":
    sys.exit(main())
