"""The console's CPU for one sample of a node against one forked ssh with ControlMaster that reads the same files.

Both go at the console's real pace, each node of the lab once a second: a process that was asleep pays for waking up.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import time
from contextlib import aclosing
from pathlib import Path

from console.nodes.sampler import samples
from console.nodes.ssh import SshNode
from tests.bench.table import Row
from tests.lab import Lab

SECONDS = 30


def measure(lab: Lab) -> Row:
    """CPU milliseconds of the console per sample, of each way."""
    ours = asyncio.run(_ours(lab)) * 1000
    theirs = _theirs(lab) * 1000
    holds = theirs / ours >= 25
    target = f"25 times cheaper; it is {theirs / ours:.1f} times"
    return Row("console CPU a sample", ours, "one forked ssh, ControlMaster", theirs, "ms", target, holds)


async def _ours(lab: Lab) -> float:
    nodes = [SshNode(name, spec) for name, spec in lab.inventory.nodes.items()]
    seen = 0

    async def watch(node: SshNode) -> None:
        nonlocal seen
        async with aclosing(samples(node)) as stream:
            async for _ in stream:
                seen += 1

    watching = [asyncio.create_task(watch(node)) for node in nodes]
    try:
        await asyncio.sleep(5)
        before, start_s = seen, time.process_time()
        await asyncio.sleep(SECONDS)
        return (time.process_time() - start_s) / (seen - before)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        for node in nodes:
            await node.close()


def _theirs(lab: Lab) -> float:
    spec = lab.inventory.nodes["redfin"]
    control = Path(lab.root) / "cm"
    ssh = [
        "ssh", "-i", spec.identity, "-o", f"UserKnownHostsFile={spec.known_hosts}", "-o", "BatchMode=yes",
        "-o", "ControlMaster=auto", "-o", f"ControlPath={control}", "-o", "ControlPersist=60", "-p", str(spec.port),
        f"{spec.user}@{spec.address}",
    ]  # fmt: skip
    command = [*ssh, "cat /proc/stat /proc/meminfo /proc/loadavg"]
    subprocess.run(command, check=True, capture_output=True)
    asked = SECONDS * len(lab.inventory.nodes)
    try:
        start_s = _cpu_s()
        for _ in range(asked):
            time.sleep(SECONDS / asked)
            subprocess.run(command, check=True, capture_output=True)
        return (_cpu_s() - start_s) / asked
    finally:
        subprocess.run([*ssh, "-O", "exit"], check=True, capture_output=True)


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
