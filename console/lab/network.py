"""How the nodes of a lab reach each other: on the machine's loopback, or on a network of their own, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from console.lab.fleet import FLEET

LOOPBACK = "127.0.0.1"
IPV4 = "10.77.0.{}"
IPV6 = "fd77::{}"
NETWORKS = ("10.77.0.0/24", "fd77::/64")
_NUMBERS = {node.name: number for number, node in enumerate(FLEET, start=2)}


@dataclass(frozen=True)
class Network:
    """The network of one lab."""

    ports: Mapping[str, int]
    """By name, see fleet.port_names."""
    shared: str = ""
    """Why the nodes share the machine's network and disks; empty: each has its own."""
    open: str = ""
    """Why the nodes have no firewall; empty: they have one."""

    @property
    def own(self) -> bool:
        """Whether each node has a network of its own."""
        return not self.shared

    @property
    def listen(self) -> str:
        """Where services listen: never beyond the machine."""
        return "0.0.0.0" if self.own else LOOPBACK

    def address(self, node: str) -> str:
        """Where the other nodes, and the lab's daemon, reach that node."""
        return IPV4.format(_NUMBERS[node]) if self.own else LOOPBACK

    def hosts(self) -> str:
        """The nodes' /etc/hosts."""
        names = [(LOOPBACK, "localhost"), ("::1", "localhost")]
        names += [(form.format(number), name) for name, number in _NUMBERS.items() for form in (IPV4, IPV6)]
        return "".join(f"{address}\t{name}\n" for address, name in names)
