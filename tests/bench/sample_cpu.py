"""The console's CPU for one sample of a node against one forked ssh with ControlMaster that asks for the same.

Both serve a fleet of 60 nodes once a second: each node of the lab is watched over 20 connections of its own.
"""

from __future__ import annotations

import asyncio
import resource
import time
from contextlib import aclosing
from pathlib import Path

from console.nodes.sampler import samples
from console.nodes.ssh import SshNode
from tests.bench.table import Row
from tests.lab import Lab

SECONDS = 15
CONNECTIONS = 20
PROPERTIES = "ActiveState,SubState,NRestarts,MainPID,InvocationID"


def measure(lab: Lab) -> Row:
    """CPU milliseconds of the console per sample, of each way."""
    ours = asyncio.run(_ours(lab)) * 1000
    theirs = asyncio.run(_theirs(lab)) * 1000
    holds = theirs / ours >= 25
    target = f"25 times cheaper; it is {theirs / ours:.1f} times"
    return Row("console CPU a sample", ours, "one forked ssh, ControlMaster", theirs, "ms", target, holds)


async def _ours(lab: Lab) -> float:
    nodes = [SshNode(name, spec) for name, spec in lab.inventory.nodes.items() for _ in range(CONNECTIONS)]
    seen = 0

    async def watch(node: SshNode) -> None:
        nonlocal seen
        async with aclosing(samples(node)) as stream:
            async for _ in stream:
                seen += 1

    watching = [asyncio.create_task(watch(node)) for node in nodes]
    try:
        await asyncio.sleep(10)
        before, start_s = seen, time.process_time()
        await asyncio.sleep(SECONDS)
        return (time.process_time() - start_s) / (seen - before)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        for node in nodes:
            await node.close()


async def _theirs(lab: Lab) -> float:
    """As a console would do it that must not stop its screen meanwhile: by asyncio's own subprocesses."""
    spec = lab.inventory.nodes["redfin"]
    control = Path(lab.root) / "cm"
    ssh = [
        "ssh", "-i", spec.identity, "-o", f"UserKnownHostsFile={spec.known_hosts}", "-o", "BatchMode=yes",
        "-o", "ControlMaster=auto", "-o", f"ControlPath={control}", "-o", "ControlPersist=60", "-p", str(spec.port),
        f"{spec.user}@{spec.address}",
    ]  # fmt: skip
    units = " ".join(service.unit for service in spec.services.values())
    asks = f"cat /proc/stat /proc/meminfo /proc/loadavg; df -kP /; systemctl show {units} -p {PROPERTIES}"
    command = [*ssh, asks]
    asked = SECONDS * len(lab.inventory.nodes) * CONNECTIONS
    await _read(command)
    try:
        start_s, began_s = _cpu_s(), time.monotonic()
        for number in range(asked):
            due_s = number * SECONDS / asked - (time.monotonic() - began_s)
            await asyncio.sleep(max(0.0, due_s))
            await _read(command)
        return (_cpu_s() - start_s) / asked
    finally:
        await _read([*ssh, "-O", "exit"])


async def _read(command: list[str]) -> list[list[str]]:
    """What it prints, in words."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=quiet, stdin=quiet)
    output, _ = await process.communicate()
    assert process.returncode == 0, command
    return [line.split() for line in output.decode().splitlines()]


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
