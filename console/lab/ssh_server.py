"""A node's SSH endpoint: public keys only, real commands under /bin/sh, forwarding to the lab's nodes only."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncssh

from console.lab.fleet import SSH_USER
from console.lab.layout import LabLayout
from console.lab.processes import exit_of, signal_group

HANG_UP_S = 0.5
"""How long a command may take to end after its channel was closed, before it is killed."""


@dataclass(frozen=True)
class Place:
    """Where commands run."""

    home: Path
    environment: dict[str, str]


class _Login(asyncssh.SSHServer):
    """Lets in the lab's user with the lab's key, and forwards to the lab's nodes only."""

    def __init__(self, authorized_keys: Path, reach: frozenset[str]) -> None:
        self._authorized_keys = authorized_keys
        self._reach = reach
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        if self._connection and username == SSH_USER:
            self._connection.set_authorized_keys(str(self._authorized_keys))
        return True

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return dest_host in self._reach


async def listen(
    lab: LabLayout, node: str, endpoint: socket.socket, environment: dict[str, str], reach: frozenset[str]
) -> asyncssh.SSHAcceptor:
    """Start the endpoint of that node on a bound socket; it forwards to the addresses in `reach`."""
    place = Place(lab.node(node).home, environment)
    return await asyncssh.listen(
        sock=endpoint,
        server_factory=partial(_Login, lab.keys / "authorized_keys", reach),
        server_host_keys=[str(lab.keys / f"host_{node}")],
        process_factory=partial(_serve, place),
        encoding=None,
        allow_pty=False,
        line_editor=False,
        agent_forwarding=False,
        gss_host=None,
    )


async def _serve(place: Place, process: asyncssh.SSHServerProcess[bytes]) -> None:
    if process.subsystem:
        process.stderr.write(f"no subsystem {process.subsystem} here\n".encode())
        return process.exit(127)
    argv = ["/bin/sh"] if process.command is None else ["/bin/sh", "-c", process.command]
    try:
        child = subprocess.Popen(  # noqa: ASYNC220 -- vfork and exec, a millisecond
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=place.home,
            env={**place.environment, **_origin(process)},
            start_new_session=True,
        )
    except OSError as error:
        process.stderr.write(f"{argv[0]}: {error.strerror}\n".encode())
        return process.exit(126)
    ended = asyncio.create_task(exit_of(child))
    closed = asyncio.create_task(process.wait_closed())
    fed = asyncio.create_task(_feed(process, child))
    try:
        await process.redirect(stdout=child.stdout, stderr=child.stderr, send_eof=False)
        await asyncio.wait({ended, closed}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            await _finish(process, ended.result()[0], closed)
    finally:
        fed.cancel()
        await _hang_up(child, ended)
        process.close()
        await closed
    return None


def _origin(process: asyncssh.SSHServerProcess[bytes]) -> dict[str, str]:
    """What sshd tells a command of its connection, which some faults must not cut."""
    client, server = process.get_extra_info("peername"), process.get_extra_info("sockname")
    return {"SSH_CONNECTION": f"{client[0]} {client[1]} {server[0]} {server[1]}"}


async def _feed(process: asyncssh.SSHServerProcess[bytes], child: subprocess.Popen[bytes]) -> None:
    """Pass input, its end and signal requests on to the command.

    Not by asyncssh's redirection: that refills the pipe from within its transport's callback, where CPython closes a
    pipe at the end of input without writing what was just refilled.
    """
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), child.stdin
    )
    pipe = asyncio.StreamWriter(transport, protocol, None, loop)
    try:
        while True:
            try:
                data = await process.stdin.read(65536)
            except asyncssh.SignalReceived as request:
                signal_group(child.pid, getattr(signal, f"SIG{request.signal}", signal.SIGTERM))
                continue
            except asyncssh.BreakReceived:
                signal_group(child.pid, signal.SIGINT)
                continue
            except (asyncssh.Error, OSError):
                return
            if not data:
                return
            # What the command does not read is dropped, as by sshd.
            with contextlib.suppress(OSError):
                pipe.write(data)
                await pipe.drain()
    finally:
        pipe.close()


async def _finish(process: asyncssh.SSHServerProcess[bytes], code: int, closed: asyncio.Task[None]) -> None:
    """Pass on all that was written, then the exit status. Who still holds the pipes open is waited for, as by sshd."""
    drained = asyncio.create_task(_drain(process))
    await asyncio.wait({drained, closed}, return_when=asyncio.FIRST_COMPLETED)
    drained.cancel()
    with contextlib.suppress(OSError):
        if code < 0:
            process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
        else:
            process.exit(code)


async def _drain(process: asyncssh.SSHServerProcess[bytes]) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        await process.stdout.drain()
        await process.stderr.drain()


async def _hang_up(child: subprocess.Popen[bytes], ended: asyncio.Task[tuple[int, float]]) -> None:
    """End what is left of the command's process group; what called setsid is in none of ours and lives on."""
    signal_group(child.pid, signal.SIGHUP)
    await asyncio.wait({ended}, timeout=HANG_UP_S)
    signal_group(child.pid, signal.SIGKILL)
    await ended
