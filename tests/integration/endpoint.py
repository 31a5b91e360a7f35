"""An SSH endpoint on the loopback that behaves as sshd does: real commands, and a link that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from console.plan import inventory
from tests.integration.listener import Listener


@dataclass
class Endpoint:
    """A server, and in front of it a relay that can fall silent as an unplugged cable does."""

    folder: Path
    port: int = 0
    acceptor: asyncssh.SSHAcceptor | None = None
    relay: Listener | None = None
    connections: int = 0
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    _commands: set[asyncio.Task[None]] = field(default_factory=set)

    def spec(self, **changes: object) -> inventory.Node:
        """The inventory entry that reaches it."""
        said: dict[str, object] = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": "gameday",
            "identity": str(self.folder / "key"),
            "known_hosts": str(self.folder / "known_hosts"),
            "run_dir": str(self.folder / "run"),
            "sudo": False,
        }
        return inventory.Node(**{**said, **changes})  # type: ignore[arg-type]

    async def start(self) -> None:
        """Listen, on the same port as before when there was one."""
        host_key, key = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
        if not (self.folder / "key").exists():
            host_key.write_private_key(str(self.folder / "host_key"))
            key.write_private_key(str(self.folder / "key"))
            key.write_public_key(str(self.folder / "authorized"))
        self.acceptor = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[str(self.folder / "host_key")],
            authorized_client_keys=str(self.folder / "authorized"),
            process_factory=self._handle,
            encoding=None,
            server_factory=_Server,
        )
        self.relay = Listener(self._relay)
        self.port = await self.relay.start(self.port)
        host = asyncssh.read_private_key(str(self.folder / "host_key")).export_public_key().decode()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host}")

    def cut(self) -> None:
        """Nothing passes any more, in either direction, and nobody is told."""
        self.silent.set()

    def mend(self) -> None:
        """New connections pass again; the old ones are dead."""
        self.silent.clear()

    async def stop(self) -> None:
        """End the server and its connections; commands that run on see the end of their input."""
        assert self.acceptor
        assert self.relay
        await self.relay.stop()
        self.acceptor.close()
        if self._commands:
            await asyncio.wait(self._commands, timeout=10)

    async def _handle(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Run the command as sshd does: its input ends with the channel, and nothing is killed."""
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)
        child = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", process.command or "exit 1",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        assert child.stdin
        assert child.stdout
        assert child.stderr
        feeder = asyncio.create_task(_feed(process, child.stdin))
        await asyncio.gather(_drain(child.stdout, process.stdout), _drain(child.stderr, process.stderr))
        status = await child.wait()
        process.exit(status if status >= 0 else 128 - status)
        await process.wait_closed()
        await feeder

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.acceptor
        self.connections += 1
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.acceptor.get_port())
        try:
            await asyncio.gather(self._pump(reader, up_writer), self._pump(up_reader, writer))
        finally:
            up_writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        dead = False
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                dead = dead or self.silent.is_set()
                if not dead:
                    sink.write(data)
                    await sink.drain()
        if not dead and not self.silent.is_set():
            sink.close()


class _Server(asyncssh.SSHServer):
    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True


async def _feed(process: asyncssh.SSHServerProcess[bytes], sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await process.stdin.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def _drain(source: asyncio.StreamReader, sink: asyncssh.SSHWriter[bytes]) -> None:
    while data := await source.read(65536):
        with contextlib.suppress(OSError, asyncssh.Error):
            sink.write(data)


@contextlib.asynccontextmanager
async def endpoint(folder: Path) -> AsyncIterator[Endpoint]:
    """A running endpoint whose files lie in `folder`."""
    made = Endpoint(folder)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
