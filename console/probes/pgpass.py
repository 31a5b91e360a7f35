"""Passwords from a pgpass file, by the address that the node sees: the console itself comes through a tunnel."""

from __future__ import annotations

import os
import re
from pathlib import Path

from console.errors import GamedayError


def password(passfile: str, host: str, port: int, dbname: str, user: str) -> str | None:
    """The password for that login, or None where the file (empty: $PGPASSFILE or ~/.pgpass) has none.

    Raises:
        GamedayError: others may read the file, so that libpq would not use it either.
    """
    file = Path(passfile or os.environ.get("PGPASSFILE", "") or Path.home() / ".pgpass")
    try:
        mode = file.stat().st_mode
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    if mode & 0o077:
        raise GamedayError(f"{file} is open to others and is not used: chmod 600 {file}")
    return find(lines, host, port, dbname, user)


def find(lines: list[str], host: str, port: int, dbname: str, user: str) -> str | None:
    r"""The password of the first line that fits.

    >>> find(["# old", "db:5432:*:me:a\\:b"], "db", 5432, "x", "me")
    'a:b'
    >>> find(["db:5432:*:me:secret"], "db", 5433, "x", "me")
    """
    for line in lines:
        fields = [re.sub(r"\\(.)", r"\1", field) for field in re.split(r"(?<!\\):", line, maxsplit=4)]
        if line.startswith("#") or len(fields) != 5:
            continue
        if all(field in ("*", wanted) for field, wanted in zip(fields, (host, str(port), dbname, user), strict=False)):
            return fields[4]
    return None
