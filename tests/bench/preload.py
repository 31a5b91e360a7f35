"""The example store's acknowledged writes, with libfiu's preload idle and without: whole services, in turn, medians."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench.table import Row

WRITES = 500
RUNS = 5
PRELOAD = "/usr/lib/fiu/fiu_run_preload.so /usr/lib/fiu/fiu_posix_preload.so"


def measure() -> Row:
    """Median writes a second of each; where libfiu is not there is nothing to compare, and the target does not hold."""
    what, target = f"{WRITES} acknowledged writes to a store with libfiu's preload idle", "at least 0.9"
    if not all(Path(library).exists() for library in PRELOAD.split()):
        return Row(f"{what} (libfiu is not installed)", 0.0, "without", 0.0, "writes/s", target, holds=False)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(RUNS):
        ours.append(_rate(preload=True))
        theirs.append(_rate(preload=False))
    ratio = median(ours) / median(theirs)
    return Row(what, median(ours), "without", median(theirs), "writes/s", target, holds=ratio >= 0.9)


def _rate(*, preload: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="gameday-bench-") as folder, socket.socket() as free:
        Path(folder, "store").mkdir()
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        names = {"STACK_HOST": "127.0.0.1", "STACK_PORT": str(port), "SIGIL_DB_PATH": f"{folder}/store"}
        if preload:
            names |= {"LD_PRELOAD": PRELOAD, "FIU_CTRL_FIFO": f"{folder}/fiu"}
        command = [sys.executable, "-m", "console.lab.services.stack", "store"]
        with subprocess.Popen(command, env={**os.environ, **names}, stdout=subprocess.DEVNULL) as store:
            try:
                return _writes(port)
            finally:
                store.terminate()


def _writes(port: int) -> float:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    give_up_at = time.monotonic() + 20
    while True:
        try:
            _write(client, 0)
            break
        except OSError:
            client.close()
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)
    begun = time.perf_counter()
    for number in range(WRITES):
        _write(client, number)
    return WRITES / (time.perf_counter() - begun)


def _write(client: http.client.HTTPConnection, number: int) -> None:
    client.request("PUT", f"/records/bench{number % 100}", body=b"x" * 100)
    answer = client.getresponse()
    answer.read()
    if answer.status != 201:
        raise OSError(f"HTTP {answer.status}")
