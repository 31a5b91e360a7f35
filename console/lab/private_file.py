"""Files that hold secrets: closed to others from the first byte on."""

from __future__ import annotations

import os
from pathlib import Path


def write_private(file: Path, content: str | bytes) -> None:
    """Write the file with mode 0600."""
    data = content.encode() if isinstance(content, str) else content
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(data)
