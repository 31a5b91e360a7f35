"""The embedded lab's own process: builds the lab, keeps it, takes it down. `python -m console.lab.daemon DIR LEASE_S`.

Each node hangs on a lifeline of its own, so the nodes end too, with all that runs on them, when this process is killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from console.errors import GamedayError
from console.lab import systemctl
from console.lab.fleet import FLEET, port_names
from console.lab.inventory_file import write_inventory
from console.lab.layout import LAB_MARK, NODE_MARK, LabLayout
from console.lab.life import Keeper, await_healthy, keep, lab_id, say
from console.lab.network import Network
from console.lab.ports import Ports, reserve
from console.lab.private_file import write_private
from console.lab.processes import kill_marked
from console.lab.remains import Facts, tidy
from console.lab.units import PYTHONPATH, write_units


class Daemon(Keeper):
    """One lab."""

    def __init__(self, lab: LabLayout, lease_s: float, ports: Ports) -> None:
        super().__init__(lab)
        self._lease_s = lease_s
        self._ports = ports
        self._network = Network(ports.numbers, shared="it has not been tried")
        self._nodes: list[asyncio.subprocess.Process] = []

    async def _up(self) -> None:
        # Imported here, while nothing waits yet: together they cost half a second.
        from console.lab import postgres  # noqa: PLC0415

        lab, ports, network = self._lab, self._ports.numbers, self._network
        cluster = postgres.Cluster(lab.pgdata, network, postgres.find_binaries())
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
        write_units(lab, network, [*cluster.command("postgres"), "-D", str(lab.pgdata)])
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
        await await_healthy(network, lambda: postgres.unconnected(cluster))
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


def main(root: Path, lease_s: float) -> int:
    """Run one lab in that folder."""

    def build(lab: LabLayout) -> tuple[Keeper, Facts]:
        ports = reserve(port_names())
        return Daemon(lab, lease_s, ports), Facts(lab_id(), os.getpid(), ports.numbers)

    return keep(root, build)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
