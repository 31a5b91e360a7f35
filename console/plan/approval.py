"""Approvals: signed votes on exactly one plan, judged against the inventory's roles and keys, and counted.

Everything here blocks for some milliseconds (ssh-keygen): on an event loop call it through asyncio.to_thread.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from console.errors import BadInput, GamedayError, Refused
from console.plan import ssh_signature
from console.plan.inventory import Inventory, Policy
from console.plan.plan import Plan
from console.terms import Risk

Vote = Literal["for", "against", "abstain", "launch"]
"""`launch` is the operator's own signature; it never counts as an approval."""
Signer = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._@+-]{0,127}$")]
"""A principal; it becomes part of a file name."""
MAX_BYTES = 64 * 1024
MAX_FILES = 200
"""No more files of an inbox are looked at."""
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
LAUNCH_VALID_S = 600.0
MAX_VALID_S = 7 * 86_400.0
"""An approval that claims to be valid for longer counts for nothing, in seconds."""
OPERATOR = "operator"


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed. The times are UTC, like `2026-11-21T14:03:00Z`."""

    digest: str
    run: str
    vote: Vote
    signer: Signer
    not_before: str
    not_after: str


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vote with its signature; `<run>.<signer>.approval` holds it as JSON."""

    document: Document
    signature: str

    @property
    def file_name(self) -> str:
        """A later vote of the same signer on the same run replaces the earlier file."""
        return f"{self.document.run}.{self.document.signer}.approval"


class Judged(msgspec.Struct, frozen=True):
    """An approval after the look at it: counted, or refused with the reason."""

    signer: str
    role: str
    vote: str
    accepted: bool
    why: str
    not_after_s: float
    not_before_s: float = 0.0
    key: str = ""
    """The fingerprint of an authentic vote; one whose time is over still replaces the older votes of its key."""


class Tally(msgspec.Struct, frozen=True):
    """The count: `have` votes for, of `need`, and one sentence for the screen."""

    sufficient: bool
    summary: str
    have: int
    need: int
    against: int = 0
    abstained: int = 0


def canonical(document: Document) -> bytes:
    """The one text of a document: JSON, sorted keys, no spaces."""
    return msgspec.json.encode(document, order="sorted")


def write_document(plan: Plan, signer: str, vote: Vote, now: datetime, valid_s: float) -> Document:
    """The document by which `signer` votes on that plan, valid from `now` for `valid_s` seconds.

    Raises:
        BadInput: the signer's name is no principal.
    """
    values = {
        "digest": plan.digest,
        "run": plan.signed_run,
        "vote": vote,
        "signer": signer,
        "not_before": _stamp(now),
        "not_after": _stamp(now + timedelta(seconds=valid_s)),
    }
    try:
        return msgspec.convert(values, Document)
    except msgspec.ValidationError:
        raise BadInput(f"'{signer[:60]}' is no principal: use letters, digits and . _ @ + -") from None


def sign(document: Document, key_file: Path) -> Approval:
    """The document with its signature.

    Raises:
        BadInput: there is no such key.
        SignatureError: ssh-keygen does not sign.
    """
    return Approval(document, ssh_signature.sign(canonical(document), key_file))


def encode(approval: Approval) -> bytes:
    """The approval as the text of its file."""
    return msgspec.json.format(msgspec.json.encode(approval), indent=2) + b"\n"


def parse(text: bytes, name: Path | str) -> Approval:
    """The approval in `text`; `name` is only named in errors.

    Raises:
        BadInput: not an approval.
    """
    if len(text) > MAX_BYTES:
        raise BadInput("too large for an approval", file=name, line=1)
    try:
        approval = msgspec.json.decode(text, type=Approval)
        _seconds(approval.document.not_before)
        _seconds(approval.document.not_after)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadInput(f"not an approval: {error}", file=name, line=1) from error
    return approval


def load(file: Path) -> Approval:
    """The approval in `file`.

    Raises:
        BadInput: not an approval.
    """
    try:
        if not file.is_file():
            raise BadInput("no such file" if not file.exists() else "not a regular file", file=file)
        with file.open("rb") as stream:
            return parse(stream.read(MAX_BYTES + 1), file)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file=file) from error


