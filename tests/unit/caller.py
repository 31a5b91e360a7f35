"""A process that makes calls when it is told, and counts itself how they ended: the target of call-errors' tests.

Question and answer are the texts of symbolic links: no call of theirs is among those that are made to fail.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

PRELOAD = "/usr/lib/fiu/fiu_run_preload.so /usr/lib/fiu/fiu_posix_preload.so"


def unit(folder: Path, *, preload: bool) -> str:
    """The [Service] section of a unit that runs it in that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {"LD_PRELOAD": PRELOAD, "FIU_CTRL_FIFO": f"{folder}/fiu"} if preload else {}
    environment = "".join(f'Environment="{name}={value}"\n' for name, value in names.items())
    return f"{environment}ExecStart={sys.executable} -S {__file__} {folder}\nRestart=always\n"


def ask(folder: Path, what: str, calls: int) -> None:
    """Tell it to make so many calls; `told` has what came of them."""
    (folder / "told").unlink(missing_ok=True)
    (folder / "ask").symlink_to(f"{what} {calls}")


async def told(folder: Path, what: str, calls: int, limit_s: float = 60.0) -> Counter[str]:
    """What came of so many calls: how often which error, `ok` for none, and `ms` for how long they took."""
    ask(folder, what, calls)
    async with asyncio.timeout(limit_s):
        while not (folder / "told").is_symlink():
            await asyncio.sleep(0.01)
    return Counter(json.loads(os.readlink(folder / "told")))


def main(folder: Path) -> None:
    """Wait for a question, make the calls, tell what came of them."""
    import socket
    import time

    file = os.open(folder / "data", os.O_RDWR | os.O_CREAT)
    makes: dict[str, Callable[[], object]] = {
        "pwrite": lambda: os.pwrite(file, b"x", 0),
        "socket": lambda: socket.socket().close(),
        "fsync": lambda: os.fsync(file),
    }
    while True:
        time.sleep(0.01)
        if not (folder / "ask").is_symlink():
            continue
        what, calls = os.readlink(folder / "ask").split()
        os.unlink(folder / "ask")
        counted: Counter[str] = Counter()
        begun = time.monotonic()
        for _ in range(int(calls)):
            try:
                makes[what]()
                counted["ok"] += 1
            except OSError as error:
                counted[os.strerror(error.errno or 0)] += 1
        counted["ms"] = round((time.monotonic() - begun) * 1000)
        os.symlink(json.dumps(counted), folder / "told")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
