"""How long a database was gone, by the writer beside it: when it was killed, when a row was acknowledged again."""

from __future__ import annotations

from shlex import quote

from console.errors import NodeUnreachable
from console.nodes.scripts import whole
from console.nodes.ssh import SshNode
from console.probes.timeline import Measured, Timeline


class WriterWatch:
    """Reads what a postgres-crash noted on its node, by that node's own clock since its boot."""

    def __init__(self, node: SshNode, folder: str) -> None:
        self._node = node
        self._folder = folder
        self._seen = Timeline()

    @property
    def why(self) -> str:
        """Why the last `measured` was None."""
        return self._seen.why

    async def collect(self) -> None:
        """Take in what was noted until now."""
        self._seen = Timeline()
        try:
            done = await self._node.run("sh -s", input=whole(f"cat {quote(self._folder)}/watch"), sudo=True)
        except NodeUnreachable as error:
            self._seen.why = str(error)
            return
        for line in done.stdout.splitlines():
            self._seen.take(line)

    async def stop(self) -> None:
        """Nothing is held."""

    def measured(self, stable_for_s: float) -> Measured | None:
        """The time from the kill to the first acknowledged row that was followed by `stable_for_s` good seconds."""
        return self._seen.measured(stable_for_s, f"kill and the writer's rows, both on {self._node.name}")
