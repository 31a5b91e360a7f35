"""What a game day would trip over, found before anyone ticks a checklist. Only its own guard is let act."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from console.errors import GamedayError
from console.fleet import Fleet
from console.nodes.plug import pull
from console.plan.plan import Plan
from console.run.preflight import preflight
from console.run.rails import known_rails
from console.run.readiness import readiness
from console.terms import Status


class Complaint(msgspec.Struct, frozen=True):
    """One thing that was looked at, and what to do where it is not well."""

    status: Status
    where: str
    what: str
    fix: str = ""


async def examine(fleet: Fleet, plans: dict[str, Plan], *, pull_as: str = "") -> AsyncIterator[Complaint]:
    """Look at nodes, services, databases, keys, and at what each plan (scenario -> plan) would need.

    With `pull_as`, an operator's name, each guard is tried last: a harmless fault, and a console that falls silent.
    """
    for found in asyncio.as_completed([_node(name, fleet) for name in fleet.nodes]):
        for complaint in await found:
            yield complaint
    for name in fleet.databases:
        yield await _database(name, fleet)
    yield _keys(fleet)
    await asyncio.gather(
        *(look(name) for name in fleet.nodes for look in (fleet.look_for_traces, fleet.look_for_needs))
    )
    for scenario, plan in plans.items():
        for complaint in await _experiment(scenario, plan, fleet):
            yield complaint
    if pull_as:
        for trial in asyncio.as_completed([_plug(name, fleet, pull_as) for name in fleet.nodes]):
            yield await trial


async def _plug(name: str, fleet: Fleet, operator: str) -> Complaint:
    """Pull the plug on that node: does it take a fault back by itself, in time?"""
    lease_s = fleet.inventory.lease_s
    try:
        pulled = await pull(fleet.node(name), lease_s, operator)
    except GamedayError as error:
        return Complaint(Status.FAIL, name, f"pull the plug: {error}", "its guard could not be tried: see above")
    kind = f" (guard: {pulled.guard}, lease {lease_s:g} s)"
    fix = {
        Status.FAIL: "run nothing here before `gameday sweep` is clean and this passes",
        Status.UNKNOWN: "wait, and try again",
    }
    return Complaint(pulled.status, name, f"pull the plug: {pulled.told}{kind}", fix.get(pulled.status, ""))


async def _node(name: str, fleet: Fleet) -> list[Complaint]:
    """Link, the guard's folder, and whether each unit of the inventory is known there."""
    node = fleet.node(name)
    run_dir = shlex.quote(node.spec.run_dir)
    try:
        await node.connect()
        room = await node.run(f"mkdir -p {run_dir} && df -kP {run_dir} | tail -n 1", sudo=True)
        fields = room.stdout.split()
        found = [Complaint(Status.PASS, name, "answers over SSH")]
        if room.exit_status != 0 or len(fields) < 4 or int(fields[3]) < 1024:
            found.append(
                Complaint(
                    Status.FAIL,
                    name,
                    f"{node.spec.run_dir} cannot hold a guard: {room.stderr.strip() or 'less than 1 MB free'}",
                    "free it, or name another run_dir",
                )
            )
        for service, spec in node.spec.services.items():
            shown = await node.run(f"systemctl show {shlex.quote(spec.unit)} -p LoadState -p ActiveState")
            if "LoadState=loaded" not in shown.stdout:
                found.append(
                    Complaint(
                        Status.FAIL, f"{name}/{service}", f"there is no unit {spec.unit}", "correct the inventory"
                    )
                )
            elif "ActiveState=active" not in shown.stdout:
                found.append(
                    Complaint(
                        Status.FAIL, f"{name}/{service}", f"{spec.unit} is not active", "start it before the game day"
                    )
                )
        return found
    except GamedayError as error:
        return [Complaint(Status.FAIL, name, str(error), "check address, key and known_hosts")]


async def _database(name: str, fleet: Fleet) -> Complaint:
    try:
        now, most, ordinary = await fleet.database(name).connections()
    except GamedayError as error:
        return Complaint(Status.FAIL, name, str(error), "check the database, its role and the passfile")
    return Complaint(Status.PASS, name, f"answers: {now} of {most} connections, {ordinary} for an ordinary role")


def _keys(fleet: Fleet) -> Complaint:
    approvals = fleet.inventory.approvals
    if not approvals.allowed_signers:
        return Complaint(
            Status.UNKNOWN,
            "approvals",
            "no allowed_signers: only low risk can be launched",
            "name one in the inventory",
        )
    if not Path(approvals.allowed_signers).is_file():
        return Complaint(Status.FAIL, "approvals", f"{approvals.allowed_signers} is not there", "correct the inventory")
    return Complaint(
        Status.PASS,
        "approvals",
        f"{sum(map(len, approvals.roles.values()))} principals in {len(approvals.roles)} roles",
    )


async def _experiment(scenario: str, plan: Plan, fleet: Fleet) -> list[Complaint]:
    """Guard rails of the plan's nodes, and what each fault's preflight says of the target."""
    found: list[Complaint] = []
    for planned in plan.nodes:
        view = fleet.view(planned.name)
        vital = {lack.need for lack in readiness(plan, planned.name, view.has).lacks if not lack.instead}
        # A practice lab has nodes without a boot of their own, and is well all the same.
        status = Status.UNKNOWN if vital == {"own-boot"} and not view.traces else Status.FAIL
        found += [Complaint(status, scenario, rail.what, rail.fix) for rail in known_rails(plan, view)]
    for action in plan.actions if not found else ():
        try:
            said = await preflight(action, fleet)
        except GamedayError as error:
            found.append(Complaint(Status.UNKNOWN, scenario, str(error)))
            continue
        found += [Complaint(Status.UNKNOWN, scenario, line) for line in said.warnings]
        if said.answer != "fit":
            found += [Complaint(Status.FAIL, scenario, what, fix) for what, fix in said.reasons]
    return found or [Complaint(Status.PASS, scenario, "can be run here")]
