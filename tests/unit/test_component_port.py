"""component-delay and component-error: a real port in a network namespace of its own, real firewalls. (As root.)"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.errors import Refused
from console.faults.base import ComponentTarget, Scripts, Target
from console.faults.component_delay import ComponentDelay
from console.faults.component_error import ComponentError
from tests.integration.networks import FIREWALLS, Place, Said, path_of, works

PORT = 7073
DELAY = ComponentDelay(component="eventbus", delay_ms=300)
ERROR = ComponentError(component="eventbus")
BUS = """
import socketserver, sys, time, socket
class Bus(socketserver.BaseRequestHandler):
    def handle(self):
        for line in self.request.makefile("rb"):
            if line == b"listen\\n":
                while True: self.request.sendall(b"tick\\n"); time.sleep(0.05)
            self.request.sendall(line)
class Serve(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, address_family = True, True, socket.AF_INET6
    def handle_error(self, request, address): pass
with Serve(("::", 7073), Bus) as server:
    print("ready", flush=True)
    server.serve_forever()
"""
CLIENT = """
import json, socket, sys, time
links = {}
for line in sys.stdin:
    verb, name, address = line.split()
    began, said = time.monotonic(), ""
    try:
        if verb == "connect": links[name] = socket.create_connection((address, 7073), 3)
        elif verb == "listen": links[name].sendall(b"listen\\n"); said = links[name].recv(5).decode()
        elif verb == "hear":
            links[name].settimeout(1)
            said = "heard for 2 s"
            while time.monotonic() < began + 2:
                if not links[name].recv(99): said = "closed"; break
        else: links[name].sendall(b"x\\n"); said = links[name].recv(2).decode() or "closed"
    except TimeoutError: said = "silent"
    except OSError as error: said = type(error).__name__
    print(json.dumps([said.strip(), time.monotonic() - began]), flush=True)
"""


@dataclass
class Node:
    """A node with a bus on it, and somebody who uses that from the node itself."""

    place: Place
    folder: Path
    path: str
    user: subprocess.Popen[str]
    console: str = "192.0.2.1 22"

    def run(self, scripts: Scripts, name: str, *, text: str = "") -> Said:
        """Run one of the scripts as the guard does."""
        home = self.folder / "run" / "abcdefgh" / "1"
        home.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text or getattr(scripts, name))
        with (home / f"{name}.out").open("w") as out:
            done = subprocess.run(
                self.place.command("sh", str(home / name)), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                check=False, timeout=30,
                env={"PATH": self.path, "GAMEDAY_DIR": str(home), "GAMEDAY_CONSOLE": self.console},
            )  # fmt: skip
        return Said(done.returncode, (home / f"{name}.out").read_text().strip())

    def does(self, verb: str, name: str = "a", address: str = "127.0.0.1") -> tuple[str, float]:
        """What became of that, and how long it took."""
        assert self.user.stdin
        assert self.user.stdout
        self.user.stdin.write(f"{verb} {name} {address}\n")
        self.user.stdin.flush()
        said, took_s = json.loads(self.user.stdout.readline())
        return said, took_s

    def kill_proxy(self) -> None:
        mark = f"component-delay {self.folder}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if b"proxy.py" in (process / "cmdline").read_bytes() and mark in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)

    def rules(self) -> list[str]:
        saved = self.place.do(f"PATH={self.path}; iptables-save; ip6tables-save")
        return [line for line in saved.splitlines() if line.startswith("-A") or "GAMEDAY" in line]


@pytest.fixture(scope="module", params=[firewall for firewall in FIREWALLS if works(firewall)])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    tmp_path = tmp_path_factory.mktemp("node")
    place = Place()
    words = place.command("setpriv", "--pdeathsig", "KILL", sys.executable, "-c")
    bus = subprocess.Popen([*words, BUS], stdout=subprocess.PIPE, text=True)
    user = subprocess.Popen([*words, CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    made = Node(place, tmp_path, path_of(request.param, tmp_path), user)
    try:
        assert bus.stdout
        assert bus.stdout.readline() == "ready\n"
        yield made
    finally:
        for process in (bus, user):
            process.kill()
            process.communicate()
        place.end()


@pytest.fixture
def node(made: Node) -> Iterator[Node]:
    """After each test nothing is left."""
    yield made
    for fault in (DELAY, ERROR):
        assert made.run(scripts_of(fault), "revert").code == 0
        assert made.run(scripts_of(fault), "clean") == Said(0, "")
    assert made.rules() == []
    for file in (made.folder / "run" / "abcdefgh" / "1").iterdir():
        file.unlink()
    made.console = "192.0.2.1 22"


def scripts_of(fault: ComponentDelay | ComponentError, port: int = PORT, run: str = "abcdefgh") -> Scripts:
    component = ComponentTarget("eventbus", port=port)
    return fault.scripts(Target(node="bluefin", run=run, units=("jobs.service",), component=component))


def test_a_round_trip_through_the_port_takes_the_delay_longer_in_both_families_and_only_there(node: Node) -> None:
    scripts = scripts_of(DELAY)
    assert node.run(scripts, "preflight") == Said(0, "")
    node.does("connect", "old")
    assert node.does("say", "old")[0] == "x"
    node.does("connect", "listener")
    assert node.does("listen", "listener")[0] == "tick"
    assert node.run(scripts, "inject") == Said(0, "")
    effect = node.run(scripts, "effect")
    took = re.fullmatch(r"127.0.0.1 port 7073: a round trip took (\d+) ms", effect.text)
    assert took, effect.text
    assert (effect.code, 300 <= int(took[1]) < 600) == (0, True)
    # Whoever was connected before has to come anew, also one that only listens.
    assert node.does("say", "old")[0] in ("ConnectionResetError", "closed")
    assert node.does("hear", "listener")[0] in ("ConnectionResetError", "closed")
    for address in ("127.0.0.1", "::1"):
        node.does("connect", "new", address)
        said, took_s = node.does("say", "new", address)
        assert (said, 0.3 <= took_s < 0.6) == ("x", True), took_s
    assert node.run(scripts, "clean").code == 1
    node.kill_proxy()
    assert node.run(scripts, "effect") == Said(1, "127.0.0.1 port 7073: a connect is refused")
    assert node.run(scripts, "revert") == Said(0, "")
    node.does("connect", "after")
    said, took_s = node.does("say", "after")
    assert (said, took_s < 0.2) == ("x", True)
    assert node.run(scripts, "effect").code == 1


def test_the_port_refuses_at_once_and_says_so_by_our_own_rules(node: Node) -> None:
    scripts = scripts_of(ERROR)
    assert node.run(scripts, "preflight") == Said(0, "")
    node.does("connect", "old")
    assert node.run(scripts, "effect").code == 3
    assert node.run(scripts, "inject") == Said(0, "")
    effect = node.run(scripts, "effect")
    assert effect.code == 0
    assert effect.text.startswith("127.0.0.1 port 7073: a connect is refused within 1 s; ")
    assert node.does("say", "old")[0] == "ConnectionResetError"
    for address in ("127.0.0.1", "::1"):
        said, took_s = node.does("connect", "new", address)
        assert (said, took_s < 0.5) == ("ConnectionRefusedError", True)
    assert node.run(scripts, "preflight").code == 1
    assert node.run(scripts, "clean").code == 1
    assert node.run(scripts, "revert") == Said(0, "")
    assert node.does("connect", "after")[0] == ""
    effect = node.run(scripts, "effect")
    assert effect.code == 1
    assert "a connect is taken, not refused" in effect.text


def test_a_port_at_which_nobody_listens_or_the_consoles_own_is_refused(node: Node) -> None:
    nobody = node.run(scripts_of(DELAY, port=7079), "preflight")
    assert nobody == Said(1, "nothing listens on port 7079: is jobs.service up?")
    node.console = "192.0.2.1 7073"
    for fault in (DELAY, ERROR):
        way_in = node.run(scripts_of(fault), "preflight")
        assert (way_in.code, "the console comes in" in way_in.text) == (3, True)


def test_a_run_id_that_fits_no_chain_is_refused() -> None:
    with pytest.raises(Refused, match="too long"):
        scripts_of(ERROR, run="a" * 20)
