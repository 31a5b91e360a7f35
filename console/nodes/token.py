"""The token for an application's own development endpoints: read when a node is armed, and never kept."""

from __future__ import annotations

import re
import shlex
import stat
from pathlib import Path

from console.nodes.proof import NotArmed

TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{8,512}")
"""RFC 6750's b64token: nothing in it has a meaning to a shell or to curl."""


def read_token(file: Path) -> str:
    """What the file says, which only its owner may read.

    Raises:
        NotArmed: it cannot be read, others can read it too, or it holds no token.
    """
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise NotArmed(f"{file} holds a token and others may read it: chmod 600 {shlex.quote(str(file))}")
        text = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotArmed(f"{file}, the token for development, cannot be read: {error}") from error
    if not TOKEN.fullmatch(text):
        raise NotArmed(f"{file} holds no token: one word of at least 8 letters, digits or ._~+/=-")
    return text
