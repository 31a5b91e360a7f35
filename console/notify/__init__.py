"""Tell people how a run ended: Slack, PagerDuty, mail, a webhook, whatever apprise reaches by a URL.

The sending is a process of its own: it cannot hold up the console, and no URL, which may carry a secret, stands on a
command line or in what is told of it.
"""

from __future__ import annotations

import asyncio
import shlex
import stat
import sys
from pathlib import Path

import msgspec

from console.errors import GamedayError
from console.plan.inventory import Notifications
from console.state import RunState, presumed_outcome
from console.terms import Outcome

STOP_LIMIT_S = 2.0


class NotNotified(GamedayError):
    """Somebody was not told; the sentence says by which service and why, without any secret."""


class Message(msgspec.Struct, frozen=True):
    """What is sent, to which URLs: the child's standard input."""

    urls: tuple[str, ...]
    title: str
    body: str


class Delivery(msgspec.Struct, frozen=True):
    """What became of one URL: a line of the child's standard output."""

    service: str
    """Like `Slack`; never the URL."""
    why: str = ""
    """Why it was not delivered; empty: it was."""


def wanted(settings: Notifications | None, outcome: Outcome) -> bool:
    """Whether people asked to hear of a run that ended so; `finished` means every one that was begun.

    >>> wanted(Notifications(on=("failed",)), Outcome.FAILED), wanted(Notifications(on=("failed",)), Outcome.PASSED)
    (True, False)
    >>> wanted(Notifications(on=("finished",)), Outcome.NOT_RUN)
    False
    """
    if settings is None:
        return False
    return outcome.value in settings.on or ("finished" in settings.on and outcome is not Outcome.NOT_RUN)


def told(state: RunState) -> tuple[str, str]:
    """Title and text of the message about a run that was concluded."""
    outcome, reason = presumed_outcome(state)
    started = state.started
    scenario = started.scenario if started else "a run"
    title = f"gameday: {scenario} {outcome.value.upper()}" + (f" ({reason.value})" if reason.value else "")
    lines = [state.conclusion.sentence if state.conclusion else ""]
    if started:
        lines.append(f"{started.fault}; run {started.run} by {started.operator}, inventory {started.inventory}")
    if outcome is Outcome.UNSAFE:
        lines += [f"by hand on {name}: {node.hand_revert}" for name, node in state.nodes.items() if node.held]
    return title, "\n".join(line for line in lines if line)


async def addresses(settings: Notifications) -> tuple[str, ...]:
    """Every URL that the settings give, those of its file and its command too.

    Raises:
        NotNotified: the file or the command gives none.
    """
    found = list(settings.urls)
    if settings.file:
        found += _lines(await asyncio.to_thread(_private, Path(settings.file)))
    if settings.command:
        found += _lines(await _said(settings))
    if not found:
        raise NotNotified("nobody can be notified: 'notify' in the inventory gives no URL")
    return tuple(found)


async def send(settings: Notifications, title: str, body: str) -> list[Delivery]:
    """Send it to everybody, within the settings' time; what became of each, in their order.

    Raises:
        NotNotified: nothing could be sent at all, or it took too long.
    """
    message = msgspec.json.encode(Message(await addresses(settings), title, body))
    out, err, code = await _run(
        (sys.executable, "-W", "ignore", "-m", "console.notify.sender"), message, settings.timeout_s, "sending"
    )
    try:
        deliveries = [msgspec.json.decode(line, type=Delivery) for line in out.splitlines()]
    except msgspec.DecodeError:
        deliveries = []
    if code != 0 or not deliveries:
        why = (err.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise NotNotified(f"notifications were not sent: {why[:200]}")
    return deliveries


async def tell(settings: Notifications, title: str, body: str) -> list[str]:
    """Send it, and say in sentences what did not work; never raises for that."""
    try:
        deliveries = await send(settings, title, body)
    except NotNotified as error:
        return [str(error)]
    except OSError as error:
        return [f"notifications were not sent: {error.strerror}"]
    return [f"not notified by {one.service}: {one.why}" for one in deliveries if one.why]


async def _run(words: tuple[str, ...], given: bytes, limit_s: float, what: str) -> tuple[bytes, bytes, int]:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limit_s):
            out, err = await process.communicate(given)
    except TimeoutError:
        raise NotNotified(f"notifications were not sent: {what} took longer than {limit_s:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=STOP_LIMIT_S)
    return out, err, process.returncode or 0


async def _said(settings: Notifications) -> str:
    name = shlex.quote(settings.command[0])
    try:
        out, _, code = await _run(settings.command, b"", settings.timeout_s, name)
    except OSError as error:
        raise NotNotified(f"{name}, which gives the URLs for notifications: {error.strerror}") from error
    if code != 0:
        raise NotNotified(f"{name}, which gives the URLs for notifications, ended with {code}")
    return out.decode(errors="replace")


def _private(file: Path) -> str:
    try:
        mode = file.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise NotNotified(f"{file} holds secrets and others can read it: chmod 600 {shlex.quote(str(file))}")
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotNotified(f"{file} cannot be read: {error}") from error


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
