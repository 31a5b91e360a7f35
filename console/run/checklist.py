"""The pre-test and post-test checklists: which items there are, and how the console verifies those that it can."""

from __future__ import annotations

import asyncio
import getpass
import shlex
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from console.brief import ItemBrief
from console.errors import GamedayError, Refused, near_match
from console.events import ExpectationJudged, ItemChecked, Stage
from console.fleet import Fleet
from console.nodes.sampler import NodeSample
from console.plan.inventory import Backups, Inventory, Notify, Query
from console.plan.plan import Plan
from console.plan.stores import store_probes
from console.probes.alertmanager import Alertmanager
from console.run.recorder import Recorder
from console.state import RunState
from console.terms import Status

VALID_FOR_S = 600.0
"""An automatic item counts for ten minutes (requirements, part A), and is checked again right before injection."""
FRESH_S = 3.0
"""A sample older than this is no baseline, in seconds."""
SAMPLE_WAIT_S = 6.0
"""How long the baseline waits for a first whole sample, in seconds."""
SETTLE_S = 15.0
"""How long the post-test check waits for services to settle, in seconds."""

ALERTS_LIMIT_S = 120.0
"""How long the post-test check waits for alerts to clear, in seconds: two of Prometheus' own evaluation intervals."""
ALERTS_ABORTED_S = 5.0
"""The same after an abort, whose operator waits at the console: it can be verified again before signing."""


class Finding(msgspec.Struct, frozen=True):
    """What a verification found."""

    status: Status
    evidence: str
    valid_for_s: float = VALID_FOR_S
    """0: it holds for the whole run."""


class Alerts(msgspec.Struct, frozen=True):
    """What an Alertmanager held at one moment."""

    started: str
    """When its process began."""
    present: dict[str, str]
    """Fingerprint -> the alert in words, silenced and inhibited ones too."""


Verify = Callable[[], Awaitable[Finding]]


def pre_items(plan: Plan, inventory: Inventory) -> tuple[ItemBrief, ...]:
    """The pre-test items of this plan, automatic where the inventory says how to verify them."""
    checks = inventory.checks
    return (
        ItemBrief("tpm-notified", "TPM notified of the test window", automatic=checks.notify is not None),
        ItemBrief("backups-current", "Backups are current", automatic=checks.backups is not None),
        ItemBrief("no-active-work", "Thermal memory checked for active work", automatic=checks.active_work is not None),
        ItemBrief("no-council-vote", "No council vote in progress", automatic=checks.council is not None),
        ItemBrief("baseline-documented", "Baseline metrics documented"),
        *(ItemBrief(item.id, item.title, automatic=False) for item in plan.scenario.pre),
    )


def post_items(plan: Plan, inventory: Inventory) -> tuple[ItemBrief, ...]:
    """The post-test items. Data that cannot be counted leaves a run open only where the fault could have hurt it.

    `logged` is set by the delivery itself.
    """
    thermal = inventory.thermal_memory
    home = inventory.databases[thermal.database].node if thermal else ""
    endangered = any(action.node == home for action in plan.actions)
    kept = any(store_probes(plan.scenario))
    watched = inventory.monitoring is not None and not inventory.monitoring.stand_in
    return (
        ItemBrief("services-normal", "All services back to normal"),
        ItemBrief("no-data-loss", "No data loss", automatic=thermal is not None or kept, required=endangered or kept),
        ItemBrief("alerts-cleared", "Monitoring alerts cleared", automatic=watched),
        ItemBrief("logged", "Results logged to thermal memory", required=False),
        ItemBrief("runbooks-updated", "Runbooks updated where gaps were found", automatic=False),
        *(ItemBrief(item.id, item.title, automatic=False) for item in plan.scenario.post),
    )


