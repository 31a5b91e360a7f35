"""The other node of a fault or a question between two: which may be named, and how it is reached."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from console.errors import Refused
from console.faults.base import Target
from console.plan.inventory import Inventory, Node
from console.plan.scenario import Action


def wrong_peer(action: Action) -> str:
    """Why the action cannot have the peer that it names, or names none; empty where all is well."""
    kind = action.fault.kind
    if not action.fault.needs_peer:
        return f"{kind} has no 'peer'" if action.peer else ""
    if not action.peer:
        return f"{kind} needs 'peer', the other node"
    return f"'peer' is {action.node} itself" if action.peer == action.node else ""


def refuse_way_in(action: Action, node: Node, peer: Node) -> None:
    """That the console does not reach the node by way of the peer, as far as the inventory tells.

    Raises:
        Refused: it does.
    """
    host = node.jump.rpartition("@")[2].partition(":")[0]
    if host and host in (action.peer, peer.address, peer.reached_at):
        raise Refused(
            f"{action.fault.kind} on {action.node}: {action.peer} is the jump host by which the console reaches it"
        )


def moved(target: Target, inventory: Inventory) -> str:
    """In words, that the inventory reaches the target's peer elsewhere by now; empty where it does not."""
    peer = inventory.nodes.get(target.peer)
    if not target.peer or (peer and target.peers == (peer.reached_at,)):
        return ""
    return f"'{target.peer}' is not reached at {', '.join(target.peers)} any more"


def seen_by_others(url: str, node: Node) -> str:
    """A URL of a service as other nodes reach it: the host is the node's address, the port stays.

    >>> seen_by_others("http://127.0.0.1:8080/health?a=1", Node(address="redfin.example", peer_address="fd00::2"))
    'http://[fd00::2]:8080/health?a=1'
    """
    parts = urlsplit(url)
    host = f"[{node.reached_at}]" if ":" in node.reached_at else node.reached_at
    return urlunsplit(parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host))
