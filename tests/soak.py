"""`make soak`: every interruption many times over, at random moments. Can be stopped and resumed; prints the counts."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.lab import lab_in
from tests.trials import ACTIONS, PHASES, SCENARIOS, trial


def main() -> int:
    """Run what is not done yet; 0 when every trial so far held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="trials of each kind (10)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; each repetition takes the next (1)")
    parser.add_argument(
        "--done", type=Path, default=Path("soak.jsonl"), help="what is done, to resume from (soak.jsonl)"
    )
    parser.add_argument("--most", type=int, default=0, help="stop after so many trials (0: all)")
    asked = parser.parse_args()
    done = [json.loads(line) for line in asked.done.read_text().splitlines()] if asked.done.exists() else []
    known = {(d["scenario"], d["action"], d["phase"], d["seed"]) for d in done}
    todo = [
        (scenario, action, phase, seed)
        for seed in range(asked.seed, asked.seed + asked.times)
        for scenario in SCENARIOS
        for action in ACTIONS
        for phase in PHASES
        if (scenario, action, phase, seed) not in known
    ]
    todo = todo[: asked.most or None]
    with (
        tempfile.TemporaryDirectory(prefix="gameday-soak-") as root,
        lab_in(Path(root)) as lab,
        asked.done.open("a") as out,
    ):
        for number, (scenario, action, phase, seed) in enumerate(todo, 1):
            problems = trial(lab, scenario, phase, action, seed)
            entry = {"scenario": scenario, "action": action, "phase": phase, "seed": seed, "problems": problems}
            done.append(entry)
            out.write(json.dumps(entry) + "\n")
            out.flush()
            print(
                f"{number}/{len(todo)} {'✗' if problems else '✓'} {scenario} {action} in {phase} {problems or ''}",
                flush=True,
            )
    return _report(done)


def _report(done: list[dict[str, object]]) -> int:
    """The counts: held of tried, for each scenario and action."""
    tried: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for entry in done:
        key = f"{entry['scenario']} {entry['action']}"
        tried[key] += 1
        held[key] += not entry["problems"]
    for key in sorted(tried):
        print(f"{key:50} {held[key]:4} of {tried[key]:4} held")
    return 0 if held == tried else 1


if __name__ == "__main__":
    sys.exit(main())