def judge(approval: Approval, plan: Plan, inventory: Inventory, now: datetime) -> Judged:
    """Whether this approval counts for that plan now, and if not, why."""
    document = approval.document
    why, key = _refusal(approval, plan, inventory, now)
    role = OPERATOR if document.vote == "launch" else plan.policy.role
    known = role == OPERATOR or document.signer in inventory.approvals.roles.get(role, ())
    return Judged(
        signer=document.signer,
        role=role if known else "",
        vote=document.vote,
        accepted=not why,
        why=why,
        not_after_s=_seconds(document.not_after),
        not_before_s=_seconds(document.not_before),
        key=key,
    )


def _refusal(approval: Approval, plan: Plan, inventory: Inventory, now: datetime) -> tuple[str, str]:
    """Why it does not count, or "", and the key if it is the signer's word on this plan, however old."""
    document = approval.document
    if document.run != plan.signed_run:
        return f"it is for another run, {document.run[:40]}", ""
    if document.digest != plan.digest:
        return "the signature is for another plan: this one was changed or made anew", ""
    verified = _verify(approval, inventory, plan.operator)
    if not verified.good:
        return verified.why, ""
    if document.vote == "launch":
        if document.signer != plan.operator:
            return f"only the operator {plan.operator} launches this plan", ""
    elif document.signer == plan.operator:
        return "the operator cannot approve an own run", ""
    elif document.signer not in inventory.approvals.roles.get(plan.policy.role, ()):
        return f"{document.signer} is not in the role '{plan.policy.role}'", ""
    if _seconds(document.not_after) - _seconds(document.not_before) > MAX_VALID_S:
        return f"it is valid for longer than {MAX_VALID_S / 86_400:g} days, which nobody may sign", verified.key
    if now.timestamp() < _seconds(document.not_before):
        return f"not yet valid: it begins at {document.not_before}", verified.key
    if now.timestamp() >= _seconds(document.not_after):
        return f"expired at {document.not_after}", verified.key
    return "", verified.key


def _verify(approval: Approval, inventory: Inventory, operator: str) -> ssh_signature.Verified:
    """Whether the signature is the signer's, and not by the operator's key under another name."""
    document, signers = approval.document, inventory.approvals.allowed_signers
    revoked = inventory.approvals.revoked_keys
    trouble = ssh_signature.keys_trouble(signers, revoked)
    if trouble:
        return ssh_signature.Verified(False, why=trouble)
    text = canonical(document)
    try:
        verified = ssh_signature.verify(text, approval.signature, document.signer, signers, revoked)
        own = (
            document.signer != operator
            and ssh_signature.verify(text, approval.signature, operator, signers, revoked).good
        )
    except GamedayError as error:
        return ssh_signature.Verified(False, why=f"it could not be verified: {error}")
    if verified.good and own:
        return ssh_signature.Verified(False, why=f"it is signed by the key of the operator {operator}")
    return verified


def collect(inbox: Path, plan: Plan) -> list[Approval]:
    """Every readable approval for that plan's run in the folder; `unreadable` tells of the others."""
    return [found for found in _inbox(inbox, plan) if isinstance(found, Approval)]


def unreadable(inbox: Path, plan: Plan) -> list[Judged]:
    """The files for that run in the folder that are no approvals, as refused: they are not hidden."""
    return [found for found in _inbox(inbox, plan) if isinstance(found, Judged)]


def _inbox(inbox: Path, plan: Plan) -> Iterator[Approval | Judged]:
    files = sorted(inbox.glob(f"{plan.signed_run}.*.approval"))
    for file in files[:MAX_FILES]:
        try:
            if file.is_symlink():
                raise BadInput("is a symbolic link, which is not followed", file=file)
            yield load(file)
        except BadInput as error:
            signer = file.name.removeprefix(f"{plan.signed_run}.").removesuffix(".approval")
            yield Judged(signer=signer, role="", vote="", accepted=False, why=str(error), not_after_s=0.0)


def overflow(inbox: Path, plan: Plan) -> str:
    """Why the folder cannot be judged as a whole, or "": a vote against might lie among what is not looked at."""
    count = sum(1 for _ in inbox.glob(f"{plan.signed_run}.*.approval"))
    return f"{inbox} holds {count} files for this run, more than {MAX_FILES}: clear it" if count > MAX_FILES else ""


def operator_for(risk: Risk, inventory: Inventory) -> str:
    """Who launches: for medium and high risk the inventory's principal, who signs; else the local user.

    Raises:
        BadInput: this machine has no name for its user.
    """
    if risk is not Risk.LOW and inventory.approvals.operator:
        return inventory.approvals.operator
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise BadInput("this machine has no name for its user: name the operator by --operator") from None


