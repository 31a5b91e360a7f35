"""One machine of the systemd lab: a systemd-nspawn container with its own network, disks and memory limit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path

from console.errors import GamedayError
from console.lab.layout import NODE_MARK, NodeLayout
from console.lab.systemd.hardware import HARDWARE, MB
from console.lab.systemd.inside import command_inside, leader_of
from console.lab.systemd.memory import Groups
from console.lab.systemd.network import MachineNetwork

BOOT_LIMIT_S = 60.0
MEMINFO = "/opt/federation/meminfo"
"""Where a machine finds what its /proc/meminfo should say: systemd-nspawn itself puts nothing over /proc."""
MEMINFO_EVERY_S = 0.5
POWER = "power-on"
"""The file in a machine's folder that switches it on again after it was powered off."""
_HERE = Path(__file__).resolve().parent


class Machine:
    """The lab daemon's hold on one machine."""

    def __init__(self, layout: NodeLayout, network: MachineNetwork, lab_id: str) -> None:
        self.layout = layout
        self.name = layout.name
        self._hardware = HARDWARE[self.name]
        self._network = network
        self._groups = Groups.of(lab_id, self.name)
        self.process: asyncio.subprocess.Process | None = None

    async def make_disks(self, image: Path) -> None:
        """Make its disks as sparse files, each with an empty ext4, or with what the image has in its place.

        Raises:
            GamedayError: mkfs failed.
        """
        await _mkfs(self.layout.root / "disk.img", self._hardware.disk_mb)
        for disk in self._hardware.disks:
            filling = image / disk.path.lstrip("/") if disk.filled else None
            await _mkfs(self.layout.root / f"{disk.name}.img", disk.size_mb, filling)

    async def start(self, image: Path, switch: int) -> None:
        """Switch it on, plugged into the switch whose namespace that process holds.

        Raises:
            GamedayError: this host cannot limit its memory.
        """
        self._groups.make(self._hardware.memory_mb * MB)
        (self.layout.root / "meminfo").write_bytes(self._groups.meminfo(self._hardware.memory_mb * MB))
        address, address6 = self._network.addresses(self.name)
        namespace = os.open(f"/proc/{switch}/ns/net", os.O_RDONLY)
        try:
            with (self.layout.log / "console.log").open("ab") as log:
                self.process = await asyncio.create_subprocess_exec(
                    *("setpriv", "--pdeathsig", "KILL", "unshare", "-m", "-p", "-f", "--mount-proc"),
                    *("--kill-child=KILL", "sh", str(_HERE / "machine.sh")),
                    stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, pass_fds=(namespace,),
                    env={
                        **os.environ, NODE_MARK: self.name, "NAME": self.name, "FOLDER": str(self.layout.root),
                        "IMAGE": str(image), "MEMINFO": MEMINFO, "POWER": POWER,
                        "BOOT": str(_HERE / "boot.sh"), "SWITCH": f"/proc/self/fd/{namespace}",
                        "CGROUPS": " ".join(map(str, self._groups.all)), "ADDRESS": address, "ADDRESS6": address6,
                        "DISKS": " ".join(f"{disk.name}:{disk.path}" for disk in self._hardware.disks),
                    },
                )  # fmt: skip
        finally:
            os.close(namespace)
        (self.layout.root / "machine.pid").write_text(str(self.process.pid))

    async def booted(self) -> None:
        """Wait until its systemd has started everything.

        Raises:
            GamedayError: it did not within a minute, it ended, or a unit failed; the sentence says which.
        """
        deadline = asyncio.get_running_loop().time() + BOOT_LIMIT_S
        state = ""
        while state != "running":
            if not self.process or self.process.returncode is not None:
                raise GamedayError(f"{self.name} ended while it booted, see {self.layout.log / 'console.log'}")
            if state == "degraded":
                failed = await self.run("systemctl", "list-units", "--failed", "--plain", "--no-legend")
                raise GamedayError(f"{self.name} came up with failed units: {failed}")
            if asyncio.get_running_loop().time() > deadline:
                raise GamedayError(f"{self.name} did not boot within {BOOT_LIMIT_S:.0f} s ({state or 'no systemd'})")
            await asyncio.sleep(0.1)
            if leader_of(self.layout):
                state = (await self.run("systemctl", "is-system-running", check=False)).strip()

    async def run(self, *words: str, stdin: str = "", check: bool = True) -> str:
        """Run a program on it as root: what it printed.

        Raises:
            GamedayError: it failed, unless not `check`.
        """
        process = await asyncio.create_subprocess_exec(
            *command_inside(self.layout, *words),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, complaint = await process.communicate(stdin.encode())
        if check and process.returncode:
            raise GamedayError(f"{words[0]} on {self.name} failed: {complaint.decode(errors='replace').strip()}")
        return output.decode(errors="replace")

    async def tell_memory(self) -> None:
        """Keep its /proc/meminfo true, for ever."""
        file = os.open(self.layout.root / "meminfo", os.O_WRONLY)
        try:
            while True:
                with contextlib.suppress(OSError):  # the control group goes while the machine is taken down
                    os.pwrite(file, self._groups.meminfo(self._hardware.memory_mb * MB), 0)
                await asyncio.sleep(MEMINFO_EVERY_S)
        finally:
            os.close(file)

    async def stop(self) -> None:
        """Pull its plug: its processes, mounts and network go with the process that holds their namespaces.

        Raises:
            GamedayError: something of it lives on.
        """
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        await asyncio.to_thread(self._groups.remove)


async def _mkfs(file: Path, size_mb: int, filling: Path | None = None) -> None:
    with file.open("wb") as new:
        new.truncate(size_mb * MB)
    command = ["mkfs.ext4", "-q", "-F", "-m", "0", *(["-d", str(filling)] if filling else []), str(file)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, complaint = await process.communicate()
    if process.returncode:
        raise GamedayError(f"mkfs.ext4 failed: {complaint.decode(errors='replace').strip()}")
