"""A PATH from which programs are missing."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def without(*missing: str) -> Path:
    """A folder with links to every program on PATH but these; it goes with this process."""
    where = Path(tempfile.mkdtemp(prefix="gameday-programs-"))
    atexit.register(shutil.rmtree, where)
    for directory in os.environ["PATH"].split(":"):
        for program in Path(directory).glob("*"):
            if program.name not in missing and not (where / program.name).is_symlink():
                (where / program.name).symlink_to(program)
    return where
