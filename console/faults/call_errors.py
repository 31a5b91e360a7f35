"""Make a running process's calls fail at a chosen rate, or slow, or kill it at random; one instance, counted."""

from __future__ import annotations

import shlex
from typing import Annotated, ClassVar, Literal

import msgspec

from console.errors import Refused
from console.faults import call_errors_sh as sh
from console.faults import shell
from console.faults.base import Fault, Scripts, Target
from console.faults.call_modes import MODES, Backend, CallMode, Mode, panics, reached_pct, tenths
from console.terms import Risk

OVERTIME_S = 120.0
"""For how long above `hold_s` calls go on failing that nobody takes back, where even the guard is gone."""
FIRST_HIT_S = 10.0
"""How long a service may take until it makes one of the calls that fail, in seconds."""
DEATHS_TOLD = 8
"""How many of random_panic's kills are told one by one."""

Pct = Annotated[float, msgspec.Meta(ge=0, le=100)]


class CallErrors(Fault, frozen=True, tag="call-errors"):
    """Make a running process's calls fail at a chosen rate, and see whether it takes that well."""

    risk_floor: ClassVar[Risk] = Risk.LOW
    sustained: ClassVar[bool] = True
    development_only: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("systemctl", "awk", "timeout", "mkfifo", "strace")
    needs_units: ClassVar[bool] = True

    mode: Mode
    rate_pct: Pct = 10.0
    """How many of the mode's calls fail, in per cent; for random_panic the chance at each `every_s`."""
    backend: Literal["auto", "libfiu", "strace", "kill"] = "auto"
    """auto: libfiu where the process was started with its preload, else strace; random_panic is always kill."""
    files_pct: Pct | None = None
    """The rate of another subsystem that fails along with the mode; only with libfiu's preload."""
    network_pct: Pct | None = None
    memory_pct: Pct | None = None
    files_mode: Literal["disk_full", "disk_fail"] = "disk_fail"
    """With which of these files fail at `files_pct`."""
    ceiling_pct: Pct | None = None
    """How high the rate may be set while it acts; None: no higher than `rate_pct`."""
    hold_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    """For how long, in seconds."""
    schedule: Literal["steady", "ramp", "pulse"] = "steady"
    """ramp: the rates rise from nothing over `ramp_s`; pulse: they act for `on_s`, then not for `off_s`."""
    ramp_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 10.0
    on_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 5.0
    off_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 5.0
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 1
    """For random_panic: the same seed kills at the same times."""
    every_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 5.0
    delay_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200
    """For slow_io: by how much a call is delayed, in milliseconds."""

    @property
    def parts(self) -> list[tuple[Mode, float]]:
        """What fails at which rate in per cent, the mode first."""
        also: list[tuple[Mode, float | None]] = [
            (self.files_mode, self.files_pct),
            ("network_fail", self.network_pct),
            ("memory_pressure", self.memory_pct),
        ]
        return [(self.mode, self.rate_pct), *((mode, pct) for mode, pct in also if pct is not None)]

    @property
    def summary(self) -> str:
        """Like `call-errors disk_full at 10 %, held for 30 s`."""
        said = ", ".join(f"{mode} at {pct:g} %" for mode, pct in self.parts)
        how = {"steady": "", "ramp": f", risen over {self.ramp_s:g} s"}.get(
            self.schedule, f", {self.on_s:g} s on and {self.off_s:g} s off"
        )
        return f"{self.kind} {said}{how}, held for {self.hold_s:g} s"

    @property
    def lasts_s(self) -> float:
        """As long as it is held."""
        return self.hold_s

    @property
    def revert_limit_s(self) -> float:
        """The preload is asked three times, a tracer let go; a service that did not come back is started."""
        return 30.0

    @property
    def backends(self) -> tuple[Backend, ...]:
        """What may make it, the preferred first."""
        known = MODES[self.mode].backends
        return known if self.backend == "auto" else (self.backend,)

    @property
    def deaths_s(self) -> list[float]:
        """When random_panic kills, in seconds after the start."""
        return panics(self.seed, self.rate_pct, self.every_s, self.hold_s)

    def inject_limit_s(self, target: Target) -> float:
        """Until the first call that can fail was made; for random_panic until the first death."""
        return FIRST_HIT_S + (self.deaths_s[0] if self.mode == "random_panic" and self.deaths_s else 0.0)

    def blast_radius(self, target: Target) -> str:
        """One process; what strace cannot reach is said before."""
        where = f"{target.units[0]} on {target.node}"
        if self.mode == "random_panic":
            times = ", ".join(f"{at:g}" for at in self.deaths_s[:DEATHS_TOLD])
            more = len(self.deaths_s) - DEATHS_TOLD
            times += f" s and {more} times more" if more > 0 else " s"
            return f"{where} is killed after {times} (seed {self.seed}); whoever uses it just then gets errors."
        told = "; ".join(self._told(mode, pct) for mode, pct in self.parts)
        near = reached_pct("strace", self.rate_pct)
        unlike = abs(near - self.rate_pct) >= 0.05 and "strace" in self.backends
        only = "" if self.backend == "strace" else "where it has no libfiu preload, "
        other = f" {only.capitalize()}strace's nearest rate is {near:.1f} %." if unlike else ""
        traced = " Under strace the process runs at about half its speed." if "strace" in self.backends else ""
        return f"In {where}: {told}. Whoever uses it gets errors or waits.{other}{traced}"

    def _told(self, mode: Mode, pct: float) -> str:
        made = MODES[mode]
        does = f"fail with {made.errno}" if made.errno else f"take {self.delay_ms} ms longer"
        return f"{pct:g} % of its calls to {made.subsystem} {does}"

    def scripts(self, target: Target) -> Scripts:
        """A controller inside the guard tells the preload or strace the rate that is due, and counts."""
        shell.refuse_untouchable(target)
        self._refuse_what_cannot_be()
        made = MODES[self.mode]
        head = f"{shell.head(target)}unit={shlex.quote(target.units[0])}\n"
        metrics = f"metrics={shlex.quote(target.metrics)}\n"
        look = f"{shell.ALIVE}{sh.FIND}"
        how = self._how
        return Scripts(
            inject=(
                f"{shell.head(target, mark=self.kind)}unit={shlex.quote(target.units[0])}\n{metrics}{how}"
                f"{self._settings(made)}{look}{sh.CHOOSE}{sh.TELL}{sh.RATE}{sh.CONTROL}{sh.COUNT}{sh.ERRORS}{sh.INJECT}"
            ),
            effect=(
                f"{head}{metrics}errno={made.errno or 'none'} subsystem={made.subsystem} due={self._due_s:g}\n"
                f"{look}{sh.ERRORS}{sh.EFFECT}"
            ),
            revert=(f"{head}{shell.stop_marked(self.kind)}{look}{sh.TELL}{sh.REVERT}rm -f calls.fifo\n{shell.RESTORE}"),
            clean=f"{head}{shell.none_marked(self.kind, target)}{look}{sh.TELL}{sh.CLEAN}",
            preflight=f"set -eu\nunit={shlex.quote(target.units[0])}\n{how}{self._preflight(made, target)}",
        )

    def choice(self, unit: str) -> str:
        """What prints the backend that would make it in this unit, or says in a line why none can (exit 1)."""
        return (
            f"set -eu\nunit={shlex.quote(unit)}\n{self._how}{shell.ALIVE}{sh.FIND}{sh.CHOOSE}"
            'find && choose || exit 1\necho "$backend"\n'
        )

    @property
    def _how(self) -> str:
        if MODES[self.mode].backends == ("strace",):
            return "backend=strace modes=1\n"
        chosen = self.backends[0] if self.mode == "random_panic" else self.backend
        return f"backend={chosen} modes={len(self.parts)}\n"

    @property
    def _due_s(self) -> float:
        return self.deaths_s[0] if self.mode == "random_panic" else 0.0

    def _settings(self, made: CallMode) -> str:
        ceiling = self.rate_pct if self.ceiling_pct is None else max(self.ceiling_pct, self.rate_pct)
        effect = f"error={made.errno}" if made.errno else f"delay_enter={self.delay_ms * 1000}"
        lines = "".join(
            f"{MODES[mode].number} {tenths(pct)} {' '.join(MODES[mode].names)}\n" for mode, pct in self.parts
        )
        about = f"{self.mode} {tenths(self.rate_pct)} {made.errno or '-'} {self.schedule} {self.seed}"
        return (
            f"first={tenths(self.rate_pct)} ceiling={tenths(ceiling)} limit={self.hold_s + OVERTIME_S:.0f}\n"
            f"schedule={self.schedule} ramp={self.ramp_s * 100:.0f}\n"
            f"on={self.on_s * 100:.0f} off={self.off_s * 100:.0f}\n"
            f"seed={self.seed} every_h={self.every_s * 100:.0f} effect={effect}\n"
            f"calls={','.join(f'?{name}' for name in made.calls)}\n"
            f"printf '%s' {shlex.quote(lines)} >parts\n"
            f'echo {shlex.quote(about)} "$unit" >about\n'
            "echo $ceiling >ceiling\n"
            'echo "$metrics" >metrics\n'
        )

    def _preflight(self, made: CallMode, target: Target) -> str:
        may_start = f"{shell.MAY_START}ready\n" if self.mode == "random_panic" else ""
        near = reached_pct("strace", self.rate_pct)
        nearest = f"strace comes to {near:.1f} % for {self.rate_pct:g} %"
        return (
            f"{shell.ALIVE}{sh.FIND}{sh.CHOOSE}"
            "find || exit 1\n"
            "code=0\nfree || code=$?\n[ $code = 0 ] || exit $code\n"
            "choose || exit 1\n"
            + (
                f'[ "$backend" != strace ] || echo "warning: $unit will be traced: {nearest}"\n'
                if made.calls and abs(near - self.rate_pct) >= 0.05
                else ""
            )
            + (
                ""
                if target.metrics or not made.names
                else '[ "$backend" != libfiu ] || echo "warning: libfiu keeps no counters, and the inventory names no '
                "'metrics' of $unit: how many calls fail will not be known\"\n"
            )
            + may_start
        )

    def _refuse_what_cannot_be(self) -> None:
        made = MODES[self.mode]
        if self.backend != "auto" and self.backend not in made.backends:
            known = " or ".join(made.backends)
            raise Refused(f"{self.mode} cannot be made by {self.backend}: only by {known}")
        if len(self.parts) > 1 and (self.backend == "strace" or "libfiu" not in made.backends):
            raise Refused(f"{self.mode} cannot act along with another: that needs libfiu's preload")
        subsystems = [MODES[mode].subsystem for mode, _ in self.parts]
        twice = next((name for name in subsystems if subsystems.count(name) > 1), "")
        if twice:
            raise Refused(f"{self.mode} has a rate for {twice} already: leave out {twice}_pct")
        if self.mode == "random_panic" and not self.deaths_s:
            raise Refused(
                f"with seed {self.seed} nothing is killed within {self.hold_s:g} s: choose another, or a rate"
            )
