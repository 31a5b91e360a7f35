"""A ring of real keys, an inbox, and one run that waits for its approval: what attacks on approvals are made on."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import msgspec

from console.events import ApprovalSeen
from console.plan import approval, ssh_signature
from console.plan.approval import Approval, Document, Vote
from console.plan.inventory import Approvals, Inventory, Node, Policy
from console.plan.plan import Plan
from console.plan.scenario import Scenario
from console.record.journal import Journal
from console.run.preparation import Preparation
from console.run.recorder import Recorder
from console.terms import Category, Risk
from tests.unit.runs import started

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
OPERATOR, TPM, STRANGER = "operator@lab", "tpm@lab", "stranger@lab"
COUNCIL = ("c1@lab", "c2@lab", "c3@lab")
SPARE = "spare"
"""A second key, that a test may list under any name."""


def make_keys(folder: Path) -> None:
    """A key for each name; all but the stranger's and the spare one are known."""
    lines = []
    for name in (OPERATOR, TPM, *COUNCIL, STRANGER, SPARE):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
        if name not in (STRANGER, SPARE):
            lines.append(known(folder, name))
    (folder / "allowed_signers").write_text("".join(lines))


def known(folder: Path, names: str, key: str = "", options: str = "") -> str:
    """A line of allowed_signers."""
    kind, blob, *_ = (folder / f"{key or names}.pub").read_text().split()
    return f'{names} namespaces="{ssh_signature.NAMESPACE}"{options} {kind} {blob}\n'


@dataclass
class Ring:
    """Keys, allowed_signers, inbox, the plan, and the clock; `risk` says who must sign."""

    folder: Path
    keys: Path
    risk: Risk = Risk.MEDIUM
    now: datetime = NOW
    run: str = "k3m9wxyz"
    purpose: str = "See it come back."
    operator_key: str = OPERATOR
    revoked: str = ""
    roles: tuple[str, ...] = COUNCIL

    def __post_init__(self) -> None:
        self.inbox.mkdir()
        self.signers.write_text((self.keys / "allowed_signers").read_text())
        self.signers.chmod(0o644)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def signers(self) -> Path:
        return self.folder / "allowed_signers"

    @property
    def plan(self) -> Plan:
        scenario = Scenario(
            name="flood", title="t", category=Category.DATABASE, risk=self.risk, purpose=self.purpose,
            hypothesis="h", rollback="r",
        )  # fmt: skip
        return Plan(
            version=1, run=self.run, created="2026-11-21T14:00:00Z", inventory="lab", operator=OPERATOR, lease_s=3.0,
            scenario=scenario, nodes=(), actions=(), policy=self.policy,
        )  # fmt: skip

    @property
    def policy(self) -> Policy:
        return {
            Risk.LOW: Policy(), Risk.MEDIUM: Policy(role="tpm", quorum=1), Risk.HIGH: Policy(role="council", quorum=2),
        }[self.risk]  # fmt: skip

    @property
    def inventory(self) -> Inventory:
        approvals = Approvals(
            allowed_signers=str(self.signers),
            revoked_keys=self.revoked,
            inbox=str(self.inbox),
            operator=OPERATOR,
            operator_key=str(self.keys / self.operator_key),
            roles={"tpm": (TPM, OPERATOR), "council": self.roles},
            # The plans of these tests have no action, so the inventory's rule for low risk is theirs.
            low=self.policy,
        )
        return Inventory(version=1, name="lab", nodes={"redfin": Node(address="127.0.0.1")}, approvals=approvals)

    def signed(
        self, signer: str = TPM, vote: Vote = "for", *, key: str = "", at: datetime = NOW, valid_s: float = 1800.0
    ) -> Approval:
        """A vote, signed for real."""
        document = approval.write_document(self.plan, signer, vote, at, valid_s)
        return approval.sign(document, self.keys / (key or signer))

    def put(self, given: Approval, name: str = "") -> Path:
        """Into the inbox."""
        return self.put_text(approval.encode(given), name or given.document.signer)

    def put_text(self, text: bytes, name: str = TPM) -> Path:
        file = self.inbox / f"{self.run}.{name}.approval"
        file.write_bytes(text)
        return file

    def council(self, *names: str, vote: Vote = "for", at: datetime = NOW) -> None:
        """Votes of these council members."""
        for name in names:
            self.put(self.signed(name, vote, at=at))

    def clock(self) -> float:
        """The console's clock."""
        return self.now.timestamp()

    def preparation(self) -> tuple[Preparation, Recorder]:
        """The run, as it waits for its approval; its journal is real."""
        (self.folder / "run").mkdir(exist_ok=True)
        recorder = Recorder(Journal.create(self.folder / "run"), self.clock)
        fleet = SimpleNamespace(inventory=self.inventory)
        return Preparation(self.plan, fleet, recorder), recorder  # type: ignore[arg-type]

    async def asked(self) -> tuple[bool, str, list[ApprovalSeen]]:
        """Whether the approval suffices now, the sentence, and every signature that was looked at."""
        preparation, recorder = self.preparation()
        await recorder.emit(started())
        await preparation.look_at_approvals()
        await recorder.close()
        settled = recorder.state.approval
        assert settled
        return settled.sufficient, settled.summary, list(recorder.state.approvals)


def edited(given: Approval, **changes: str) -> Approval:
    """The document changed, its signature kept."""
    document: Document = msgspec.structs.replace(given.document, **changes)
    return Approval(document, given.signature)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
