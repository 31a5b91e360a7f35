"""Make the pictures anew, or those of the scenes that are named; nothing else is left."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import Lab, lab_in
from tests.screenshots import embedded, machines
from tests.screenshots.stage import PICTURES
from tests.systemd_lab import SystemdLab, systemd_lab_in

HOME = Path("/tmp/gameday-demo")
"""Always the same folder: the pictures show its name, and nothing else of the machine that they are made on."""
NEUTRAL = {"LOGNAME": "alex", "USER": "alex", "TZ": "UTC"}
LEASE_S = 10.0
EMBEDDED: dict[str, Callable[[Lab], None]] = {
    "practice": embedded.practice,
    "trials": embedded.trials,
    "chaos": embedded.chaos,
    "data-loss": embedded.data_loss,
}
MACHINES: dict[str, Callable[[SystemdLab], None]] = {
    "failed": machines.nobody_restarts,
    "disk": machines.full_disk,
    "memory": machines.taken_memory,
    "partition": machines.partition,
    "reboot": machines.reboot,
}


def main(*named: str) -> None:
    """Play the scenes, each kind on a lab of its own."""
    unknown = set(named) - EMBEDDED.keys() - MACHINES.keys()
    if unknown:
        raise SystemExit(f"screenshots: no scene {', '.join(unknown)}; there are {', '.join([*EMBEDDED, *MACHINES])}")
    os.environ.update(NEUTRAL)
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where `gameday` is, which is shown
    os.environ.pop("NO_COLOR", None)
    time.tzset()
    PICTURES.mkdir(exist_ok=True)
    simple, real = ([name for name in each if name in named or not named] for each in (EMBEDDED, MACHINES))
    if simple:
        with _home(), lab_in(HOME, lease_s=LEASE_S) as lab:
            _settle(lab)
            for name in simple:
                EMBEDDED[name](lab)
    if real and (sys.platform != "linux" or os.geteuid() != 0):
        print(f"left as they are, for want of root on Linux: the pictures of {', '.join(real)}")
    elif real:
        with _home(), systemd_lab_in(HOME, lease_s=LEASE_S) as machines_up:
            _settle(machines_up)
            for name in real:
                MACHINES[name](machines_up)


@contextmanager
def _home() -> Iterator[None]:
    try:
        HOME.mkdir(mode=0o700)
    except FileExistsError as error:
        raise SystemExit(f"screenshots: {HOME} is there already: made by another one? else remove it") from error
    print("starting a lab ...", flush=True)
    try:
        yield
    finally:
        shutil.rmtree(HOME)


def _settle(lab: Lab) -> None:
    """The console's own folders; the user's own scenarios are nobody's business."""
    os.environ["GAMEDAY_STATE"] = str(lab.state)
    os.environ["XDG_CONFIG_HOME"] = str(HOME / "config")


if __name__ == "__main__":
    main(*sys.argv[1:])
