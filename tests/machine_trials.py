"""One trial on real machines: be rude at a random moment of a fault, and see that every machine is as before.

What is compared is in tests.residue; the rude acts are the ways in which a console, its link, or a node's guard end.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from console.plan import library
from console.terms import EXIT_CODES, Outcome
from tests.approvals import approved
from tests.residue import FAULT, OURS, Residue, residue, still_failing
from tests.systemd_lab import CONSOLE, SystemdLab
from tests.trials import GRACE_S, LEASE_S, Console

IN_TIME_S = LEASE_S + GRACE_S
"""Within this nothing of a fault is left, in seconds (issue 3, acceptance 3)."""
START_LIMIT_S = 60.0
END_LIMIT_S = 45.0
LOOK_EVERY_S = 1.0
"""A look costs a busy machine a tenth of a second, which the guard could use."""
RECOVERY_LIMIT_S = 30.0
"""A database that was killed comes back by its own unit; only then its writer's table can be dropped."""


@dataclass(frozen=True)
class Kind:
    """What is broken, and for how long after its injection is begun it may be disturbed, in seconds."""

    node: str
    span_s: float
    settings: tuple[str, ...] = ()
    in_time: tuple[str, ...] = ()
    """What has to be as before in time; empty: everything."""
    scenario: str = ""
    """Empty: as the kind is called."""


PLAIN_KINDS = {
    "network-partition": Kind("greenfin", 5.0, ("hold_s=5",)),
    "disk-fill": Kind("redfin", 5.0, ("hold_s=5",)),
    "memory-pressure": Kind("greenfin", 5.0, ("hold_s=5",)),
    # The cluster itself, and with it the writer's table, come back when systemd has started it again.
    "postgres-crash": Kind("bluefin", 5.0, in_time=("firewall", "mounts", "timers", "marked", "partial")),
    # One core: what burns all of them is tried in whole runs, and takes their time from the tests beside it.
    "cpu-pressure": Kind("greenfin", 5.0, ("hold_s=5", "cores=1")),
}
DEVELOPMENT_KINDS = {
    "sigil-disk-full": Kind("bluefin", 5.0, ("hold_s=5",)),
    "sigil-store-unmounted": Kind("bluefin", 5.0, ("hold_s=5",)),
    "sigil-read-only-filesystem": Kind("bluefin", 5.0, ("hold_s=5",)),
    "sigil-read-only-files": Kind(
        "bluefin", 5.0, ("hold_s=5", "how=permissions"), scenario="sigil-read-only-filesystem"
    ),
    "sigil-leveldb-lock": Kind("bluefin", 2.0, ("within_s=3",)),
    "lightning-disk-full": Kind("bluefin", 5.0, ("hold_s=5",)),
    "lightning-read-only": Kind("bluefin", 5.0, ("hold_s=5",)),
    "lightning-read-only-mount": Kind("bluefin", 5.0, ("hold_s=5", "how=mount"), scenario="lightning-read-only"),
    "eventbus-delay": Kind("bluefin", 5.0, ("hold_s=5",)),
    "adapter-error": Kind("bluefin", 5.0, ("hold_s=5",)),
    # Its workers start anew by themselves, in their own time.
    "worker-kill": Kind("bluefin", 1.0, in_time=FAULT),
    # By libfiu's preload, and by strace.
    "chaos-disk-full": Kind("bluefin", 5.0, ("hold_s=5",)),
    "chaos-slow-io": Kind("bluefin", 5.0, ("hold_s=5",)),
}
KINDS = PLAIN_KINDS | DEVELOPMENT_KINDS
ACTIONS = ("kill", "kill-guard", "cut", "hangup", "two-interrupts", "abort-key")
REASONS = {
    "kill": "interrupted", "kill-guard": "lease-lost", "cut": "lease-lost", "hangup": "interrupted",
    "two-interrupts": "operator", "abort-key": "operator",
}  # fmt: skip
"""As what the run is listed afterwards."""


@dataclass(frozen=True)
class Scene:
    """A run under way, and how every machine was before it."""

    lab: SystemdLab
    kind: Kind
    console: Console
    before: dict[str, Residue]
    patience_s: float

    def left(self, limit_s: float, *only: str) -> list[str]:
        """What is not as before when the time is over: the last look begins then."""
        end_s = time.monotonic() + limit_s
        found: dict[str, list[str]] = {node: ["not looked at"] for node in self.before}
        last = False
        while any(found.values()) and not last:
            last = time.monotonic() >= end_s
            for node in [node for node, left in found.items() if left]:
                found[node] = residue(self.lab, node, *only).beyond(self.before[node], *only)
            time.sleep(max(0.0, min(LOOK_EVERY_S, end_s - time.monotonic())))
        return [f"{node}: {line}" for node, left in found.items() for line in left]

    def late(self, *only: str) -> list[str]:
        """What is not as before within the lease and a second from now; what the kind allows is left out."""
        limit_s = IN_TIME_S + self.patience_s
        left = self.left(limit_s, *(self.kind.in_time or only or OURS))
        return [f"{limit_s:g} s later: {line}" for line in left]


