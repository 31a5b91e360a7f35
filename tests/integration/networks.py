"""Network namespaces with real cables and firewalls between them, for faults that cut (root): no machine is needed."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from console.faults.base import Scripts

FIREWALLS = ("nft", "legacy")
"""The two programs behind the name iptables."""
NODE, PEER, CONSOLE = "10.9.0.1", "10.9.0.2", "10.8.0.2"
NODE6, PEER6 = "fd09::1", "fd09::2"
SSH_PORT = 2222
TALK = """
import socket, sys, threading
def serve(address, port):
    family = socket.AF_INET if address else socket.AF_INET6
    server = socket.create_server((address, port), family=family, dualstack_ipv6=not address)
    def echo():
        while True:
            link, _ = server.accept()
            threading.Thread(target=lambda: [link.sendall(data) for data in iter(lambda: link.recv(99), b"")]).start()
    threading.Thread(target=echo).start()
for place in sys.argv[1:]:
    address, _, port = place.rpartition(",")
    serve(address, int(port))
print("ready", flush=True)
"""
"""Sends back what it gets, at each `address,port`."""


@dataclass
class Said:
    """What a script said."""

    code: int
    text: str


class Place:
    """A network namespace, kept by a process that dies with this one."""

    def __init__(self) -> None:
        self._keeper = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "-n", "sh", "-c", "echo; exec sleep 3600"],
            stdout=subprocess.PIPE,
        )
        assert self._keeper.stdout
        self._keeper.stdout.readline()
        self.pid = self._keeper.pid
        self.do("ip link set lo up")

    def command(self, *words: str) -> list[str]:
        """The command that runs these words there."""
        return ["nsenter", "-t", str(self.pid), "-n", *words]

    def do(self, line: str, *, check: bool = True) -> str:
        """Run a line of shell there: what it printed."""
        done = subprocess.run(
            self.command("sh", "-c", line), capture_output=True, text=True, check=False, timeout=30
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{line}: {done.stderr or done.stdout}"
        return done.stdout

    def answers(self, address: str, port: int) -> bool:
        """Whether something there listens to TCP from here, and sends back what it gets."""
        talk = (
            "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 1); "
            "s.sendall(b'x'); print(s.recv(1).decode())"
        )
        words = self.command(sys.executable, "-c", talk, address, str(port))
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout == "x\n"

    def end(self) -> None:
        """Let it go, and with it its cables and rules."""
        self._keeper.kill()
        self._keeper.wait()
        assert self._keeper.stdout
        self._keeper.stdout.close()


@dataclass
class Wired:
    """A node that has a cable to a peer and another one to a console; scripts run on it as the guard runs them."""

    node: Place
    peer: Place
    console: Place
    folder: Path
    path: str
    source: str = f"{CONSOLE} {SSH_PORT}"

    def run(self, scripts: Scripts, name: str, *, run: str = "abcdefgh", number: int = 1, text: str = "") -> Said:
        """Run one of the scripts (or another text in its place) to its end, in the action's own folder."""
        place = self.folder / "run" / run / str(number)
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text or getattr(scripts, name))
        done = subprocess.run(
            self.node.command("sh", str(place / name)), capture_output=True, text=True, check=False, timeout=60,
            env={"PATH": self.path, "GAMEDAY_DIR": str(place), "GAMEDAY_CONSOLE": self.source},
        )  # fmt: skip
        return Said(done.returncode, (done.stdout + done.stderr).strip())

    def rules(self) -> list[str]:
        """Every rule of both firewalls, without counters; that a table is there but empty is no difference."""
        saved = self.node.do(f"PATH={self.path}; iptables-save; echo ip6; ip6tables-save")
        lines = (line.partition(" [")[0] for line in saved.splitlines())
        dull = ("#", "*", "COMMIT", ":INPUT ACCEPT", ":OUTPUT ACCEPT", ":FORWARD ACCEPT")
        return [line for line in lines if not line.startswith(dull)]


def works(firewall: str) -> bool:
    """Whether this kernel has that firewall."""
    tool = f"iptables-{firewall}"
    return bool(shutil.which(tool)) and subprocess.run(
        ["unshare", "-n", tool, "-S"], capture_output=True, check=False
    ).returncode == 0  # fmt: skip


def path_of(firewall: str, folder: Path) -> str:
    """A PATH on which iptables is that one."""
    where = folder / firewall
    where.mkdir(exist_ok=True)
    for family, verb in itertools.product(("iptables", "ip6tables"), ("", "-restore", "-save")):
        real = shutil.which(f"{family}-{firewall}{verb}")
        assert real, f"{family}-{firewall}{verb}"
        # The program looks at the name by which it is called.
        (where / f"{family}{verb}").symlink_to(Path(real).resolve())
    return f"{where}:{os.environ['PATH']}"


@contextlib.contextmanager
def wired(folder: Path, firewall: str) -> Iterator[Wired]:
    """The three places, with everything listening: the node at its SSH port, the peer at that and at port 8080."""
    with contextlib.ExitStack() as stack:
        node, peer, console = (Place() for _ in range(3))
        for place in (node, peer, console):
            stack.callback(place.end)
        for end, other, address, others in (
            ("peer0", peer, NODE, PEER),
            ("console0", console, CONSOLE.replace(".2", ".1"), CONSOLE),
        ):
            node.do(f"ip link add {end} type veth peer name eth0 netns {other.pid}")
            node.do(f"ip addr add {address}/24 dev {end}; ip link set {end} up")
            other.do(f"ip addr add {others}/24 dev eth0; ip link set eth0 up")
        node.do(f"ip addr add {NODE6}/64 dev peer0 nodad")
        peer.do(f"ip addr add {PEER6}/64 dev eth0 nodad")
        listening = {node: ["0.0.0.0,2222", "0.0.0.0,8080"], peer: [",2222", ",8080"]}
        for place, places in listening.items():
            server = subprocess.Popen(
                place.command("setpriv", "--pdeathsig", "KILL", sys.executable, "-c", TALK, *places),
                stdout=subprocess.PIPE,
            )
            assert server.stdout
            stack.callback(server.stdout.close)
            stack.callback(server.wait)
            stack.callback(server.kill)
            assert server.stdout.readline() == b"ready\n"
        yield Wired(node, peer, console, folder, path_of(firewall, folder))
