"""Namespaces of Linux, without privilege: what of them this machine allows, and how the lab and its nodes enter them.

The daemon moves into a user namespace, where it is root of nothing but what it makes, with a network of its own that
holds the bridge. Each node is a child of it with its own network, mounts, processes, name and shared memory. So all of
it is gone with the last process, and several labs can have the same addresses.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from console.errors import GamedayError
from console.lab.layout import LabLayout, NodeLayout
from console.lab.network import DISK, DISK_MB, STORE_MB, bridge_commands, cable_commands, node_addresses

_HERE = Path(__file__).resolve().parent
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_COVERED = ("/run/", f"{DISK}/")
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_PROBE_LIMIT_S = 10.0


@dataclass(frozen=True)
class Allowed:
    """What the machine allows; each reason is empty where it does."""

    shared: str = ""
    """Why the nodes have to share the machine's network and disks."""
    open: str = ""
    """Why they have no firewall."""


def system_path(path: str) -> str:
    """That PATH with the folders of `ip` and `iptables`, which an ordinary user's often lacks."""
    return os.pathsep.join([path, *(folder for folder in _SYSTEM_PATH if folder not in path.split(os.pathsep))])


def probe(lab: LabLayout) -> Allowed:
    """Try all that a node needs, in namespaces that end with the trial."""
    if sys.platform != "linux":
        return Allowed("only Linux has namespaces")
    path = system_path(os.environ.get("PATH", os.defpath))
    for program, package in (("unshare", "util-linux"), ("mount", "mount"), ("ip", "iproute2")):
        if not shutil.which(program, path=path):
            return Allowed(f"the program {program} is missing (Debian package {package})")
    command = [*_unshare("--user", "--map-root-user"), "sh", str(_HERE / "space_probe.sh"), str(lab.root)]
    try:
        tried = subprocess.run(
            command,
            env={**os.environ, "PATH": path, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Allowed(f"the trial of namespaces did not end within {_PROBE_LIMIT_S:g} s")
    if tried.returncode != 0:
        complaint = tried.stderr.strip().splitlines() or [f"exit status {tried.returncode}"]
        return Allowed(f"this machine denies namespaces to ordinary users: {complaint[-1]}")
    return Allowed(open=tried.stdout.strip())


def enter() -> None:
    """Move this process, which must have no other thread, into its own user and network namespaces; make the bridge.

    Raises:
        GamedayError: denied, after `probe` had been allowed.
    """
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USER | _NEW_NETWORK) != 0:
        raise GamedayError(f"the lab's namespaces cannot be made: {os.strerror(ctypes.get_errno())}")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        try:
            Path("/proc/self", name).write_text(text)
        except OSError as error:
            raise GamedayError(f"the lab's user namespace cannot be set up: {error}") from error
    os.environ["PATH"] = system_path(os.environ.get("PATH", os.defpath))
    _ip(bridge_commands())


def plug_in(node: str, pid: int) -> None:
    """Connect the network of the process `pid` to the bridge.

    Raises:
        GamedayError: it cannot be.
    """
    _ip(cable_commands(node, pid))


def node_command(layout: NodeLayout, hosts: Path, keep: list[Path], command: list[str]) -> list[str]:
    """How to start that node in namespaces of its own; all of it dies with the process that this starts.

    It prints `space` when its network is there, and goes on once it reads `cable`.
    """
    facts = [layout.name, *node_addresses(layout.name), str(hosts), str(layout.root / "stage"), DISK, str(DISK_MB)]
    facts += [str(layout.stores), str(STORE_MB)]
    folders = [str(folder) for folder in keep]
    return [*_unshare("--kill-child=SIGKILL"), "sh", str(_HERE / "node_space.sh"), *facts, *folders, "--", *command]


def hidden_by_disks(paths: list[Path]) -> list[Path]:
    """Those folders, by each of their names, that a node's own disks would hide; without what lies in another one."""
    names = sorted({name for path in paths for name in (path, path.resolve())})
    found: list[Path] = []
    for name in names:
        covered = str(name).startswith(_COVERED) and name.is_dir()
        if covered and not any(name.is_relative_to(other) for other in found):
            found.append(name)
    return found


def _unshare(*options: str) -> list[str]:
    return ["unshare", *options, "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc"]


def _ip(commands: str) -> None:
    done = subprocess.run(["ip", "-batch", "-"], input=commands, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GamedayError(f"the lab's network cannot be made: {' '.join(done.stderr.split())}")