def launch(plan: Plan, inventory: Inventory, now: datetime) -> Judged:
    """Sign the launch with the operator's key, and judge that signature like any other.

    Raises:
        Refused: the plan is of another operator, or the key does not sign, or its signature is not good.
    """
    approvals = inventory.approvals
    if not approvals.operator or not approvals.operator_key:
        raise Refused("the inventory names no approvals.operator with an operator_key to launch this risk")
    if plan.operator != approvals.operator:
        raise Refused(
            f"the plan is {plan.operator}'s, the inventory's operator is {approvals.operator}: make a new plan"
        )
    try:
        document = write_document(plan, approvals.operator, "launch", now, LAUNCH_VALID_S)
        judged = judge(sign(document, Path(approvals.operator_key)), plan, inventory, now)
    except GamedayError as error:
        raise Refused(f"the launch cannot be signed: {error}") from error
    if not judged.accepted:
        raise Refused(f"the launch's signature does not count: {judged.why}")
    return judged


def required(plan: Plan, inventory: Inventory) -> Policy:
    """What this plan's approval takes. A plan file may have been edited: it cannot ask for less than the inventory.

    Raises:
        Refused: the plan claims less risk than its faults, or another policy than the inventory.
    """
    risk = plan.scenario.risk
    floor = max((action.fault.risk_floor for action in plan.actions), key=lambda r: r.rank, default=Risk.LOW)
    if risk.rank < floor.rank:
        raise Refused(f"the plan says risk {risk.value}, its faults are {floor.value}: make a new plan")
    policy = inventory.approvals.policy(risk if plan.actions else Risk.LOW)
    if plan.policy != policy:
        asked, wanted = (f"{p.quorum} of {p.role or 'nobody'}" for p in (plan.policy, policy))
        raise Refused(f"the plan asks for {asked}, the inventory for {wanted}: make a new plan")
    return policy


def tally(judged: Iterable[Judged], policy: Policy, operator: str, principals: Iterable[str] = ()) -> Tally:
    """Count the votes: the latest of each voter, the operator's never. `principals`: who may sign, for the sentence."""
    if policy.quorum == 0:
        return Tally(True, "no approval needed", 0, 0)
    votes = [vote for vote in judged if vote.role == policy.role and vote.signer != operator and vote.key]
    counted = [vote for vote in _latest(votes) if vote.accepted]
    pro = [vote for vote in counted if vote.vote == "for"]
    contra = [vote for vote in counted if vote.vote == "against"]
    have, need = len(pro), policy.quorum
    sufficient = have >= need and have > len(contra)
    if sufficient:
        until = _clock(min(vote.not_after_s for vote in pro))
        summary = f"{have} of {need} {policy.role}: {', '.join(vote.signer for vote in pro)} until {until}"
    elif have >= need:
        summary = f"{have} for, {len(contra)} against: more for than against is needed"
    else:
        open_ = sorted({name for name in principals if name != operator} - {vote.signer for vote in counted})
        who = f" ({', '.join(open_)})" if open_ else ""
        against = f"; against: {', '.join(vote.signer for vote in contra)}" if contra else ""
        summary = f"missing: {need - have} of {policy.role}{who}{against}"
    abstained = sum(vote.vote == "abstain" for vote in counted)
    return Tally(sufficient, summary, have, need, len(contra), abstained)


def _latest(votes: Iterable[Judged]) -> list[Judged]:
    """The latest vote of each voter. A voter is all names of one key and all keys of one name, however they chain.

    Of two votes of the same second the one that is not for counts: nobody is talked into a fault by a doubt.
    """
    voters: list[list[Judged]] = []
    for vote in votes:
        same = [cast for cast in voters if any(vote.signer == one.signer or vote.key == one.key for one in cast)]
        voters = [cast for cast in voters if cast not in same] + [[one for cast in same for one in cast] + [vote]]
    order = {"for": 0, "abstain": 1, "against": 2}
    return [max(cast, key=lambda vote: (vote.not_before_s, order.get(vote.vote, 0))) for cast in voters]


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(stamp: str) -> float:
    if not STAMP.fullmatch(stamp):
        raise ValueError(f"'{stamp[:40]}' is no time like 2026-11-21T14:03:00Z")
    return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def _clock(at_s: float) -> str:
    """The operator's own wall clock."""
    return datetime.fromtimestamp(at_s).astimezone().strftime("%H:%M")
