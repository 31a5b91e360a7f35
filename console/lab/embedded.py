"""The embedded lab from outside: up, status, down. The lab itself is a daemon, one a folder."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from console.errors import GamedayError
from console.lab.fleet import FLEET, LabNode, LabService
from console.lab.layout import LAB_MARK, LabLayout
from console.lab.lock import hold_lock, is_locked
from console.lab.processes import kill_marked, marked
from console.lab.remains import Facts, check_folder, end_processes, read_facts, tidy
from console.lab.units import PYTHONPATH

UP_LIMIT_S = 60.0
DOWN_LIMIT_S = 15.0

_ours: dict[Path, subprocess.Popen[bytes]] = {}
"""The daemons that this process started, by folder; their standard input is the lifeline."""


@dataclass(frozen=True)
class ServiceStatus:
    """A service of the lab as its supervisor sees it; `port` is 0 where it listens on none."""

    service: LabService
    active: str
    sub: str
    n_restarts: int
    port: int


@dataclass(frozen=True)
class NodeStatus:
    """A node of the lab and its services."""

    name: str
    ssh_port: int
    services: tuple[ServiceStatus, ...]
    address: str = "127.0.0.1"


@dataclass(frozen=True)
class LabStatus:
    """Whether the lab is up, and its nodes; none when it is down."""

    up: bool
    inventory: Path
    nodes: tuple[NodeStatus, ...] = ()
    shared: str = ""
    """Why the nodes share the machine's network and disks; empty: each has its own."""
    open: str = ""
    """Why the nodes have no firewall; empty: they have one."""


def _quiet(_: str) -> None:
    return None


def up(
    directory: Path,
    *,
    lease_s: float = 10.0,
    lifeline: bool = False,
    shared: bool = False,
    progress: Callable[[str], None] = _quiet,
) -> Path:
    """Bring the lab up in that folder and wait until all of it is healthy; the path of its inventory.

    One that runs already is left as it is. `lifeline`: it goes down when this process ends, however that happens,
    otherwise it runs until `down`. `shared`: the nodes share the machine's network and disks, as they do where the
    machine does not allow them their own. Interrupted while it waits, it takes down what there is. `lease_s`: 3 to 60.

    Raises:
        BadInput: the folder holds something else.
        GamedayError: the lab did not come up; the sentence says why.
    """
    own = "shared" if shared else "own"
    return bring_up("console.lab.daemon", directory, str(lease_s), own, lifeline=lifeline, progress=progress)


def bring_up(
    daemon_module: str, directory: Path, *arguments: str, lifeline: bool, progress: Callable[[str], None]
) -> Path:
    """Start the daemon of some kind of lab in that folder, with more arguments, and wait until the lab is ready."""
    lab = LabLayout(directory.expanduser().resolve())
    check_folder(lab.root)
    if _await_other(lab):
        progress("the lab is running already")
        return lab.inventory
    lab.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    lab.mark.touch()
    lab_id = secrets.token_hex(8)
    with lab.log.open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", daemon_module, str(lab.root), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env={**os.environ, LAB_MARK: lab_id, "PYTHONPATH": PYTHONPATH},
            start_new_session=True,
        )
    try:
        _follow(daemon, lab, progress)
        if not lifeline:
            _write(daemon, b"d")
    except BaseException:
        _give_up(daemon, lab, lab_id)
        raise
    if lab.root in _ours:
        _close(_ours.pop(lab.root))
    _ours[lab.root] = daemon
    return lab.inventory


def status(directory: Path) -> LabStatus:
    """What runs in that folder, as the supervisors' state files say."""
    lab = LabLayout(directory.expanduser().resolve())
    facts = read_facts(lab) if is_locked(lab) else None
    if not facts or not lab.inventory.exists():
        return LabStatus(False, lab.inventory)
    nodes = tuple(_node_status(lab, node, facts.ports) for node in FLEET)
    return LabStatus(True, lab.inventory, nodes, facts.shared, facts.open)


def down(directory: Path) -> bool:
    """Take the lab in that folder down, or clear what a killed one left; False when there was nothing to do.

    Raises:
        GamedayError: it does not end.
    """
    lab = LabLayout(directory.expanduser().resolve())
    deadline = time.monotonic() + DOWN_LIMIT_S
    asked: Facts | None = None
    while is_locked(lab) or (asked and asked.pid in marked(asked.id)):  # the lock is given back a moment before it ends
        facts = read_facts(lab)
        # Its mark tells the daemon from a stranger that was given the pid of a lab before.
        if not asked and facts and facts.pid in marked(facts.id):
            os.kill(facts.pid, signal.SIGTERM)
            asked = facts
        if time.monotonic() > deadline:
            raise GamedayError(f"the lab in {lab.root} does not end, see {lab.log}")
        time.sleep(0.02)
    if lab.root in _ours:
        _close(_ours.pop(lab.root))
    if not read_facts(lab):
        return bool(asked)
    with hold_lock(lab):
        end_processes(lab)
        tidy(lab)
    return True


def _follow(daemon: subprocess.Popen[bytes], lab: LabLayout, progress: Callable[[str], None]) -> None:
    """Pass on what the daemon tells until the lab is ready."""
    for line in daemon.stdout or ():
        kind, _, text = line.decode(errors="replace").strip().partition(" ")
        if kind == "ready":
            return
        if kind == "failed":
            raise GamedayError(f"the lab did not come up: {text}")
        progress(text)
    raise GamedayError(f"the lab's daemon died, see {lab.log}")


def _give_up(daemon: subprocess.Popen[bytes], lab: LabLayout, lab_id: str) -> None:
    """Take down a lab that is only half up."""
    _close(daemon)
    kill_marked(lab_id, pgdata=lab.pgdata)


def _close(daemon: subprocess.Popen[bytes]) -> None:
    """Cut the daemon's lifeline and wait for its end, by force in the end."""
    for pipe in (daemon.stdin, daemon.stdout):
        if pipe:
            pipe.close()
    try:
        daemon.wait(DOWN_LIMIT_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _write(daemon: subprocess.Popen[bytes], data: bytes) -> None:
    if daemon.stdin:
        daemon.stdin.write(data)
        daemon.stdin.flush()


def _await_other(lab: LabLayout) -> bool:
    """Wait for a lab that is up, or that somebody else is bringing up; False when there is none, or it went down."""
    deadline = time.monotonic() + UP_LIMIT_S
    while is_locked(lab):
        if lab.inventory.exists():
            return True
        if time.monotonic() > deadline:
            raise GamedayError(f"the lab in {lab.root} neither comes up nor goes down, see {lab.log}")
        time.sleep(0.05)
    return False


def _node_status(lab: LabLayout, node: LabNode, ports: dict[str, int]) -> NodeStatus:
    services = []
    for service in node.services:
        state = read_state(lab.node(node.name).state / service.unit)
        services.append(
            ServiceStatus(
                service,
                state.get("ActiveState", "unknown"),
                state.get("SubState", "unknown"),
                int(state.get("NRestarts", "0")),
                ports.get(service.name, 0),
            )
        )
    return NodeStatus(node.name, ports[f"ssh.{node.name}"], tuple(services))


def read_state(file: Path) -> dict[str, str]:
    """A supervisor's state file; empty when there is none."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    return {key: value for key, _, value in (line.partition("=") for line in lines)}
