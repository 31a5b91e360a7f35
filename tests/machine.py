"""A machine with a real systemd and sshd for the tests: a systemd-nspawn container with a network of its own (root)."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from console.lab.systemd.image import image
from console.plan import inventory

DISK_MB = 64
"""How much may be written to the machine's disk."""
CGROUPS = [Path("/sys/fs/cgroup") / base for base in ("systemd", "unified", "")]
"""Where pid 1 of a machine keeps its units' processes, by the host's kind of cgroups."""
BOOT_LIMIT_S = 60.0


@dataclass
class Machine:
    """A running machine. It sees `folder` under the same path as the host does."""

    name: str
    address: str
    leader: int
    """Its pid 1, as the host counts."""
    keys: Path
    folder: Path

    def run(self, *words: str, check: bool = True) -> str:
        """Run a program in it as root, past SSH: what it printed."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=check, timeout=30)
        return done.stdout

    def command(self, *words: str) -> list[str]:
        """The command that does so."""
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", *words]

    def spec(self, run_dir: str) -> inventory.Node:
        """The inventory entry that reaches it."""
        return inventory.Node(
            address=self.address,
            user="gameday",
            identity=str(self.keys / "key"),
            known_hosts=str(self.keys / "known_hosts"),
            run_dir=run_dir,
        )

    def cut(self) -> None:
        """Nothing passes any more, in either direction, and nobody is told."""
        _do("ip", "link", "set", self.name, "down")

    def cable_to(self, other: Machine, address: str, others: str) -> None:
        """A cable of their own between the two, with an address (and its prefix) at each end."""
        _do("ip", "link", "add", "gdpeer", "netns", self.name, "type", "veth", "peer", "name", "gdpeer",
            "netns", other.name)  # fmt: skip
        for machine, own in ((self, address), (other, others)):
            _do("ip", "-n", machine.name, "addr", "add", own, "dev", "gdpeer")
            _do("ip", "-n", machine.name, "link", "set", "gdpeer", "up")

    def mend(self) -> None:
        """Everything passes again."""
        _do("ip", "link", "set", self.name, "up")


def _do(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


@contextlib.contextmanager
def machine(keys: Path, folder: Path) -> Iterator[Machine]:
    """A booted machine that lets `gameday` in with a key in `keys`, and become root by sudo.

    Its disk forgets everything; `folder` is the host's.
    """
    root = image()
    number, name = _network()
    mount = (
        'for group in $groups; do mkdir "$group" && echo $$ >"$group/cgroup.procs" || exit; done; '
        # What systemd-nspawn notes there would stay on the host.
        "mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn && "
        f'mount -t tmpfs -o size={DISK_MB}m tmpfs "$1" && mkdir "$1/upper" "$1/work" "$1/root" && '
        'mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$1/root" && '
        'cp "$3" "$1/root/etc/ssh/ssh_host_ed25519_key" && shift 3 && exec "$@"'
    )
    (keys / "disk").mkdir()
    for key in ("key", "host_key"):
        _do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / key))
    # A group of its own, for systemd would share the units' groups with the machines beside it.
    groups = [base / name for base in CGROUPS if (base / "cgroup.procs").exists()]
    with (keys / "console").open("wb") as log:
        process = subprocess.Popen(
            [
                "setpriv", "--pdeathsig", "KILL", "unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child=KILL",
                "sh", "-c", mount, "sh", str(keys / "disk"), str(root), str(keys / "host_key"),
                "systemd-nspawn", "-q", "-b", "-D", str(keys / "disk" / "root"), f"--machine={name}", "--register=no",
                "--keep-unit", f"--bind={folder}", "--capability=CAP_NET_ADMIN",
                f"--network-namespace-path=/run/netns/{name}",
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True, env={**os.environ, "groups": " ".join(map(str, groups))},
        )  # fmt: skip
    try:
        made = Machine(name, f"10.254.{number}.2", _leader(process, keys / "console"), keys, folder)
        _let_in(made)
        yield made
    finally:
        process.kill()  # and with it all that is in its process namespace, as also when this process is killed
        process.wait()
        for group in groups:
            _remove(group)
        _do("ip", "netns", "del", name)  # last: from now on another may take the name


def _remove(group: Path) -> None:
    """Remove a control group, as soon as all that was in it is dead."""
    give_up_at = time.monotonic() + 10
    for path, _, _ in os.walk(group, topdown=False):
        while True:
            try:
                os.rmdir(path)
                break
            except OSError:
                assert time.monotonic() < give_up_at, f"{path} is still in use"
                time.sleep(0.02)


def _network() -> tuple[int, str]:
    """A network namespace, and a cable from the host to it that bears its name."""
    for number in range(250):
        name = f"gdtest{number}"
        if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0:
            break
    _do("ip", "link", "add", name, "type", "veth", "peer", "name", "host0", "netns", name)
    _do("ip", "addr", "add", f"10.254.{number}.1/30", "dev", name)
    _do("ip", "link", "set", name, "up")
    _do("ip", "-n", name, "addr", "add", f"10.254.{number}.2/30", "dev", "host0")
    _do("ip", "-n", name, "link", "set", "host0", "up")
    _do("ip", "-n", name, "link", "set", "lo", "up")
    return number, name


def _leader(process: subprocess.Popen[bytes], console: Path) -> int:
    """The machine's pid 1, once its systemd has everything up."""
    give_up_at = time.monotonic() + BOOT_LIMIT_S
    while time.monotonic() < give_up_at:
        nspawn = _children(process.pid)
        pids = _children(nspawn[0]) if nspawn else []
        if pids:
            asked = ["nsenter", "-t", str(pids[0]), "-m", "-p", "-n", "systemctl", "is-system-running"]
            if subprocess.run(asked, capture_output=True, text=True, check=False).stdout in ("running\n", "degraded\n"):
                return pids[0]
        assert process.poll() is None, (
            f"the machine ended while it booted: {console.read_text(errors='replace')[-500:]}"
        )
        time.sleep(0.1)
    raise AssertionError(f"the machine did not boot within {BOOT_LIMIT_S} s")


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _let_in(made: Machine) -> None:
    public = (made.keys / "key.pub").read_text().strip()
    host_key = (made.keys / "host_key.pub").read_text()
    (made.keys / "known_hosts").write_text(f"{made.address} {host_key}")
    made.run(
        "sh", "-euc",
        "echo 'gameday ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/gameday\n"
        f"mkdir ~gameday/.ssh; echo '{public}' >~gameday/.ssh/authorized_keys",
    )  # fmt: skip
    give_up_at = time.monotonic() + BOOT_LIMIT_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection((made.address, 22), timeout=1):
            return
        assert time.monotonic() < give_up_at, "its sshd does not answer"
        time.sleep(0.1)
