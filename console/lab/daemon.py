"""The lab's own process: builds the lab, keeps it, takes it down. `python -m console.lab.daemon DIR LEASE_S`.

Its standard input is the lifeline of who called `up`: a byte on it lets the lab live on alone, its end takes the lab
down. Its standard output tells, line by line, `progress TEXT`, then `ready PATH` or `failed TEXT`. Each node hangs on
a lifeline of its own, so the nodes end too, with all that runs on them, when this process is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from console.errors import GamedayError
from console.lab import systemctl
from console.lab.fleet import FLEET, port_names
from console.lab.inventory_file import write_inventory
from console.lab.layout import LAB_MARK, NODE_MARK, LabLayout
from console.lab.lock import hold_lock
from console.lab.ports import Ports, reserve
from console.lab.private_file import write_private
from console.lab.processes import kill_marked
from console.lab.remains import Facts, clear, end_processes, tidy
from console.lab.units import PYTHONPATH, write_units

if TYPE_CHECKING:
    from console.lab.postgres import Cluster

BASELINE_CONNECTIONS = 9
"""What the services together hold open to the database once all are connected."""
HEALTHY_LIMIT_S = 30.0


def say(kind: str, text: object) -> None:
    """Tell the caller of `up`. One that has gone is noticed by the lifeline, not here."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), f"{kind} {' '.join(str(text).split())}\n".encode())


class Daemon:
    """One lab."""

    def __init__(self, lab: LabLayout, lease_s: float, ports: Ports) -> None:
        self._lab = lab
        self._lease_s = lease_s
        self._ports = ports
        self._nodes: list[asyncio.subprocess.Process] = []
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Live until the lifeline is cut, a signal comes, or a node dies; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._over.set)
        loop.add_reader(sys.stdin.fileno(), self._on_lifeline)
        over = asyncio.create_task(self._end())
        up = asyncio.create_task(self._up())
        code = 0
        try:
            await asyncio.wait({over, up}, return_when=asyncio.FIRST_COMPLETED)
            if up.done():
                up.result()
                say("ready", self._lab.inventory)
                await over
        except (GamedayError, OSError) as error:
            say("failed", error)
            code = 1
        finally:
            for task in (up, over, *self._tasks):
                task.cancel()
            await asyncio.gather(up, over, *self._tasks, return_exceptions=True)
            await self._down()
        return code

    async def _end(self) -> None:
        await self._over.wait()

    def _on_lifeline(self) -> None:
        if not os.read(sys.stdin.fileno(), 1):
            self._over.set()
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())

    async def _up(self) -> None:
        # Imported here, while nothing waits yet: together they cost half a second.
        from console.lab import postgres  # noqa: PLC0415

        lab, ports = self._lab, self._ports.numbers
        cluster = postgres.Cluster(lab.pgdata, ports["postgresql"], postgres.find_binaries())
        say("progress", "nodes: folders, units, keys")
        for node in FLEET:
            layout = lab.node(node.name)
            layout.make()
            systemctl.install(layout)
            for program in ("psql", "pg_dump", "pg_isready"):
                (layout.bin / program).symlink_to(cluster.binaries / program)
            write_private(layout.passfile, cluster.pgpass(postgres.CONSOLE_ROLE, postgres.SERVICE_ROLE))
        lab.approvals.mkdir(mode=0o700)
        lab.tpm_inbox.touch(mode=0o600)
        write_units(lab, ports, [*cluster.command("postgres"), "-D", str(lab.pgdata)])
        say("progress", "bluefin: initdb")
        making = asyncio.create_task(postgres.make_cluster(cluster))
        self._make_keys(ports)
        write_private(lab.passfile, cluster.pgpass(postgres.CONSOLE_ROLE))
        write_private(lab.superuser_passfile, cluster.pgpass(postgres.SUPERUSER))
        await making
        say("progress", "nodes: SSH and supervisor")
        await asyncio.gather(*(self._start_node(node.name) for node in FLEET))
        say("progress", "bluefin: roles, tables and the first backup")
        await postgres.fill(cluster)
        await postgres.backup(lab, cluster)
        say("progress", "services: waiting until all are healthy")
        deadline = asyncio.get_running_loop().time() + HEALTHY_LIMIT_S
        while waiting := await self._unhealthy() or await self._unconnected(cluster):
            if asyncio.get_running_loop().time() > deadline:
                raise GamedayError(f"{waiting} was not healthy within {HEALTHY_LIMIT_S:.0f} s")
            await asyncio.sleep(0.05)
        write_inventory(lab, ports, self._lease_s)

    def _make_keys(self, ports: dict[str, int]) -> None:
        from console.lab.keys import make_keys  # noqa: PLC0415 -- asyncssh takes 0.3 s to import

        make_keys(self._lab, {node.name: ports[f"ssh.{node.name}"] for node in FLEET})

    async def _start_node(self, name: str) -> None:
        arguments = [str(self._lab.root), name, str(self._ports.numbers[f"ssh.{name}"])]
        with (self._lab.node(name).log / "node.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "console.lab.node",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, NODE_MARK: name, "PYTHONPATH": PYTHONPATH},
                start_new_session=True,
            )
        self._nodes.append(process)
        if not process.stdout or await process.stdout.readline() != b"ready\n":
            raise GamedayError(f"node {name} did not start, see {self._lab.node(name).log / 'node.log'}")
        self._tasks.append(asyncio.create_task(self._watch(name, process)))

    async def _watch(self, name: str, process: asyncio.subprocess.Process) -> None:
        """A lab with a dead node is no lab: end it, rather than leave that node's processes to nobody."""
        await process.wait()
        print(f"node {name} died, the lab goes down", file=sys.stderr, flush=True)  # noqa: T201 -- the daemon's log
        self._over.set()

    async def _unhealthy(self) -> str:
        """The first service that does not answer its health check; empty when all do."""
        for service in (service for node in FLEET for service in node.services if service.health):
            url = f"http://127.0.0.1:{self._ports.numbers[service.name]}{service.health}"
            if not await asyncio.to_thread(_answers, url):
                return service.name
        return ""

    async def _unconnected(self, cluster: Cluster) -> str:
        """Something to say while not all services are connected to the database; empty when they are."""
        from console.lab.postgres import SERVICE_ROLE, connections_of  # noqa: PLC0415

        count = await connections_of(cluster, SERVICE_ROLE)
        return "" if count >= BASELINE_CONNECTIONS else f"the services' link to the database ({count} connections)"

    async def _down(self) -> None:
        self._lab.inventory.unlink(missing_ok=True)
        for process in self._nodes:
            if process.stdin:
                process.stdin.close()
        ends = [asyncio.create_task(process.wait()) for process in self._nodes]
        if ends:
            await asyncio.wait(ends, timeout=5.0)
        kill_marked(os.environ[LAB_MARK], pgdata=self._lab.pgdata)
        await asyncio.gather(*ends)
        self._ports.release()
        tidy(self._lab)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:  # noqa: S310 -- the lab's own http URL
            return bool(answer.status == 200)
    except OSError:
        return False


def main(root: Path, lease_s: float) -> int:
    """Run one lab in that folder."""
    lab = LabLayout(root)
    try:
        with hold_lock(lab):
            end_processes(lab)
            clear(lab)
            ports = reserve(port_names())
            facts = Facts(os.environ[LAB_MARK], os.getpid(), ports.numbers)
            lab.facts.write_bytes(msgspec.json.encode(facts))
            return asyncio.run(Daemon(lab, lease_s, ports).run())
    except GamedayError as error:
        say("failed", error)
        return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
