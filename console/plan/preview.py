"""The plan as text, whole: what approvers sign is what they were shown."""

from __future__ import annotations

import shlex

import msgspec

from console.plan import strict
from console.plan.plan import Plan, PlannedAction
from console.plan.probe import (
    AlertProbe,
    AnyProbe,
    BootedProbe,
    CommandProbe,
    ComponentProbe,
    ConnectionsProbe,
    FilesystemProbe,
    HttpProbe,
    IntegrityProbe,
    LoadProbe,
    MemoryProbe,
    MetricProbe,
    PingProbe,
    ProcessProbe,
    SecondOpenerProbe,
    ServiceProbe,
    StoreProbe,
    WritesProbe,
    alert_words,
)
from console.plan.stores import store_words
from console.terms import Risk

SHELL_GUARD = "where there is no systemd, two processes killed at once would leave the fault"


def render(plan: Plan) -> str:
    """For dry-run, approvers and the experiment screen: what is run where, word for word, and what is asked."""
    scenario, policy = plan.scenario, plan.policy
    asked = f"{policy.quorum} of {policy.role}" if policy.quorum else "nobody: the operator, by launching"
    lines = [
        f"plan {plan.run}  {scenario.name}  risk {scenario.risk.value}  digest {plan.digest[:16]}",
        f"operator {plan.operator}, inventory {plan.inventory}, lease {plan.lease_s:g} s, made {plan.created}",
        f"approval: {asked}",
        "nodes armed: " + ", ".join(f"{n.name} ({n.user or 'ssh user'}@{n.address}:{n.port})" for n in plan.nodes),
    ]
    if plan.trials > 1:
        lines.append(_trials(plan))
    if plan.window:
        lines.append(f"maintenance window: {plan.window}; outside of it nothing is injected")
    fenced = ", ".join(node.name for node in plan.nodes if node.shell_guard_for_high)
    if fenced and scenario.risk is Risk.HIGH:
        lines.append(f"high risk under the shell's guard is accepted on {fenced}: {SHELL_GUARD}")
    lines += [
        f"if {node.name} has to be switched on, on this machine: {shlex.join(node.power_on)}"
        for node in plan.nodes
        if node.power_on
    ]
    for action in plan.actions:
        lines += ["", *_action(action)]
    if not plan.actions:
        lines += ["", "no fault: an observation"]
    lines += ["", "must hold before and after:"]
    lines += [f"  {item.id}: {item.title} [{question(item.probe)}]" for item in scenario.steady_state]
    lines += ["", f"expected, watched for at most {scenario.observe_s:g} s:"]
    for e in scenario.expectations:
        stable = f", stable for {e.stable_for_s:g} s" if e.stable_for_s else ""
        stable += ", and to the end" if e.throughout else ""
        optional = "" if e.required else ", not required"
        limit = f"within {e.within_s:g} s of the {e.after}{stable}{optional}"
        lines.append(f"  {e.id}: {e.title} ({limit}) [{question(e.probe)}]")
    own = [f"  {item.id}: {item.title}" for item in (*scenario.pre, *scenario.post)]
    if own:
        lines += ["", "checklist items of its own:", *own]
    return strict.visible("\n".join(lines))


def _trials(plan: Plan) -> str:
    if plan.trial:
        return f"this is trial {plan.trial} of {plan.trials} of plan {plan.signed_run}"
    first, last = plan.of_trial(1).run, plan.of_trial(plan.trials).run
    return f"{plan.trials} trials: all that follows {plan.trials} times, one after the other, as runs {first} to {last}"


def _action(action: PlannedAction) -> list[str]:
    lines = [f"{action.where}: {action.fault.summary}", f"  blast radius: {action.blast_radius}"]
    scripts = msgspec.structs.asdict(action.scripts)
    for name in ("preflight", "inject", "effect", "revert", "clean"):
        if scripts[name]:
            lines += [f"  {name}:", *(f"    {line}" for line in scripts[name].rstrip().splitlines())]
    return lines


def question(probe: AnyProbe) -> str:
    """What the probe asks, in one line."""
    match probe:
        case HttpProbe():
            answer = f"answers {probe.status}" if probe.expect == "answer" else "gets no answer"
            return f"on {probe.from_node or probe.node}: GET {probe.url} {answer}"
        case PingProbe():
            return f"on {probe.node}: ping {probe.address} ({probe.peer}): {probe.expect}"
        case ServiceProbe():
            return f"on {probe.node}: systemctl show {probe.unit}: {probe.state}"
        case ConnectionsProbe():
            return f"connections of {probe.database}: {probe.state}"
        case WritesProbe():
            return f"{probe.table} of {probe.database}: every acknowledged row, and {probe.at_least} since the crash"
        case IntegrityProbe():
            return f"every table and index of {probe.database}: amcheck, else a full read"
        case CommandProbe():
            return f"on {probe.node}: {probe.command} ends with {probe.exit_code}"
        case BootedProbe():
            order = f", then active in this order: {', '.join(probe.units)}" if probe.units else ""
            return f"on {probe.node}: a new boot{order}"
        case FilesystemProbe():
            levels = {
                "risen": f"has risen by {probe.points:g} points",
                "at-level": f"is at {probe.percent:g} % or more",
                "fallen-back": f"is as before, give or take {probe.slack:g} points",
            }
            return f"on {probe.node}: the use of the file system of {probe.path} {levels[probe.state]}"
        case MemoryProbe():
            risen = f"has risen by {probe.points:g} points"
            back = f"is as before, give or take {probe.slack:g} points"
            return f"on {probe.node}: the use of memory {risen if probe.state == 'risen' else back}"
        case SecondOpenerProbe():
            return (
                f"on {probe.node}: the second process that opens store {probe.store} ends within {probe.within_s:g} s, "
                f"not with exit 0, and says '{probe.says}'"
            )
        case StoreProbe():
            return f"on {probe.node}: {store_words(probe)}"
        case LoadProbe():
            return f"on {probe.node}: the processors are {probe.at_least_pct:g} to {probe.at_most_pct:g} % busy"
        case MetricProbe():
            value = f" {probe.value:g}" if probe.state not in ("restored",) else ""
            return f"on {probe.node}: {probe.metric} of {probe.url} is {probe.state}{value}"
        case ProcessProbe():
            same = f"{probe.service} on {probe.node} is the process that it was"
            if probe.state == "same":
                return same
            more = f" or {probe.slack_mb:g} MB" if probe.slack_mb else ""
            return f"{same}, its open files and memory within {probe.slack_pct:g} %{more} of before"
        case ComponentProbe():
            return f"on {probe.node}: processes of {probe.unit} with '{probe.process}' are {probe.state}"
        case AlertProbe():
            what = f"{alert_words(probe)} is {probe.state}"
            beside = f" on {probe.node}" if probe.node else ""
            if not probe.alertmanager:
                return f"{what}: nobody is asked, the inventory has no monitoring"
            return f"{probe.witness} {probe.alertmanager}{beside}: {what}"
    wanted = "what it gave before" if probe.unchanged else probe.expect or "any answer"
    return f"on {probe.database}: {probe.sql} gives {wanted}"
