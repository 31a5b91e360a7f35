"""The console's CPU for one sample of a node against one forked ssh with ControlMaster that reads the same files."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import time
from pathlib import Path

from console.nodes.sampler import samples
from console.nodes.ssh import SshNode
from tests.bench.table import Row
from tests.lab import Lab

SAMPLES = 100
EVERY_S = 0.2


def measure(lab: Lab) -> Row:
    """CPU milliseconds of the console per sample, of each way."""
    ours = asyncio.run(_ours(lab)) * 1000
    theirs = _theirs(lab) * 1000
    holds = theirs / ours >= 25
    return Row("console CPU a sample", ours, "one forked ssh, ControlMaster", theirs, "ms", "25 times cheaper", holds)


async def _ours(lab: Lab) -> float:
    node = SshNode("redfin", lab.inventory.nodes["redfin"])
    try:
        stream = samples(node, every_s=EVERY_S)
        for _ in range(5):
            await anext(stream)
        start_s = time.process_time()
        for _ in range(SAMPLES):
            await anext(stream)
        return (time.process_time() - start_s) / SAMPLES
    finally:
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
    try:
        start_s = _cpu_s()
        for _ in range(SAMPLES):
            subprocess.run(command, check=True, capture_output=True)
        return (_cpu_s() - start_s) / SAMPLES
    finally:
        subprocess.run([*ssh, "-O", "exit"], check=True, capture_output=True)


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
