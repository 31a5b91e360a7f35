"""What this machine must be and have for the systemd lab."""

from __future__ import annotations

import os
import shutil
import sys

from console.errors import BadInput

PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "unshare": "util-linux",
}
"""What is needed, and the Debian package that has it."""


def check_host() -> None:
    """Make sure that machines can run here.

    Raises:
        BadInput: they cannot; the sentence says what to do.
    """
    if sys.platform != "linux":
        raise BadInput("the systemd lab needs Linux; use --kind embedded")
    if os.geteuid() != 0:
        raise BadInput("the systemd lab needs root; use sudo, or --kind embedded")
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        packages = " ".join(PROGRAMS[program] for program in missing)
        raise BadInput(
            f"the systemd lab needs {', '.join(missing)}: apt-get install {packages}, or use --kind embedded"
        )