class PreTest:
    """Verifies the automatic pre-test items; what it measured stays here for the comparison afterwards."""

    def __init__(self, plan: Plan, fleet: Fleet, notified: Finding | None = None) -> None:
        self.plan = plan
        self.fleet = fleet
        self.rows: str | None = None
        """Rows in thermal memory before the fault, as the database told."""
        self.active: set[str] = set()
        """The services that were active before the fault, as `node/service`."""
        self.alerts: Alerts | None = None
        """What Alertmanager held before the fault; None: it was not asked, or did not tell."""
        self.notified = notified
        """The message that was sent, by this run or for all trials by the first of them; None: not yet."""
        checks = fleet.inventory.checks
        self.verifiers: dict[str, Verify] = {"baseline-documented": self._baseline}
        if checks.notify:
            notify = checks.notify
            self.verifiers["tpm-notified"] = lambda: self._notify(notify)
        if checks.backups:
            backups = checks.backups
            self.verifiers["backups-current"] = lambda: self._backups(backups)
        if checks.active_work:
            active_work = checks.active_work
            self.verifiers["no-active-work"] = lambda: self._query(active_work)
        if checks.council:
            council = checks.council
            self.verifiers["no-council-vote"] = lambda: self._query(council)

    async def verify(self, item: str) -> Finding:
        """What is found of that item now; whatever goes wrong on the way is unknown, with its reason."""
        try:
            return await self.verifiers[item]()
        except (GamedayError, OSError) as error:
            return Finding(Status.UNKNOWN, str(error))

    async def _notify(self, notify: Notify) -> Finding:
        """Send the message, once a run; once for all trials of a plan."""
        if self.notified is None:
            plan, scenario = self.plan, self.plan.scenario
            where = ", ".join(action.node for action in plan.actions) or "no node"
            what = f"{plan.trials} trials, runs {plan.signed_run}t..." if plan.trial else f"run {plan.run}"
            about = f"{what}, risk {scenario.risk.value}, operator {plan.operator}"
            text = f"Game day: {scenario.title} on {where} ({about}).\n"
            code, output = await _local(notify.command, text)
            if code != 0:
                return Finding(Status.FAIL, f"{shlex.join(notify.command)} ended with {code}: {output}")
            self.notified = Finding(Status.PASS, f"sent through {notify.command[0]}: {text.strip()}", 0.0)
        return self.notified

    async def _backups(self, backups: Backups) -> Finding:
        """Age and readability of the newest file; `find -printf` is not everywhere, so `ls -t` names it."""
        folder = shlex.quote(backups.path)
        script = (
            f"set -eu; cd {folder}; f=$(ls -t | head -n 1); [ -n \"$f\" ] || {{ echo 'no backup there'; exit 1; }}\n"
            'case "$f" in *.gz) gzip -t -- "$f" || { echo "$f does not pass gzip -t"; exit 1; };; esac\n'
            '[ -s "$f" ] || { echo "$f is empty"; exit 1; }\n'
            'now=$(date +%s); then=$(stat -c %Y -- "$f" 2>/dev/null || stat -f %m -- "$f"); echo "$((now - then)) $f"\n'
        )
        done = await self.fleet.node(backups.node).run("sh -s", input=script, timeout_s=30.0)
        if done.exit_status == 1:
            return Finding(Status.FAIL, f"{backups.node}:{backups.path}: {done.stdout.strip() or done.stderr.strip()}")
        age, _, name = done.stdout.strip().partition(" ")
        if done.exit_status != 0 or not age.lstrip("-").isdigit():
            return Finding(
                Status.UNKNOWN, f"{backups.node}:{backups.path}: {done.stderr.strip() or done.stdout.strip()}"
            )
        hours = int(age) / 3600
        status = Status.PASS if hours <= backups.max_age_h else Status.FAIL
        age_text = f"{hours:.1f} h old (limit {backups.max_age_h:g} h)"
        return Finding(status, f"{backups.node}:{name} reads well and is {age_text}")

    async def _query(self, query: Query) -> Finding:
        value = await self.fleet.database(query.database).value(query.sql)
        status = Status.PASS if value == query.expect else Status.FAIL
        return Finding(status, f"{query.sql} gave {value}, expected {query.expect}")

    async def _baseline(self) -> Finding:
        """A fresh and whole sample of each node of the plan, waited for a while, and the rows of thermal memory."""
        names = [planned.name for planned in self.plan.nodes]
        end_s = self.fleet.clock() + SAMPLE_WAIT_S
        missing = self._all_unseen(names)
        while missing and self.fleet.clock() < end_s:
            await asyncio.sleep(0.2)
            missing = self._all_unseen(names)
        if missing:
            return Finding(Status.UNKNOWN, "; ".join(missing))
        parts: list[str] = []
        self.active = set()
        for name in names:
            sample = self.fleet.view(name).sample
            if sample:
                self.active |= {
                    f"{name}/{service}" for service, seen in sample.services.items() if seen.active == "active"
                }
                parts.append(f"{name}: {_numbers(sample)}")
        self.rows = await thermal_rows(self.fleet)
        if self.rows is not None:
            parts.append(f"thermal memory holds {self.rows} row{'s' * (self.rows != '1')}")
        if self.fleet.alertmanager:
            self.alerts = None
            self.alerts = await alerts_now(self.fleet.alertmanager)
            parts.append(f"alerts: {', '.join(sorted(self.alerts.present.values())) or 'none'}")
        return Finding(Status.PASS, "; ".join(parts))

    def _all_unseen(self, names: list[str]) -> list[str]:
        return [why for name in names if (why := self._unseen(name))]

    def _unseen(self, name: str) -> str:
        """What of the node was not seen lately; empty: everything was."""
        view = self.fleet.view(name)
        if view.sample is None or self.fleet.clock() - view.sample.at_s > FRESH_S:
            return f"{name}: {view.why or 'no fresh sample'}"
        if view.sample.cpu_pct is None or view.sample.memory_used_bytes is None:
            return f"{name}: cpu and memory were not seen"
        unseen = sorted(set(view.spec.services) - set(view.sample.services))
        return f"{name}: not seen: {', '.join(unseen)}" if unseen else ""


