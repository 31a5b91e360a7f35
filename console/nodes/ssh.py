"""One SSH connection per node, shared by everything that the console does there."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time

import asyncssh
import msgspec

from console.errors import NodeUnreachable
from console.nodes.cause import CONNECT_TIMEOUT_S, cause
from console.nodes.stream import Stream
from console.nodes.tunnel import Tunnels
from console.plan import inventory

LOGIN_TIMEOUT_S = 5.0
KEEPALIVE_S = 2.0
KEEPALIVE_COUNT = 3
BACKOFF_S = (0.25, 2.0)
"""The first and the longest pause between two attempts to connect, in seconds; it doubles in between."""
SESSIONS = 5
"""Commands at a time: sshd allows ten sessions on a connection by default, and the streams need some of them."""


class Completed(msgspec.Struct, frozen=True):
    """What a command said. `exit_status` is None if it ended without one, as by a signal."""

    exit_status: int | None
    stdout: str
    stderr: str


class SshNode:
    """A node of the inventory, reached over one connection that is made again when it breaks.

    Host keys are always checked. Without an `identity` the agent and ~/.ssh/config say how to log in.
    Every error is a NodeUnreachable whose sentence names the node, its address and the cause.
    """

    def __init__(self, name: str, spec: inventory.Node) -> None:
        self.name = name
        self.spec = spec
        self.why = "not connected yet"
        """Why it is down; empty while it is up."""
        self.seen_at_s: float | None = None
        """The console's clock when the node last answered anything, in seconds since the epoch."""
        self._connection: asyncssh.SSHClientConnection | None = None
        self._jump: asyncssh.SSHClientConnection | None = None
        self._attempt: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._backoff_s = 0.0
        self._retry_at = 0.0
        self._sessions = asyncio.Semaphore(SESSIONS)
        self._tunnels = Tunnels()

    @property
    def up(self) -> bool:
        """Whether the connection stands."""
        return self._connection is not None

    @property
    def where(self) -> str:
        """The node for people: name, and where it is reached."""
        user = f"{self.spec.user}@" if self.spec.user else ""
        return f"{self.name} ({user}{self.spec.address}:{self.spec.port})"

    async def connect(self) -> None:
        """Make the connection if there is none. Callers at the same time share one attempt.

        An attempt that follows a failed one waits first: 0.25 s, doubling up to 2 s.

        Raises:
            NodeUnreachable: it could not be made within about 10 s.
        """
        await self._connected()

    async def close(self) -> None:
        """End the connection; the node may be connected again later."""
        if self._attempt:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])
        connection, jump = self._connection, self._jump
        self._drop(connection, "closed")
        for link in (connection, jump):
            if link:
                link.close()
                with contextlib.suppress(TimeoutError, OSError, asyncssh.Error):
                    async with asyncio.timeout(1):
                        await link.wait_closed()

    async def run(
        self,
        command: str,
        *,
        input: str = "",  # noqa: A002 - as in subprocess.run
        timeout_s: float = 10.0,
        sudo: bool = False,
    ) -> Completed:
        """Run a shell command to its end, with `input` on its standard input.

        The time limit holds for everything together: connecting, waiting for a free session, the command.
        A command that is cancelled or timed out is sent SIGKILL, as far as the node's sshd does that.

        Raises:
            NodeUnreachable: the link is down, broke meanwhile, or the time is over.
        """
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._connected()
                async with self._sessions:
                    process = await connection.create_process(
                        self._line(command, sudo), encoding="utf-8", errors="replace"
                    )
                    try:
                        with contextlib.suppress(BrokenPipeError):  # it may end without reading
                            process.stdin.write(input)
                            process.stdin.write_eof()
                        stdout, stderr = await process.communicate()
                    except BaseException:
                        with contextlib.suppress(OSError):
                            process.kill()
                        raise
                    finally:
                        process.close()
        except TimeoutError:
            raise NodeUnreachable(f"{self.where}: no answer within {timeout_s:g} s to `{_brief(command)}`") from None
        except (asyncssh.Error, OSError) as error:
            raise NodeUnreachable(f"{self.where}: {cause(error)}") from error
        if process.exit_status is None and connection.is_closed():
            raise NodeUnreachable(f"{self.where}: {self.why or 'connection lost'} during `{_brief(command)}`")
        self.seen()
        return Completed(None if process.exit_signal else process.exit_status, stdout, stderr)

    async def seen_from(self) -> str:
        """From which address the node sees this connection come, and at which port, like `192.0.2.7 22`.

        Behind a jump host that is the jump host. Empty where the node's sshd does not tell.

        Raises:
            NodeUnreachable: the link is down.
        """
        return source((await self.run('echo "${SSH_CONNECTION-}"')).stdout)

    async def stream(self, command: str, *, sudo: bool = False, timeout_s: float = 10.0) -> Stream:
        """Start a command and talk to it line by line; its standard error comes among its output.

        The command must end by itself when its standard input ends.

        Raises:
            NodeUnreachable: the link is down, or the command was not started within `timeout_s`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._connected()
                stream = Stream(self, connection)
                await connection.create_session(
                    lambda: stream, self._line(command, sudo), encoding="utf-8", errors="replace"
                )
                return stream
        except TimeoutError:
            raise NodeUnreachable(f"{self.where}: `{_brief(command)}` was not started within {timeout_s:g} s") from None
        except (asyncssh.Error, OSError) as error:
            raise NodeUnreachable(f"{self.where}: {cause(error)}") from error

    async def forward(self, host: str, port: int) -> int:
        """The port on this machine's loopback that leads to `host`:`port` as seen from the node.

        It is opened again after a reconnect, on the same port if that is still free: ask again to be sure.

        Raises:
            NodeUnreachable: the link is down, or no port could be opened.
        """
        connection = await self._connected()
        try:
            return await self._tunnels.open(connection, host, port)
        except (asyncssh.Error, OSError) as error:
            raise NodeUnreachable(f"{self.where}: no tunnel to {host}:{port}: {cause(error)}") from error

    def _line(self, command: str, sudo: bool) -> str:
        return f"sudo -n {command}" if sudo and self.spec.sudo else command

    async def _connected(self) -> asyncssh.SSHClientConnection:
        if self._connection:
            return self._connection
        if self._attempt is None:
            self._attempt = asyncio.create_task(self._make(), name=f"connect {self.name}")
            self._attempt.add_done_callback(lambda task: task.cancelled() or task.exception())  # else asyncio logs it
        # Shielded: one caller that gives up does not take the attempt from the others.
        return await asyncio.shield(self._attempt)

    async def _make(self) -> asyncssh.SSHClientConnection:
        try:
            await asyncio.sleep(max(0.0, self._retry_at - time.monotonic()))
            connection = await self._log_in()
            self._connection, self.why, self._backoff_s = connection, "", 0.0
            self.seen()
            await self._tunnels.reopen(connection)
        except (asyncssh.Error, OSError, ValueError) as error:
            self.why = cause(error)
            self._backoff_s = min(max(self._backoff_s * 2, BACKOFF_S[0]), BACKOFF_S[1])
            self._retry_at = time.monotonic() + self._backoff_s
            raise NodeUnreachable(f"{self.where}: {self.why}") from error
        else:
            return connection
        finally:
            self._attempt = None

    async def _log_in(self) -> asyncssh.SSHClientConnection:
        spec = self.spec
        if not spec.jump:
            return await self._log_in_at(spec.address, spec.port, spec.user, None)
        login, _, at = spec.jump.rpartition("@")
        host, _, port = at.partition(":")
        self._jump = await self._log_in_at(host, int(port or 22), login, None)
        try:
            return await self._log_in_at(spec.address, spec.port, spec.user, self._jump)
        except BaseException:
            self._jump.close()
            raise

    async def _log_in_at(
        self, host: str, port: int, user: str, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        # What the inventory does not say is left out, so that ~/.ssh/config is asked.
        said: dict[str, object] = {}
        if port != 22:
            said["port"] = port
        if user:
            said["username"] = user
        if self.spec.known_hosts:
            said["known_hosts"] = self.spec.known_hosts
        if self.spec.identity:
            said |= {"client_keys": [self.spec.identity], "config": None, "ignore_encrypted": True}
        options = await asyncssh.SSHClientConnectionOptions.construct(
            host=host,
            client_factory=lambda: _Client(self),
            connect_timeout=CONNECT_TIMEOUT_S,
            login_timeout=LOGIN_TIMEOUT_S,
            keepalive_interval=KEEPALIVE_S,
            keepalive_count_max=KEEPALIVE_COUNT,
            kex_algs="^curve25519-sha256",
            encryption_algs="^aes128-gcm@openssh.com",
            agent_forwarding=False,
            **said,
        )
        if options.known_hosts is None:
            raise ValueError("~/.ssh/config switches the check of host keys off, which is never done here")
        if tunnel:
            return await asyncssh.connect(host, tunnel=tunnel, options=options)
        return await asyncssh.connect(host, options=options)

    def seen(self) -> None:
        """Note that the node answered just now."""
        self.seen_at_s = time.time()

    def _drop(self, connection: asyncssh.SSHClientConnection | None, why: str) -> None:
        if connection is self._connection:
            self._connection, self.why = None, why
            if self._jump:
                self._jump.close()
                self._jump = None


class _Client(asyncssh.SSHClient):
    """Tells the node when its connection is gone."""

    def __init__(self, node: SshNode) -> None:
        self._node = node
        self._connection: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection = conn

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection and self._connection is self._node._connection:
            self._node._drop(self._connection, cause(exc) if exc else "the node ended the connection")


def source(ssh_connection: str) -> str:
    """Client's address and server's port of an SSH_CONNECTION (sshd(8)); empty if it is none.

    >>> source("192.0.2.7 50000 192.0.2.1 22\\n")
    '192.0.2.7 22'
    >>> source("::ffff:192.0.2.7 50000 ::ffff:192.0.2.1 22"), source("fe80::1%eth0 5 fe80::2%eth0 22"), source("")
    ('192.0.2.7 22', 'fe80::1 22', '')
    """
    words = ssh_connection.split()
    if len(words) != 4 or not words[3].isdigit():
        return ""
    try:
        address = ipaddress.ip_address(words[0].partition("%")[0])
    except ValueError:
        return ""
    return f"{getattr(address, 'ipv4_mapped', None) or address} {words[3]}"


def _brief(command: str) -> str:
    first = command.strip().splitlines()[0] if command.strip() else ""
    return first if len(first) <= 60 else f"{first[:59]}…"
