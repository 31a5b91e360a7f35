"""A fault mode that acts on a node now: found by the guard's lock, asked, given another rate, and taken back."""

from __future__ import annotations

import asyncio
import time

from console.chaos.stats import Stats
from console.errors import GamedayError, NodeUnreachable, Refused
from console.faults.call_errors_sh import ERRORS
from console.faults.call_modes import MODES, Backend, reached_pct, tenths
from console.nodes import scripts
from console.nodes.proof import Proof
from console.nodes.ssh import Completed, SshNode
from console.nodes.sweep import Trace, survey
from console.terms import Status

TOLD_LIMIT_S = 10.0
"""How long a process may take until it has its new rate, in seconds."""
RESET_LIMIT_S = 60.0

_LOOK = """\
for d in "$D"/[0-9]*; do
  [ -f "$d/about" ] || continue
  echo "action ${d##*/}"
  for name in about backend instance want now trouble calls errors-before metrics; do
    [ ! -f "$d/$name" ] || sed "s/^/$name /" "$d/$name"
  done
  [ ! -f "$d/panics" ] || echo "panics $(grep -c . "$d/panics")"
  metrics=$(cat "$d/metrics" 2>/dev/null) || metrics=
  errors | sed 's/^/errors-now /'
done
"""


async def stats(node: SshNode) -> Stats | None:
    """The numbers of the mode that acts on the node; None: none does.

    Raises:
        NodeUnreachable: no answer.
    """
    for trace in await survey(node):
        if trace.state != "held":
            continue
        done = await _program(node, trace, f"{ERRORS}{_LOOK}")
        found = read(node.name, trace, done.stdout)
        if found:
            return found
    return None


async def set_rate(node: SshNode, pct: float) -> Stats:
    """Give the mode that acts on the node another rate, and wait until the process has it.

    Raises:
        Refused: none acts there, or the rate is above what its plan allows.
        NodeUnreachable: no answer, or the process does not get it.
    """
    trace, before = await _acting(node)
    want = tenths(pct)
    done = await _program(
        node,
        trace,
        'for d in "$D"/[0-9]*; do [ -f "$d/about" ] || continue\n'
        'read -r ceiling <"$d/ceiling"\n'
        f'[ {want} -le "$ceiling" ] || {{ echo "$ceiling"; exit 1; }}\n'
        f'echo {want} >"$d/want.new" && mv "$d/want.new" "$d/want"\nbreak\ndone\n',
    )
    if done.exit_status == 1 and done.stdout.strip().isdigit():
        raise Refused(
            f"the plan of run {trace.run} allows at most {int(done.stdout) / 10:g} %: make a new one with a higher "
            "ceiling_pct"
        )
    if done.exit_status != 0:
        raise NodeUnreachable(f"{node.where}: the rate was not taken: {done.stderr.strip()[:200]}")
    if before.schedule != "steady":
        return await acting(node)
    give_up_at = time.monotonic() + TOLD_LIMIT_S
    while time.monotonic() < give_up_at:
        now = await acting(node)
        if now.acts_pct is not None and tenths(now.acts_pct) == want:
            return now
        await asyncio.sleep(0.3)
    raise NodeUnreachable(f"{node.where}: {before.unit} has not got the new rate: {now.trouble or 'no answer'}")


async def reset(node: SshNode) -> Proof:
    """Take the mode back now, and prove it gone. A run whose console lives judges and releases the node itself.

    Raises:
        Refused: none acts there.
        NodeUnreachable: no answer.
    """
    trace, _ = await _acting(node)
    stop = await _program(node, trace, 'sh "$D/guard" stop\n', RESET_LIMIT_S)
    if stop.exit_status != 0:
        return Proof(Status.FAIL, f"the revert failed: {(stop.stdout or stop.stderr).strip()[:1000]}")
    # The end may have come by itself meanwhile: then its record tells.
    asked = await _program(
        node,
        trace,
        'if [ -e "$D/guard" ]; then sh "$D/guard" ask clean 900; else grep -qx "clean 0" "$D.ended"; fi\n',
        RESET_LIMIT_S,
    )
    said = asked.stdout.strip()[:1000]
    if asked.exit_status != 0:
        return Proof(Status.FAIL if asked.exit_status == 1 else Status.UNKNOWN, said or "no proof that it is gone")
    if trace.until_s is None:
        return Proof(Status.PASS, "taken back and proven gone; its console releases the node")
    await _program(node, trace, '[ ! -e "$D/guard" ] || sh "$D/guard" release\n', RESET_LIMIT_S)
    return Proof(Status.PASS, "taken back, proven gone, and the node is free")