def _numbers(sample: NodeSample) -> str:
    cpu = "?" if sample.cpu_pct is None else f"{sample.cpu_pct:.0f} %"
    memory = "?" if sample.memory_used_bytes is None else f"{sample.memory_used_bytes / 2**20:.0f} MiB"
    active = sum(service.active == "active" for service in sample.services.values())
    return f"cpu {cpu}, memory {memory}, {active}/{len(sample.services)} services active"


async def attest(recorder: Recorder, stage: Stage, item: str, *, note: str, status: Status, by: str) -> None:
    """Record a person's word on a manual item.

    Raises:
        Refused: the item is verified by the console, or there is none of that name.
    """
    known = (recorder.state.pre if stage == "pre" else recorder.state.post).get(item)
    if known is None:
        raise Refused(f"there is no {stage}-test item '{item}'")
    if known.brief.automatic:
        raise Refused(f"'{known.brief.title}' is verified by the console and cannot be ticked")
    told = ItemChecked(at_s=recorder.now_s(), stage=stage, id=item, status=status, evidence=note, attested=True, by=by)
    await recorder.emit(told)


async def attest_expectation(recorder: Recorder, name: str, *, note: str, status: Status, by: str) -> None:
    """Record a person's word on what the console could not see; the machine's proposal stays as it is.

    Raises:
        Refused: the console saw it itself or must, the run is not judged yet or signed already, there is no such
            expectation, or the note is empty.
    """
    state = recorder.state
    known = state.expectations.get(name)
    if known is None:
        raise Refused(f"there is no expectation '{name}'{near_match(name, state.expectations)}")
    if state.conclusion is None or state.signed:
        raise Refused(f"'{known.brief.title}' is attested between the verdict and the signature")
    if not known.open_to_a_person:
        why = "is required" if known.brief.required else "was seen by the console itself"
        raise Refused(f"'{known.brief.title}' {why}: it cannot be attested")
    if not note.strip():
        raise Refused("a person's word needs a note: how do you know?")
    await recorder.emit(
        ExpectationJudged(at_s=recorder.now_s(), id=name, status=status, observed=note.strip(), attested=True, by=by)
    )


async def thermal_rows(fleet: Fleet) -> str | None:
    """How many rows thermal memory holds, as text; None where there is none configured.

    Raises:
        GamedayError: the database does not answer.
    """
    thermal = fleet.inventory.thermal_memory
    if thermal is None:
        return None
    return await fleet.database(thermal.database).value(f"select count(*) from {thermal.table}")  # noqa: S608 (pattern-checked)


async def post_services(plan: Plan, fleet: Fleet, was_active: set[str]) -> Finding:
    """Every service that was active at the baseline (`node/service`) is active again, within 15 s."""
    names = {planned.name for planned in plan.nodes}
    if not was_active:
        return Finding(Status.UNKNOWN, "no service was seen active before the fault")
    end_s = fleet.clock() + SETTLE_S
    while True:
        found = _services_now(names, was_active, fleet)
        if found.status is Status.PASS or fleet.clock() >= end_s:
            return found
        await asyncio.sleep(0.5)


