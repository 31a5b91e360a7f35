"""A node that is guarded in tests, by either kind of guard: its run folder, and the file that its fault makes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from console.nodes.guard import Guard, InjectResult
from console.nodes.proof import GuardKind
from console.nodes.ssh import SshNode
from tests.integration.endpoint import Endpoint, endpoint
from tests.integration.guarding import LEASE_S, eventually, guard_of, touching
from tests.machine import Machine, machine

ROOT = Path(__file__).parents[2]
KINDS: list[GuardKind] = ["shell", "systemd"] if sys.platform == "linux" and os.geteuid() == 0 else ["shell"]
"""Real systemd needs a machine, and a machine needs root: as root on Linux nothing less is tested."""
SLACK_S = 1.0
"""What the node may take to revert and prove, above the lease."""
LOADED_S = 2.0
"""What a loaded test machine may take above that."""
IN_TIME_S = LEASE_S + SLACK_S + LOADED_S


@dataclass
class Site:
    """One node with its run folder, and the file that its fault makes."""

    on: Endpoint | Machine
    node: SshNode
    folder: Path

    @property
    def mark(self) -> Path:
        return self.folder / "mark"

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    @property
    def machine(self) -> Machine:
        assert isinstance(self.on, Machine)
        return self.on

    def command(self, *words: str) -> list[str]:
        """The command that runs these words on the node, past SSH."""
        return list(words) if isinstance(self.on, Endpoint) else self.on.command(*words)

    def send(self, number: signal.Signals, run: str, name: str) -> None:
        """Send a signal to one of the guard's processes."""
        pid = (self.run_dir / run / f"{name}.pid").read_text().split()[0]
        subprocess.run(self.command("kill", f"-{number}", pid), check=True)

    def left(self) -> list[str]:
        """What lies in the run folder; a lock is called guard, be it a folder or a unit."""
        unit = ["guard"] if isinstance(self.on, Machine) and self.unit() not in ("inactive", "") else []
        return sorted(unit + os.listdir(self.run_dir))

    def unit(self) -> str:
        """What systemd calls the guard's state."""
        return self.machine.run("systemctl", "show", "-p", "ActiveState", "--value", "gameday-guard").strip()


@contextlib.asynccontextmanager
async def site_on(on: Endpoint | Machine, folder: Path) -> AsyncIterator[Site]:
    """A site on which nothing runs any more in the end."""
    spec = on.spec(str(folder / "run")) if isinstance(on, Machine) else on.spec()
    node = SshNode("redfin", msgspec.structs.replace(spec, undo_dir=str(folder / "undo")))
    yield Site(on, node, folder)
    await node.close()
    await eventually(lambda: not processes_of(folder), 10)


@pytest.fixture(scope="session")
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A running machine; it sees all that the tests keep in files."""
    with machine(tmp_path_factory.mktemp("machine"), tmp_path_factory.getbasetemp()) as running:
        yield running


@pytest.fixture(params=KINDS)
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """A node with either kind of guard."""
    if request.param == "systemd":
        async with site_on(request.getfixturevalue("systemd"), tmp_path) as made:
            yield made
    else:
        async with endpoint(tmp_path) as on, site_on(on, tmp_path) as made:
            yield made


def processes_of(folder: Path) -> list[str]:
    """The command lines of what still runs for a node whose files lie in `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(folder / "run").encode() in line:
                found.append(line.split(b"\0\0")[0].replace(b"\0", b" ").decode()[:200])
    return found


async def going(site: Site, run: str = "r1", **scripts: str) -> Guard:
    """A guard whose inject has made the mark."""
    guard = await guard_of(site.node, run, touching(site.mark, **scripts))
    await guard.arm()
    await guard.go()
    await eventually(site.mark.exists, 5)
    return guard


async def result_of(guard: Guard) -> InjectResult:
    """How inject ended, within 5 s."""
    async with asyncio.timeout(5):
        while not (result := await guard.inject_result()):
            await asyncio.sleep(0.1)
    return result


async def console_of(site: Site) -> asyncio.subprocess.Process:
    """A console as a process of its own, after its go."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.guarding", msgspec.json.encode(site.node.spec).decode(),
        str(site.mark), cwd=ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert (await process.stdout.readline()).decode().strip() == "gone"
    await eventually(site.mark.exists, 5)
    return process
