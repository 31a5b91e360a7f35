"""The embedded lab's own process: builds it, keeps it, takes it down. `python -m console.lab.daemon DIR LEASE_S KIND`.

Each node hangs on a lifeline of its own, so the nodes end too, with all that runs on them, when this process is killed.
KIND is `own`, for networks and disks of the nodes' own where the machine allows them, or `shared`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from console.errors import GamedayError
from console.lab import spaces, systemctl
from console.lab.fleet import FLEET, port_names, service_ports, ssh_port_names
from console.lab.inventory_file import write_inventory
from console.lab.layout import LAB_MARK, NODE_MARK, LabLayout
from console.lab.life import Keeper, await_healthy, keep, lab_id, say
from console.lab.network import LOOPBACK, Network
from console.lab.ports import Ports, reserve
from console.lab.private_file import write_private
from console.lab.processes import kill_marked
from console.lab.remains import Facts, tidy
from console.lab.units import PYTHONPATH, store_library, write_units


class Daemon(Keeper):
    """One lab."""

    def __init__(self, lab: LabLayout, lease_s: float, ports: Ports, network: Network) -> None:
        super().__init__(lab)
        self._lease_s = lease_s
        self._ports = ports
        self._network = network
        self._nodes: list[asyncio.subprocess.Process] = []

    async def _up(self) -> None:
        # Imported here, while nothing waits yet: together they cost half a second.
        from console.lab import postgres  # noqa: PLC0415

        lab, network = self._lab, self._network
        cluster = postgres.Cluster(lab.pgdata, network, postgres.find_binaries())
        say("progress", "nodes: folders, units, keys")
        for node in FLEET:
            layout = lab.node(node.name)
            layout.make()
            systemctl.install(layout, network.shared or network.open)
            for program in ("psql", "pg_dump", "pg_isready"):
                (layout.bin / program).symlink_to(cluster.binaries / program)
            write_private(layout.passfile, cluster.pgpass(postgres.CONSOLE_ROLE, postgres.SERVICE_ROLE))
        lab.approvals.mkdir(mode=0o700)
        lab.tpm_inbox.touch(mode=0o600)
        lab.hosts.write_text(network.hosts())
        write_units(lab, network, [*cluster.command("postgres"), "-D", str(lab.pgdata)])
        say("progress", "bluefin: initdb")
        making = asyncio.create_task(postgres.make_cluster(cluster))
        self._make_keys()
        write_private(lab.passfile, cluster.pgpass(postgres.CONSOLE_ROLE))
        write_private(lab.superuser_passfile, cluster.pgpass(postgres.SUPERUSER))
        await making
        say("progress", "nodes: SSH and supervisor")
        await asyncio.gather(*(self._start_node(node.name, cluster.binaries) for node in FLEET))
        say("progress", "bluefin: roles, tables and the first backup")
        await postgres.fill(cluster)
        await postgres.backup(lab, cluster)
        say("progress", "services: waiting until all are healthy")
        await await_healthy(network, lambda: postgres.unconnected(cluster), () if store_library() else ("sigil",))
        write_inventory(lab, network, self._lease_s)

    def _make_keys(self) -> None:
        from console.lab.keys import make_keys  # noqa: PLC0415 -- asyncssh takes 0.3 s to import

        ports = self._ports.numbers
        make_keys(self._lab, {node.name: f"[{LOOPBACK}]:{ports[f'ssh.{node.name}']}" for node in FLEET})

    async def _start_node(self, name: str, binaries: Path) -> None:
        lab, own, endpoint = self._lab, self._network.own, self._ports.held[f"ssh.{name}"].fileno()
        command = [sys.executable, "-m", "console.lab.node", str(lab.root), name, str(endpoint)]
        command += ["own" if own else "shared"]
        if own:
            programs = [sys.prefix, sys.base_prefix, *sys.path, *os.environ["PATH"].split(os.pathsep)]
            keep = spaces.hidden_by_disks([lab.root, binaries, *map(Path, programs)])
            command = spaces.node_command(lab.node(name), lab.hosts, keep, command)
        with (lab.node(name).log / "node.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                pass_fds=(endpoint,),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, NODE_MARK: name, "PYTHONPATH": PYTHONPATH},
                start_new_session=True,
            )
        self._nodes.append(process)
        if own:
            await self._hear(name, process, b"space\n")
            spaces.plug_in(name, process.pid)
            if process.stdin:
                process.stdin.write(b"cable\n")
        await self._hear(name, process, b"ready\n")
        self._tasks.append(asyncio.create_task(self._watch(name, process)))

    async def _hear(self, name: str, process: asyncio.subprocess.Process, word: bytes) -> None:
        """Wait until the node says that."""
        if not process.stdout or await process.stdout.readline() != word:
            raise GamedayError(f"node {name} did not start, see {self._lab.node(name).log / 'node.log'}")

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


def _prepare(lab: LabLayout, kind: str) -> tuple[Ports, Network]:
    """The lab's ports and network; in namespaces of its own, this process is in them afterwards.

    The nodes' endpoints are bound before that, so they stay where the console is.
    """
    allowed = spaces.probe(lab) if kind == "own" else spaces.Allowed("asked for with --shared")
    if allowed.shared:
        ports = reserve(port_names())
        return ports, Network(ports.numbers, allowed.shared)
    ports = reserve(ssh_port_names())
    spaces.enter()
    return ports, Network({**ports.numbers, **service_ports()}, open=allowed.open)


def main(root: Path, lease_s: float, kind: str) -> int:
    """Run one lab in that folder."""

    def build(lab: LabLayout) -> tuple[Keeper, Facts]:
        ports, network = _prepare(lab, kind)
        facts = Facts(lab_id(), os.getpid(), dict(network.ports), network.shared, network.open)
        return Daemon(lab, lease_s, ports, network), facts

    return keep(root, build)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