def _services_now(names: set[str], was_active: set[str], fleet: Fleet) -> Finding:
    down: list[str] = []
    for name in sorted(names):
        sample = fleet.view(name).sample
        if sample is None or fleet.clock() - sample.at_s > FRESH_S:
            return Finding(Status.UNKNOWN, f"{name}: no fresh sample")
        services = {f"{name}/{service}": seen.active for service, seen in sample.services.items()}
        mine = sorted(key for key in was_active if key.startswith(f"{name}/"))
        down += [f"{key} is {services.get(key, 'unseen')}" for key in mine if services.get(key) != "active"]
    if down:
        return Finding(Status.FAIL, "; ".join(down))
    count = len(was_active)
    told = "the service that was active is" if count == 1 else f"all {count} services that were active are"
    return Finding(Status.PASS, f"{told} active")


async def post_data(fleet: Fleet, before: str | None, state: RunState, stores: Sequence[Finding] = ()) -> Finding:
    """Nothing was found lost: not by an expectation, not in the stores that were written to, not in thermal memory."""
    gone = [item.observed for item in state.expectations.values() if item.data_lost]
    if any(found.status is Status.FAIL for found in stores):
        gone = []  # they tell it anew, and of everything
    counted = fleet.inventory.thermal_memory is not None and not gone
    rows = [await _thermal_kept(fleet, before)] if counted else []
    found = [*(Finding(Status.FAIL, text) for text in gone), *stores, *rows]
    worst = next((s for s in (Status.FAIL, Status.UNKNOWN) if any(one.status is s for one in found)), Status.PASS)
    telling = sorted(found, key=lambda one: one.status is not worst)
    return Finding(worst, "; ".join(one.evidence for one in telling))


async def _thermal_kept(fleet: Fleet, before: str | None) -> Finding:
    """Thermal memory holds at least the rows that it held before."""
    try:
        after = await thermal_rows(fleet)
    except GamedayError as error:
        return Finding(Status.UNKNOWN, str(error))
    if before is None or after is None:
        return Finding(Status.UNKNOWN, "the rows were not counted before the fault")
    status = Status.PASS if int(after) >= int(before) else Status.FAIL
    return Finding(status, f"thermal memory held {before} row{'s' * (before != '1')} before and holds {after} now")


async def alerts_now(alertmanager: Alertmanager) -> Alerts:
    """What Alertmanager holds now.

    Raises:
        NoAlerts: it cannot be asked.
    """
    found = await alertmanager.alerts()
    return Alerts(await alertmanager.started(), {alert.fingerprint: alert.words for alert in found})


async def post_alerts(
    alertmanager: Alertmanager, before: Alerts | None, clock: Callable[[], float], limit_s: float = ALERTS_LIMIT_S
) -> Finding:
    """No alert is there that was not there before the fault, waited for up to `limit_s`.

    One that is silenced or inhibited has not cleared. An Alertmanager that was started anew has forgotten: unknown.
    """
    if before is None:
        return Finding(Status.UNKNOWN, "the alerts were not seen before the fault")
    end_s = clock() + limit_s
    while True:
        try:
            found = _new_alerts(before, await alerts_now(alertmanager))
        except GamedayError as error:
            found = Finding(Status.UNKNOWN, str(error))
        if found.status is Status.PASS or clock() >= end_s:
            return found
        await asyncio.sleep(1.0)


def _new_alerts(before: Alerts, now: Alerts) -> Finding:
    if now.started != before.started:
        return Finding(Status.UNKNOWN, "Alertmanager was started anew during the run and may have forgotten")
    new = sorted(words for fingerprint, words in now.present.items() if fingerprint not in before.present)
    if new:
        return Finding(Status.FAIL, f"there since the run began: {', '.join(new)}")
    count = len(now.present)
    old = f"; {count} {'was' if count == 1 else 'were'} there before the run already" if count else ""
    return Finding(Status.PASS, f"no alert of this run is left{old}")


def logged(state: RunState) -> Finding:
    """Whether the write-up is in thermal memory, as the delivery told."""
    if state.delivery is None:
        return Finding(Status.UNKNOWN, "not delivered yet")
    if state.delivery.delivered:
        return Finding(Status.PASS, f"{state.delivery.hash} was read back")
    return Finding(Status.UNKNOWN, f"queued: {state.delivery.why}")


def operator_name() -> str:
    """The local user, for low risk."""
    return getpass.getuser()


async def _local(command: tuple[str, ...], text: str) -> tuple[int | None, str]:
    """Run a program of the operator's own machine with `text` on standard input; at most 20 s."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(text.encode()), 20.0)
    except TimeoutError:
        process.kill()
        await process.wait()
        return None, "no end after 20 s"
    return process.returncode, output.decode(errors="replace").strip()[:500]
