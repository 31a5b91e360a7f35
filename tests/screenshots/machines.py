"""The pictures from the systemd lab (root on Linux): faults that need machines of their own."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from console.plan import approval
from console.plan.plan import Plan
from console.tui.screens.approval import ApprovalScreen
from tests.screenshots.stage import Stage, stage_on
from tests.systemd_lab import SystemdLab


def full_disk(lab: SystemdLab) -> None:
    """A4: a disk fills up, and is as before."""
    asyncio.run(_full_disk(lab))


async def _full_disk(lab: SystemdLab) -> None:
    async with stage_on(lab) as stage:
        await _approved_by_tpm(stage, "disk-fill", "redfin", "hold_s=25")
        await stage.proven()
        await stage.acts(20.0, met=2)
        await stage.picture("live-disk")
        await stage.concluded()
        await stage.picture("live-disk-after")
        await stage.write_up()


def taken_memory(lab: SystemdLab) -> None:
    """A5: a node's memory is taken."""
    asyncio.run(_taken_memory(lab))


async def _taken_memory(lab: SystemdLab) -> None:
    async with stage_on(lab) as stage:
        await _approved_by_tpm(stage, "memory-pressure", "greenfin")
        await stage.proven()
        await stage.acts(22.0, met=1)
        await stage.picture("live-memory")
        await stage.concluded()
        await stage.write_up()


def partition(lab: SystemdLab) -> None:
    """A3: two nodes that do not reach each other, and a third one that nobody reaches."""
    asyncio.run(_partition(lab))


async def _partition(lab: SystemdLab) -> None:
    async with stage_on(lab) as stage:
        await _approved_by_tpm(stage, "network-partition", "greenfin")
        await stage.proven()
        with lab.unplugged("bluefin"):
            await stage.until(lambda: _away_s(stage, "bluefin") > 0, "bluefin is not reached")
            await stage.acts(40.0, met=4)
            await stage.picture("live-partition", small=True)
            await stage.home()
            await stage.picture("home-partition")
            await stage.press("f3")
        await stage.concluded(200.0)
        await stage.picture("live-partition-after")
        await stage.write_up()


def reboot(lab: SystemdLab) -> None:
    """A8: the council votes, a node boots again, and the order of its services is told."""
    # It is back before monitoring's patience is over: what that asks takes longer, so that the alert is seen.
    with lab.unit("redfin", "prometheus-node-exporter.service", ExecStartPre="/bin/sleep 8"):
        asyncio.run(_reboot(lab))


async def _reboot(lab: SystemdLab) -> None:
    async with stage_on(lab) as stage:
        await stage.open("node-reboot")
        await stage.check()
        await stage.go("c", ApprovalScreen)
        await stage.vote("council-1")
        await stage.vote("council-2", "against")
        _forged(lab, stage.plan, "tpm")
        await stage.until(lambda: len(stage.run.approvals) >= 3, "three signatures are seen")
        await stage.picture("approval-council", small=True)
        for voter in ("council-2", "council-3"):
            await stage.vote(voter)
        await stage.approved()
        await stage.launch("redfin")
        await stage.until(lambda: _away_s(stage, "redfin") > 0, "redfin is away")
        await stage.picture("live-reboot-away")
        await stage.concluded(200.0)
        await stage.picture("live-reboot", small=True)
        await stage.write_up("writeup-reboot")


def _away_s(stage: Stage, node: str) -> float:
    """For how long the console has not reached that node, in seconds; 0: it does."""
    view = stage.app.session.fleet[node]
    return 0.0 if view.up or view.seen_at_s is None else time.time() - view.seen_at_s


def _forged(lab: SystemdLab, plan: Plan, signer: str) -> None:
    """A vote of one who has none: `gameday approve` would not write it."""
    document = approval.write_document(plan, f"{signer}@lab", "for", datetime.now(UTC), 1800)
    signed = approval.sign(document, lab.dir / "keys" / signer)
    (Path(lab.inventory.approvals.inbox) / signed.file_name).write_bytes(approval.encode(signed))


def nobody_restarts(lab: SystemdLab) -> None:
    """A1 where the unit says Restart=no: the gateway stays down, and the run says so."""
    with lab.unit("redfin", "llm-gateway.service", Restart="no"):
        asyncio.run(_nobody_restarts(lab))


async def _nobody_restarts(lab: SystemdLab) -> None:
    async with stage_on(lab) as stage:
        await stage.open("llm-gateway-kill")
        await stage.check()
        await stage.launch("redfin")
        await stage.proven()
        await stage.concluded()
        await stage.picture("live-failed", small=True)
        await stage.write_up("writeup-failed", gaps="the unit needs Restart=always")


async def _approved_by_tpm(stage: Stage, experiment: str, node: str, settings: str = "") -> None:
    """From home to the launch of an experiment of medium risk."""
    await stage.open(experiment, settings)
    await stage.check()
    await stage.go("c", ApprovalScreen)
    await stage.vote("tpm")
    await stage.approved()
    await stage.launch(node)
