"""Keeps the traceback of a fault of the console itself: operators get a sentence, developers the file."""

from __future__ import annotations

import os
import time
import traceback

from console.errors import GamedayError
from console.record.home import private_folder, state_home


def keep(error: BaseException) -> str:
    """Write the traceback down; where it is, in words."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    try:
        file = private_folder(private_folder(state_home()) / "crashes") / f"{stamp}-{os.getpid()}.txt"
        file.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="replace")
    except (OSError, GamedayError) as trouble:
        return f"its traceback could not be kept: {trouble}"
    return f"its traceback is in {file}"
