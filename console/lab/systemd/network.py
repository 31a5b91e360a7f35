"""The machines' network: a switch in a network namespace of its own, one cable to this host, one to each machine.

Nothing of it has a name outside the lab but the host's end of the cable, and all of it is gone with the processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from console.errors import GamedayError
from console.lab.fleet import FLEET
from console.lab.network import LOOPBACK, Network

RANGE = "10.253.{}.{}"
RANGE6 = "fd67:6d64:{}::{}"
CABLE = "gdlab{}"
CONSOLE_PORT = "console"
SWITCH_PID = "switch.pid"
"""The file in the lab's folder that tells the process that holds its network."""
LABS = 250
_NUMBERS = {node.name: number for number, node in enumerate(FLEET, start=2)}


@dataclass(frozen=True)
class MachineNetwork(Network):
    """The addresses of one lab, whose range bears its number."""

    number: int = 0

    @property
    def cable(self) -> str:
        """The host's end of its cable, as an interface."""
        return CABLE.format(self.number)

    @property
    def console(self) -> str:
        """The host's address, from which the console comes."""
        return RANGE.format(self.number, 1)

    @property
    def range(self) -> str:
        """All addresses of the lab."""
        return RANGE.format(self.number, "0/24")

    def address(self, node: str) -> str:
        """Where everybody reaches that node."""
        return RANGE.format(self.number, _NUMBERS[node])

    def addresses(self, node: str) -> tuple[str, str]:
        """The node's addresses, IPv4 and IPv6, with their prefix lengths."""
        return f"{self.address(node)}/24", f"{RANGE6.format(self.number, _NUMBERS[node])}/64"

    def hosts(self) -> str:
        """The nodes' /etc/hosts."""
        names = [(LOOPBACK, "localhost"), ("::1", "localhost"), (self.console, "console")]
        names += [(form.format(self.number, number), name) for name, number in _NUMBERS.items() for form in _FORMS]
        return "".join(f"{address}\t{name}\n" for address, name in names)


_FORMS = (RANGE, RANGE6)


def lay_cable(lab_id: str) -> int:
    """Make the host's cable with the first free number, which is the lab's: both its ends are here for now.

    It bears the lab's id as its alias.

    Raises:
        GamedayError: there is none, or the kernel has no such cables.
    """
    complaint = ""
    for number in range(LABS):
        taken = subprocess.run(
            ["ip", "route", "show", "to", "root", RANGE.format(number, "0/24")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        if taken.stdout.strip():
            continue
        cable = CABLE.format(number)
        command = ["ip", "link", "add", cable, "type", "veth", "peer", "name", f"{cable}p"]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode == 0:
            subprocess.run(["ip", "link", "set", cable, "alias", lab_id], check=True)
            return number
        complaint = made.stderr.strip()
    raise GamedayError(f"no network for the lab: {complaint or 'all its address ranges are in use'}")


class Switch:
    """The switch: a process that holds its namespace, and dies with the lab's daemon."""

    def __init__(self, network: MachineNetwork) -> None:
        self._network = network
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process that holds the namespace."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Make it, and plug the host in.

        Raises:
            GamedayError: the kernel does not play along.
        """
        script = (
            "ip link set lo up && ip link add switch type bridge mcast_snooping 0 && ip link set switch up && echo && "
            "exec sleep infinity"
        )
        self._process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL", "unshare", "-n", "sh", "-c", script),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        if not self._process.stdout or await self._process.stdout.readline() != b"\n":
            raise GamedayError("the lab's switch did not start: has this kernel network namespaces and bridges?")
        cable = self._network.cable
        inside = ["nsenter", "-t", str(self.pid), "-n"]
        await _do("ip", "link", "set", f"{cable}p", "name", CONSOLE_PORT, "netns", str(self.pid))
        await _do(*inside, "ip", "link", "set", CONSOLE_PORT, "master", "switch", "up")
        await _do("ip", "addr", "add", f"{self._network.console}/24", "dev", cable)
        await _do("ip", "addr", "add", f"{RANGE6.format(self._network.number, 1)}/64", "dev", cable, "nodad")
        await _do("ip", "link", "set", cable, "up")

    async def stop(self) -> None:
        """End it; with its namespace go all cables."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def unplug(lab_id: str) -> None:
    """Remove that lab's cable, if it is still there: the kernel drops it a moment after its other end."""
    for alias in Path("/sys/class/net").glob(f"{CABLE.format('*')}/ifalias"):
        with contextlib.suppress(OSError):
            if alias.read_text().strip() == lab_id:
                subprocess.run(["ip", "link", "del", alias.parent.name], capture_output=True, check=False)


async def _do(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
    _, complaint = await process.communicate()
    if process.returncode:
        raise GamedayError(f"{' '.join(words)}: {complaint.decode(errors='replace').strip()}")