def trial(lab: SystemdLab, scenario: str, action: str, seed: int, *, patience_s: float = 0.0) -> list[str]:
    """Run the scenario, be rude between its injection and its end, and return what is wrong afterwards.

    The moment is drawn from the seed. `patience_s`: what a loaded test machine may take above the time.
    """
    kind = KINDS[scenario]
    moment_s = random.Random(f"{scenario}/{action}/{seed}").uniform(0.0, kind.span_s)
    before = {node: residue(lab, node) for node in lab.inventory.nodes}
    console = _begin(lab, scenario, action)
    scene = Scene(lab, kind, console, before, patience_s)
    reader = threading.Thread(target=console.read, daemon=True)
    reader.start()
    problems: list[str] = []
    try:
        if console.reaches("inject", START_LIMIT_S):
            time.sleep(moment_s)
            problems += _be_rude(scene, action)
            # A console that is killed leaves the records that it had written into a store, as the README says.
            problems += scene.left(RECOVERY_LIMIT_S, *((*OURS, "answers") if action == "kill" else ()))
        else:
            problems.append("nothing was injected")
    finally:
        if console.process.poll() is None:
            console.process.kill()
        console.process.wait()
        reader.join(10.0)
        told = console.process.stderr.read()[-1000:] if console.process.stderr else ""
        console.close()
    problems += [f"{node}: {line}" for node in before for line in still_failing(lab, node)]
    problems += _aftermath(lab, console, action)
    evidence = f"{moment_s:.2f} s after the injection began; phases {console.phases}; {console.lines[-1:]} {told}"
    return [*problems, evidence] if problems else []


def _begin(lab: SystemdLab, scenario: str, action: str) -> Console:
    settings = [word for setting in KINDS[scenario].settings for word in ("--set", setting)]
    words = approved(lab, str(_short(lab, KINDS[scenario].scenario or scenario)), *settings)
    if action != "abort-key":
        return Console(lab.start("run", *words, "--attest", "all", "--json"))
    command = [sys.executable, "-m", "tests.player", *(word for word in words if word != "--approval")]
    pipe = subprocess.PIPE
    return Console(subprocess.Popen(command, env=lab.env, stdin=pipe, stdout=pipe, stderr=pipe, text=True))


def _short(lab: SystemdLab, scenario: str) -> Path:
    """The shipped scenario without a long wait: none of these trials gets to its verdict."""
    file = lab.root / f"short-{scenario}.yaml"
    if not file.exists():
        document: dict[str, Any] = yaml.safe_load(library.find(scenario, None).read_text())
        del document["runbook"]
        for expected in document["expectations"]:
            expected.pop("stable_for_s", None)
        file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


def _be_rude(scene: Scene, action: str) -> list[str]:
    """Do it, see that the fault is gone in time, and that the console ended as it should."""
    process = scene.console.process
    match action:
        case "kill":
            process.kill()
            return scene.late()
        case "kill-guard":
            main = f"/run/gameday/{scene.console.run}/main.pid"
            scene.lab.on(scene.kind.node, "sh", "-euc", f'read -r pid _ <{main}; kill -9 "$pid"')
            return scene.late(*FAULT) + _ends(scene.console)
        case "cut":
            with scene.lab.unplugged(CONSOLE):
                mended_s = time.monotonic() + IN_TIME_S
                late = scene.late()
                time.sleep(max(0.0, mended_s - time.monotonic()))
            return late + _ends(scene.console)
        case "abort-key":
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        case "hangup":
            process.send_signal(signal.SIGHUP)
        case _:
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
    return scene.late(*FAULT) + _ends(scene.console)


def _ends(console: Console) -> list[str]:
    """The console ends by itself, and says that the run was aborted."""
    try:
        code = console.process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        return [f"the console did not end in {END_LIMIT_S:g} s"]
    return [] if code == EXIT_CODES[Outcome.ABORTED] else [f"the console ended with {code}"]


def _aftermath(lab: SystemdLab, console: Console, action: str) -> list[str]:
    """Sweep and run list tell the same story."""
    problems: list[str] = []
    swept = lab.inside("sweep")
    if swept.code != 0 or swept.out.count("clean") != len(lab.inventory.nodes):
        problems.append(f"sweep: {swept}")
    listed = json.loads(lab.inside("runs", "list", "--json").out)
    mine = [(item["outcome"], item["reason"]) for item in listed if item["run"] == console.run]
    if mine != [("aborted", REASONS[action])]:
        problems.append(f"the run is listed as {mine}")
    return problems
