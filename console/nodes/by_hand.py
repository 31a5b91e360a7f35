"""The one command line that takes a run back by hand, whatever became of its console."""

from __future__ import annotations

from shlex import quote

from console.plan.inventory import Node
from console.plan.plan import hand_command


def hand_revert(node: Node, folder: str, undo: str = "") -> str:
    """The command line that takes back a run whose folder on the node this is, by either kind of guard.

    With the folder of an undo copy it does so after a reboot too.
    """
    words = ["ssh"]
    if node.port != 22:
        words += ["-p", str(node.port)]
    if node.identity:
        words += ["-i", node.identity]
    if node.known_hosts:
        words += ["-o", f"UserKnownHostsFile={node.known_hosts}"]
    if node.jump:
        words += ["-J", node.jump]
    sudo = "sudo -n " if node.sudo else ""
    at = f"{node.user}@{node.address}" if node.user else node.address
    stop = " || ".join(f"{sudo}sh {quote(path)}/guard stop" for path in (folder, undo) if path)
    return hand_command(*words, at, stop)
