"""One node of the embedded lab, a process of its own: `python -m console.lab.node DIR NAME FD KIND`.

FD is its endpoint, a socket bound to a port of the machine's loopback. KIND is `own`, where the node has namespaces of
its own and all of it ends with this process, or `shared`. It lives as long as its standard input, the daemon's
lifeline, stays open, and takes everything with it when it ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from console.lab.layout import LAB_MARK, NODE_MARK, LabLayout
from console.lab.network import reach
from console.lab.processes import kill_marked
from console.lab.ssh_server import listen
from console.lab.supervisor import Supervisor


def node_environment(lab: LabLayout, name: str) -> dict[str, str]:
    """The environment of everything that runs on the node."""
    node = lab.node(name)
    return {
        "PATH": f"{node.bin}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(node.home),
        "PGPASSFILE": str(node.passfile),
        "USER": "gameday",
        "LOGNAME": "gameday",
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        LAB_MARK: os.environ[LAB_MARK],
        NODE_MARK: name,
    }


async def run(lab: LabLayout, name: str, endpoint: socket.socket, *, shared: bool) -> None:
    """Run the node until its lifeline is cut or it gets SIGTERM."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), over.set)
    loop.add_signal_handler(signal.SIGTERM, over.set)
    environment = node_environment(lab, name)
    supervisor = Supervisor(lab.node(name), environment)
    try:
        await supervisor.start()
        acceptor = await listen(lab, name, endpoint, environment, reach(own=not shared))
        os.write(sys.stdout.fileno(), b"ready\n")
        await over.wait()
        acceptor.close()
    finally:
        await supervisor.shut_down()
        if shared:
            kill_marked(os.environ[LAB_MARK], name, lab.pgdata if name == "bluefin" else None)


if __name__ == "__main__":
    # A command that stops reading its input is its own business, not a line in the node's log for each packet.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    root, node, descriptor, kind = sys.argv[1:]
    os.set_inheritable(int(descriptor), False)
    asyncio.run(run(LabLayout(Path(root)), node, socket.socket(fileno=int(descriptor)), shared=kind == "shared"))
