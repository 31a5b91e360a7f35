"""One trial: do something rude to the console in a given phase of a run, then see that nothing of ours is left."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from console.lab.embedded import read_state
from console.plan import library
from tests.approvals import approved
from tests.lab import Lab

LEASE_S = 3.0
GRACE_S = 1.0
"""Everything of ours is gone this long after the lease, in seconds (issue 2, acceptance 6)."""
SCENARIOS: dict[str, tuple[str, ...]] = {
    "llm-gateway-kill": (),
    "pg-connection-exhaustion": ("--set", "hold_s=5"),
}
FEW_SESSIONS = 20
"""Fifty sessions are fifty processes on either side, and there are many trials. A role's limit is a limit like any."""
PHASES = (
    "checklist", "arm", "baseline", "inject", "prove effect", "observe", "revert", "prove reverted", "recovery",
    "release", "post-test", "write-up",
)  # fmt: skip
ACTIONS = ("kill", "stop", "hangup", "two-interrupts")


@dataclass
class Console:
    """A headless run as a child process, whose phases are read as they come."""

    process: subprocess.Popen[str]
    run: str = ""
    outcome: str = ""
    phases: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    lines: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Follow its JSON lines until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            with self.changed:
                self.lines.append(line)
                self.run = self.run or said.get("run", "")
                if said.get("event") == "phase":
                    self.phases.append(said["phase"])
                self.outcome = said.get("outcome", self.outcome)
                self.changed.notify_all()
        with self.changed:
            self.phases.append("ended")
            self.changed.notify_all()

    def close(self) -> None:
        """Close its pipes; it has ended."""
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()

    def reaches(self, phase: str, limit_s: float) -> bool:
        """Whether it enters that phase in time."""
        with self.changed:
            return (
                self.changed.wait_for(lambda: phase in self.phases or "ended" in self.phases, limit_s)
                and phase in self.phases
            )


def trial(lab: Lab, scenario: str, phase: str, action: str, seed: int, *, patience_s: float = 0.0) -> list[str]:
    """Run the scenario, be rude in that phase, and return what is wrong afterwards; nothing is: an empty list.

    The moment inside the phase is drawn from the seed, within half a second. `patience_s`: what a loaded test machine
    may take above the time.
    """
    delay_s = random.Random(f"{scenario}/{phase}/{action}/{seed}").uniform(0.0, 0.5)
    lab.ssh("redfin", "systemctl reset-failed llm-gateway")  # restarts in quick succession count towards a limit
    flood = scenario != "llm-gateway-kill"
    if flood:
        _limit_sessions(lab, FEW_SESSIONS)
    console = _begin(lab, scenario)
    reader = threading.Thread(target=console.read, daemon=True)
    reader.start()
    try:
        if not console.reaches(phase, 60.0):
            return [f"phase '{phase}' was never reached: {console.lines[-5:]} {_stderr(console)}"]
        time.sleep(delay_s)
        problems = _be_rude(lab, console, action, patience_s)
        return problems + _aftermath(lab, console, action)
    finally:
        if console.process.poll() is None:
            console.process.kill()
        console.process.wait()
        reader.join(10.0)
        console.close()
        if flood:
            _limit_sessions(lab, -1)
        lab.wait_until(lambda: _gateway_up(lab), 20.0)


def _limit_sessions(lab: Lab, most: int) -> None:
    """How many sessions the flood's role may have; -1: as many as there are."""
    lab.superuser(f"alter role {lab.inventory.databases['federation'].user} connection limit {most}")


def _stderr(console: Console) -> str:
    if console.process.poll() is None or console.process.stderr is None:
        return ""
    return console.process.stderr.read()[-2000:]


def _begin(lab: Lab, scenario: str) -> Console:
    if scenario == "llm-gateway-kill":
        return Console(lab.start("run", str(_impatient(lab, scenario)), "--attest", "all", "--json"))
    return Console(lab.start("run", *approved(lab, scenario, *SCENARIOS[scenario]), "--attest", "all", "--json"))


def _impatient(lab: Lab, scenario: str) -> Path:
    """The shipped scenario, which waits for 1 s instead of 10 to call the target stable: there are many trials."""
    file = lab.root / f"{scenario}.yaml"
    if not file.exists():
        text = library.find(scenario, None).read_text().replace("stable_for_s: 10", "stable_for_s: 1")
        file.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith("runbook:")))
    return file


def _be_rude(lab: Lab, console: Console, action: str, patience_s: float) -> list[str]:
    """Do it, and wait until nothing of ours may be left any more."""
    process = console.process
    if action == "kill":
        process.kill()
        return _gone_in_time(lab, console, patience_s)
    if action == "stop":
        process.send_signal(signal.SIGSTOP)
        problems = _gone_in_time(lab, console, patience_s) if process.poll() is None else []
        process.send_signal(signal.SIGCONT)
        return problems + _ends(console)
    numbers = [signal.SIGHUP] if action == "hangup" else [signal.SIGINT, signal.SIGINT]
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    return _ends(console) + _gone_in_time(lab, console, patience_s)


def _ends(console: Console) -> list[str]:
    try:
        console.process.wait(45.0)
    except subprocess.TimeoutExpired:
        return ["the console did not end in 45 s"]
    return []


def _gone_in_time(lab: Lab, console: Console, patience_s: float) -> list[str]:
    """No process, no connection and no guard of ours within the lease and a second."""
    found: list[str] = []

    def gone() -> bool:
        # The database is asked last: a session over SSH costs a busy machine as much as all else of the trial's looks.
        found[:] = [*_guards(lab), *lab.marked(console.run)] or list(filter(None, [_connections(lab)]))
        return not found

    limit_s = LEASE_S + GRACE_S + patience_s
    return [] if lab.wait_until(gone, limit_s, 0.25) else [f"still there {limit_s:g} s later: {found}"]


def _guards(lab: Lab) -> list[str]:
    """The locks that stand on the nodes, and the folders of runs."""
    return [str(path) for name in lab.inventory.nodes for path in (lab.dir / name / "run").iterdir() if path.is_dir()]


def _connections(lab: Lab) -> str:
    """Backends that a fault of ours holds. An ordinary role may be turned away while it does: that counts as held."""
    try:
        return lab.psql(
            "select pid, application_name from pg_stat_activity where application_name like 'gameday-fault%'"
        )
    except AssertionError as error:
        return str(error)


def _gateway_up(lab: Lab) -> bool:
    return read_state(lab.dir / "redfin" / "state" / "llm-gateway.service").get("ActiveState") == "active"


def _aftermath(lab: Lab, console: Console, action: str) -> list[str]:
    """Sweep, run list and journal tell the same story."""
    problems: list[str] = []
    swept = lab.inside("sweep")
    if swept.code != 0 or swept.out.count("clean") != 3:
        problems.append(f"sweep: {swept}")
    listed = lab.inside("runs", "list", "--json")
    mine = [item for item in json.loads(listed.out) if item["run"] == console.run]
    if console.run and not mine:
        problems.append(f"run {console.run} is not listed: {listed}")
    ended = "done" in console.phases or console.outcome
    if action == "kill" and mine and not ended and mine[0]["reason"] != "interrupted":
        problems.append(f"a killed run is listed as {mine[0]}")
    shown = lab.inside("runs", "show", console.run) if console.run else None
    if shown and shown.code != 0:
        problems.append(f"its journal does not read: {shown}")
    if not lab.wait_until(lambda: _gateway_up(lab), 20.0):
        problems.append("the gateway is down")
    return problems