async def _acting(node: SshNode) -> tuple[Trace, Stats]:
    now = await acting(node)
    trace = next((trace for trace in await survey(node) if trace.run == now.run), None)
    if trace is None:
        raise Refused(f"no fault mode acts on {node.name} any more")
    return trace, now


async def acting(node: SshNode) -> Stats:
    """The numbers of the mode that acts on the node.

    Raises:
        Refused: none does.
        NodeUnreachable: no answer.
    """
    found = await stats(node)
    if found is None:
        raise Refused(f"no fault mode acts on {node.name}")
    return found


async def _program(node: SshNode, trace: Trace, text: str, timeout_s: float = 10.0) -> Completed:
    names = scripts.assignments({"D": f"{node.spec.run_dir}/{trace.run}"})
    return await node.run("sh -s", input=scripts.whole(names, text), timeout_s=timeout_s, sudo=True)


def read(node: str, trace: Trace, text: str) -> Stats | None:
    """The numbers out of what the node printed; None: no mode acts there.

    Raises:
        GamedayError: it cannot be understood.
    """
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        name, *words = line.split()
        found.setdefault(name, []).append(words)
    if "about" not in found:
        return None
    try:
        mode, first, _, schedule, seed, unit = found["about"][0]
        made = MODES[mode]  # type: ignore[index]
        backend = found["backend"][0][0] if "backend" in found else ""
        asked = int(found["want"][0][0] if "want" in found else first) / 10
        acts = int(found["now"][0][0]) / 10 if "now" in found else None
        counts = found.get("calls", [])
        seen = {words[1]: int(words[2]) for words in counts if words[0] == "seen"}
        hit = {(words[1], words[2]): int(words[3]) for words in counts if words[0] == "hit"}
        before = {words[0]: int(float(words[1])) for words in found.get("errors-before", [])}
        now = {words[0]: int(float(words[1])) for words in found.get("errors-now", [])}
        kills = int(found["panics"][0][0]) if "panics" in found else 0
    except (ValueError, KeyError, IndexError) as error:
        raise GamedayError(f"{node}: what run {trace.run} tells of its mode cannot be understood: {error}") from error
    counted = backend == "strace"
    if counted and acts is not None:
        acts = reached_pct(_as_backend(backend), acts)
    errnos: dict[str, int] = {}
    for (_, errno), count in hit.items():
        errnos[errno] = errnos.get(errno, 0) + count
    own = {name: now[name] - before.get(name, 0) for name in now if name != "told"} if "told" in now else None
    if own is not None and made.errno and made.subsystem != "network":
        own.setdefault(made.errno, 0)
    return Stats(
        node=node,
        run=trace.run,
        operator=trace.operator,
        unit=unit,
        mode=mode,  # type: ignore[arg-type]
        backend=backend,
        asked_pct=asked,
        acts_pct=acts,
        schedule=schedule,
        seed=int(seed),
        lease=trace.lease,
        lease_left_s=trace.lease_left_s,
        until_s=trace.until_s,
        seen=sum(seen.values()) if counted else None,
        hit=errnos if counted else None,
        calls={name: (count, sum(n for (call, _), n in hit.items() if call == name)) for name, count in seen.items()},
        service=own,
        kills=kills,
        trouble=" ".join(" ".join(words) for words in found.get("trouble", [])),
    )


def _as_backend(name: str) -> Backend:
    return "strace" if name == "strace" else "kill" if name == "kill" else "libfiu"
