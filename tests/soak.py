"""`make soak`: every interruption many times over, at random moments. Can be stopped and resumed; prints the counts.

On the embedded lab in each phase of a run; as root on Linux also in the midst of each fault on real machines.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import machine_trials, trials
from tests.lab import lab_in
from tests.systemd_lab import systemd_lab_in

Case = tuple[str, str, str, int]
"""Scenario, action, phase (or `fault`: at any moment of it, on real machines), seed."""
FAULT = "fault"
LABS = ("embedded", "systemd") if sys.platform == "linux" and os.geteuid() == 0 else ("embedded",)


def cases(lab: str, scenarios: Sequence[str], actions: Sequence[str], seed: int) -> list[Case]:
    """One of each kind; empty words: all."""
    if lab == "systemd":
        kinds = [(s, a, FAULT) for s in machine_trials.KINDS for a in machine_trials.ACTIONS]
    else:
        kinds = [(s, a, phase) for s in trials.SCENARIOS for a in trials.ACTIONS for phase in trials.PHASES]
    return [
        (scenario, action, phase, seed)
        for scenario, action, phase in kinds
        if (not scenarios or scenario in scenarios) and (not actions or action in actions)
    ]


@contextmanager
def trying(lab: str) -> Iterator[Callable[[Case], list[str]]]:
    """What tries a case on that lab, while it is up."""
    with tempfile.TemporaryDirectory(prefix="gameday-soak-") as root:
        if lab == "systemd":
            with systemd_lab_in(Path(root)) as machines:
                yield lambda case: machine_trials.trial(machines, case[0], case[1], case[3])
        else:
            with lab_in(Path(root)) as embedded:
                yield lambda case: trials.trial(embedded, case[0], case[2], case[1], case[3])


def main() -> int:
    """Run what is not done yet; 0 when every trial so far held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="trials of each kind (10)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; each repetition takes the next (1)")
    parser.add_argument("--lab", choices=LABS, action="append", help="only on this lab (all that can be up here)")
    parser.add_argument("--scenario", action="append", default=[], help="only this scenario; may be repeated")
    parser.add_argument("--action", action="append", default=[], help="only this interruption; may be repeated")
    parser.add_argument(
        "--done", type=Path, default=Path("soak.jsonl"), help="what is done, to resume from (soak.jsonl)"
    )
    parser.add_argument("--most", type=int, default=0, help="stop after so many trials (0: all)")
    asked = parser.parse_args()
    done = [json.loads(line) for line in asked.done.read_text().splitlines()] if asked.done.exists() else []
    known = {(d["scenario"], d["action"], d["phase"], d["seed"]) for d in done}
    todo = [
        (lab, case)
        for lab in asked.lab or LABS
        for seed in range(asked.seed, asked.seed + asked.times)
        for case in cases(lab, asked.scenario, asked.action, seed)
        if case not in known
    ]
    todo = todo[: asked.most or None]
    number = 0
    with asked.done.open("a") as out:
        for lab in dict.fromkeys(lab for lab, _ in todo):
            with trying(lab) as attempt:
                for case in [case for where, case in todo if where == lab]:
                    number += 1
                    problems = attempt(case)
                    entry = dict(zip(("scenario", "action", "phase", "seed"), case, strict=True))
                    done.append(entry | {"problems": problems})
                    out.write(json.dumps(done[-1]) + "\n")
                    out.flush()
                    held = "✗" if problems else "✓"
                    scenario, action, phase, _ = case
                    print(f"{number}/{len(todo)} {held} {scenario} {action} in {phase} {problems or ''}", flush=True)
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
