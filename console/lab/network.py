"""How the nodes of a lab reach each other: on the machine's loopback, or on a network of their own, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from console.lab.fleet import FLEET

LOOPBACK = "127.0.0.1"
BRIDGE = "lab0"
IPV4 = "10.77.0.{}"
IPV6 = "fd77::{}"
NETWORKS = ("10.77.0.0/24", "fd77::/64")
DISK = "/tmp"
DISK_MB = 64
STORE_MB = 10
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


def bridge_commands() -> str:
    """What `ip -batch` makes of the daemon's network: a bridge with an address on it."""
    address = IPV4.format("1/24")
    return f"link set lo up\nlink add {BRIDGE} type bridge\naddr add {address} dev {BRIDGE}\nlink set {BRIDGE} up\n"


def cable_commands(node: str, pid: int) -> str:
    """What `ip -batch` plugs between the bridge and the network of the process `pid`, there called eth0."""
    return f"link add {node} type veth peer name eth0 netns {pid}\nlink set {node} master {BRIDGE} up\n"


def node_addresses(node: str) -> tuple[str, str]:
    """The node's own addresses, IPv4 and IPv6, with their prefix lengths."""
    number = _NUMBERS[node]
    return IPV4.format(f"{number}/24"), IPV6.format(f"{number}/64")


def reach(*, own: bool) -> frozenset[str]:
    """Where a node's endpoint forwards to: its own loopback, and the other nodes, if each has a network of its own."""
    nodes = {form.format(number) for number in _NUMBERS.values() for form in (IPV4, IPV6)} if own else set()
    return frozenset({LOOPBACK, "localhost", *nodes})
