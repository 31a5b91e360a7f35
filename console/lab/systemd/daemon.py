"""The systemd lab's own process: builds the lab, keeps it, takes it down.

`python -m console.lab.systemd.daemon DIR LEASE_S [--stock-postgres]`. Each machine's processes, mounts and network hang
on one process that dies with this one, so that kill -9 leaves nothing but empty control groups, which the next `up` or
`down` removes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from console.errors import GamedayError
from console.lab.fleet import FLEET, service_ports, ssh_port_names
from console.lab.inventory_file import write
from console.lab.layout import LabLayout
from console.lab.life import Keeper, await_healthy, keep, lab_id, say
from console.lab.private_file import write_private
from console.lab.remains import Facts, tidy
from console.lab.systemd import database, monitoring, setup
from console.lab.systemd.host import check_host
from console.lab.systemd.image import image
from console.lab.systemd.inventory_file import inventory
from console.lab.systemd.machine import Machine
from console.lab.systemd.network import SWITCH_PID, MachineNetwork, Switch, lay_cable, unplug
from console.lab.systemd.skeleton import Skeleton


class Daemon(Keeper):
    """One lab."""

    def __init__(self, lab: LabLayout, lease_s: float, network: MachineNetwork, *, stock_postgres: bool) -> None:
        super().__init__(lab)
        self._lease_s = lease_s
        self._network = network
        self._stock_postgres = stock_postgres
        self._switch = Switch(network)
        self._machines = {node.name: Machine(lab.node(node.name), network, lab_id()) for node in FLEET}

    async def _up(self) -> None:
        # Imported here: they cost half a second.
        from console.lab import postgres  # noqa: PLC0415
        from console.lab.keys import make_keys  # noqa: PLC0415

        lab, network, bluefin = self._lab, self._network, self._machines["bluefin"]
        below = await asyncio.to_thread(image)  # `up` has made it
        cluster = postgres.Cluster(lab.pgdata, network, Path("/usr/bin"))
        say("progress", "machines: keys, disks, files")
        make_keys(lab, {node.name: network.address(node.name) for node in FLEET})
        lab.approvals.mkdir(mode=0o700)
        lab.tpm_inbox.touch(mode=0o600)
        write_private(lab.passfile, cluster.pgpass(postgres.CONSOLE_ROLE))
        write_private(lab.superuser_passfile, cluster.pgpass(postgres.SUPERUSER))
        for node in FLEET:
            layout = lab.node(node.name)
            for folder in (layout.root, layout.log):
                folder.mkdir(mode=0o700, exist_ok=True)
            tree = Skeleton(layout, below)
            setup.lay_out(lab, node, tree, network)
            if node.name == "bluefin":
                setup.lay_out_database(tree, network, cluster, stock=self._stock_postgres)
            if node.name == "redfin":
                setup.lay_out_clients(tree, cluster)
        await asyncio.gather(*(machine.make_disks(below) for machine in self._machines.values()))
        say("progress", "machines: booting")
        await self._switch.start()
        (lab.root / SWITCH_PID).write_text(str(self._switch.pid))
        for name, machine in self._machines.items():
            await machine.start(below, self._switch.pid)
            if not machine.process:
                raise GamedayError(f"{name} did not start")
            console_log = machine.layout.log / "console.log"
            self._tasks.append(asyncio.create_task(self._watch(name, machine.process, console_log)))
            self._tasks.append(asyncio.create_task(machine.tell_memory()))
        await bluefin.booted()
        say("progress", "bluefin: roles, tables and the first backup")
        await database.prepare(bluefin, cluster)
        await asyncio.gather(*(machine.booted() for machine in self._machines.values()))
        say("progress", "services: waiting until all are healthy")

        async def unsettled() -> str:
            return await postgres.unconnected(cluster) or await monitoring.unsettled(network)

        await await_healthy(network, unsettled)
        write(lab, inventory(lab, network, self._lease_s))

    async def _down(self) -> None:
        self._lab.inventory.unlink(missing_ok=True)
        try:
            await asyncio.gather(*(machine.stop() for machine in self._machines.values()))
        finally:
            await self._switch.stop()
            unplug(lab_id())
        tidy(self._lab)


def main(root: Path, lease_s: float, *, stock_postgres: bool) -> int:
    """Run one lab in that folder."""

    def build(lab: LabLayout) -> tuple[Keeper, Facts]:
        check_host()
        network = MachineNetwork(service_ports() | dict.fromkeys(ssh_port_names(), 22), number=lay_cable(lab_id()))
        return Daemon(lab, lease_s, network, stock_postgres=stock_postgres), Facts(lab_id(), os.getpid(), {})

    return keep(root, build)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), stock_postgres="--stock-postgres" in sys.argv[3:]))
