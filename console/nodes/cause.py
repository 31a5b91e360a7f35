"""Why SSH failed, in a few words for the operator."""

from __future__ import annotations

import os

import asyncssh

CONNECT_TIMEOUT_S = 5.0


def cause(error: BaseException) -> str:
    """The error in a few words for the operator.

    >>> cause(ConnectionRefusedError(111, "Connect call failed"))
    'connection refused'
    >>> cause(TimeoutError())
    'no answer within 5 s'
    >>> cause(OSError(113, "Connect call failed ('10.0.0.7', 22)"))
    'no route to host'
    """
    match error:
        case asyncssh.HostKeyNotVerifiable():
            return "host key not trusted: it is not the one in known_hosts, so this may be another machine"
        case asyncssh.PermissionDenied():
            return "permission denied: the node accepts none of the keys offered"
        case asyncssh.KeyExchangeFailed():
            return "no common algorithm for the key exchange"
        case asyncssh.ChannelOpenError():
            return f"the node refused another channel: {error.reason}"
        case TimeoutError():
            return f"no answer within {CONNECT_TIMEOUT_S:g} s"
        case ConnectionRefusedError():
            return "connection refused"
        case BrokenPipeError():
            return "the command does not read any more"
        case asyncssh.ConnectionLost() | ConnectionError():
            why = _words(error)
            return "connection lost" + f": {why}" * (why.lower() != "connection lost")
        case asyncssh.Error():
            return error.reason or type(error).__name__
    return _words(error)


def _words(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, OSError) and error.errno and text.startswith("Connect call failed"):  # asyncio's own words
        text = os.strerror(error.errno).lower()
    return " ".join(text.split()) or type(error).__name__
