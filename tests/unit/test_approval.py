"""Approvals: a vote counts only with the right key, role, time, run and plan; and the count is as the policy says."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from console.errors import BadInput, Refused
from console.faults.base import Scripts, Target
from console.faults.connection_flood import ConnectionFlood
from console.plan import approval, ssh_signature
from console.plan.approval import Approval, Judged, Vote, judge, tally
from console.plan.inventory import Approvals, Inventory, Node, Policy
from console.plan.plan import Plan, PlannedAction
from console.plan.scenario import Scenario
from console.terms import Category, Risk

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
TPM = Policy(role="tpm", quorum=1)
COUNCIL = Policy(role="council", quorum=3)
NAMES = ("operator@lab", "tpm@lab", "other@lab")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key for each name, and an allowed_signers file without a stranger's key."""
    folder = tmp_path_factory.mktemp("keys")
    lines = []
    for name in (*NAMES, "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
        words = (folder / f"{name}.pub").read_text().split()
        if name != "stranger":
            lines.append(f'{name} namespaces="gameday-approval@1" {words[0]} {words[1]}\n')
    (folder / "allowed_signers").write_text("".join(lines))
    (folder / "allowed_signers").chmod(0o644)
    return folder


@pytest.fixture
def inventory(keys: Path) -> Inventory:
    approvals = Approvals(
        allowed_signers=str(keys / "allowed_signers"),
        operator="operator@lab",
        operator_key=str(keys / "operator@lab"),
        roles={"tpm": ("tpm@lab", "operator@lab", "stranger")},
    )
    return Inventory(version=1, name="lab", nodes={"redfin": Node(address="127.0.0.1")}, approvals=approvals)


def make_plan(run: str = "k3m9wxyz", risk: Risk = Risk.MEDIUM, operator: str = "operator@lab") -> Plan:
    scenario = Scenario(
        name="flood", title="t", category=Category.DATABASE, risk=risk, purpose="p", hypothesis="h", rollback="r"
    )
    return Plan(
        version=1, run=run, created="2026-11-21T14:00:00Z", inventory="lab", operator=operator, lease_s=3.0,
        scenario=scenario, nodes=(), actions=(), policy=TPM,
    )  # fmt: skip


def vote(
    keys: Path, plan: Plan, signer: str = "tpm@lab", said: Vote = "for", *, key: str = "", at: datetime = NOW
) -> Approval:
    return approval.sign(approval.write_document(plan, signer, said, at, 1800.0), keys / (key or signer))


def why_not(given: Approval, plan: Plan, inventory: Inventory, now: datetime = NOW) -> str:
    judged = judge(given, plan, inventory, now)
    assert not judged.accepted
    return judged.why


def test_a_good_signature_counts(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    judged = judge(vote(keys, plan), plan, inventory, NOW)
    assert (judged.accepted, judged.why, judged.role, judged.vote) == (True, "", "tpm", "for")
    assert judged.not_after_s == (NOW + timedelta(minutes=30)).timestamp()


def test_any_change_of_the_plan_voids_the_signature(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    changed = msgspec.structs.replace(plan, lease_s=4.0)
    assert "for another plan" in why_not(vote(keys, plan), changed, inventory)


def test_a_signature_for_another_run_does_not_count(keys: Path, inventory: Inventory) -> None:
    assert "another run, zzzzzzzz" in why_not(vote(keys, make_plan("zzzzzzzz")), make_plan(), inventory)


def test_an_expired_approval_does_not_count(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    given = vote(keys, plan)
    assert judge(given, plan, inventory, NOW + timedelta(minutes=29, seconds=59)).accepted
    assert "expired at 2026-11-21T14:33:00Z" in why_not(given, plan, inventory, NOW + timedelta(minutes=30))


def test_an_approval_does_not_count_before_its_time(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    assert "not yet valid" in why_not(vote(keys, plan), plan, inventory, NOW - timedelta(seconds=1))


def test_a_document_changed_after_signing_does_not_count(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    given = vote(keys, plan, said="against")
    forged = Approval(msgspec.structs.replace(given.document, vote="for"), given.signature)
    assert "changed after it was signed" in why_not(forged, plan, inventory)


def test_an_unknown_key_does_not_count(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    assert "the key is unknown" in why_not(vote(keys, plan, "stranger"), plan, inventory)


def test_another_ones_key_does_not_count(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    assert "the key is that of other@lab, not of tpm@lab" in why_not(vote(keys, plan, key="other@lab"), plan, inventory)


def test_a_signature_of_another_namespace_does_not_count(
    keys: Path, inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan()
    with monkeypatch.context() as patch:
        patch.setattr(ssh_signature, "NAMESPACE", "file")
        given = vote(keys, plan)
    assert "not in the namespace gameday-approval@1" in why_not(given, plan, inventory)


def test_a_signer_without_the_role_does_not_count(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    assert "other@lab is not in the role 'tpm'" in why_not(vote(keys, plan, "other@lab"), plan, inventory)


def test_the_operator_cannot_approve_an_own_run(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    assert "cannot approve an own run" in why_not(vote(keys, plan, "operator@lab"), plan, inventory)


def test_the_operators_key_counts_under_no_other_name(keys: Path, inventory: Inventory, tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    signers.write_text((keys / "allowed_signers").read_text().replace("operator@lab", "operator@lab,tpm@lab", 1))
    doubled = msgspec.structs.replace(
        inventory, approvals=msgspec.structs.replace(inventory.approvals, allowed_signers=str(signers))
    )
    plan = make_plan()
    assert "key of the operator" in why_not(vote(keys, plan, key="operator@lab"), plan, doubled)


def test_a_world_writable_allowed_signers_file_is_not_trusted(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    given = vote(keys, plan)
    (keys / "allowed_signers").chmod(0o666)
    try:
        assert "may be written by everyone" in why_not(given, plan, inventory)
    finally:
        (keys / "allowed_signers").chmod(0o644)


@pytest.mark.parametrize("file", ["", "/nonexistent/signers"])
def test_without_allowed_signers_nothing_counts(keys: Path, inventory: Inventory, file: str) -> None:
    bare = msgspec.structs.replace(
        inventory, approvals=msgspec.structs.replace(inventory.approvals, allowed_signers=file)
    )
    plan = make_plan()
    assert (file or "names no approvals.allowed_signers") in why_not(vote(keys, plan), plan, bare)


def test_without_ssh_keygen_nothing_counts_and_it_is_said(
    keys: Path, inventory: Inventory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = make_plan()
    given = vote(keys, plan)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "could not be verified: ssh-keygen is not installed" in why_not(given, plan, inventory)


def test_a_key_whose_time_is_over_does_not_count(keys: Path, inventory: Inventory, tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    text = (keys / "allowed_signers").read_text()
    signers.write_text(text.replace("tpm@lab namespaces", 'tpm@lab valid-before="20200101Z",namespaces'))
    old = msgspec.structs.replace(
        inventory, approvals=msgspec.structs.replace(inventory.approvals, allowed_signers=str(signers))
    )
    plan = make_plan()
    assert "the key of tpm@lab has expired" in why_not(vote(keys, plan), plan, old)


def test_the_launch_is_signed_by_the_operator_and_counts_for_nothing_else(inventory: Inventory) -> None:
    plan = make_plan()
    judged = approval.launch(plan, inventory, NOW)
    assert (judged.accepted, judged.role, judged.vote) == (True, "operator", "launch")
    assert not tally([judged], TPM, plan.operator).sufficient


def test_nobody_else_signs_the_launch(keys: Path, inventory: Inventory) -> None:
    plan = make_plan()
    assert "only the operator operator@lab launches" in why_not(vote(keys, plan, said="launch"), plan, inventory)


def test_a_launch_of_another_operators_plan_is_refused(inventory: Inventory) -> None:
    with pytest.raises(Refused, match="the plan is ana's"):
        approval.launch(make_plan(operator="ana"), inventory, NOW)


def test_an_approval_survives_its_file(keys: Path, tmp_path: Path) -> None:
    given = vote(keys, make_plan())
    file = tmp_path / given.file_name
    file.write_bytes(approval.encode(given))
    assert file.name == "k3m9wxyz.tpm@lab.approval"
    assert approval.load(file) == given


@pytest.mark.parametrize("signer", ["../../etc/x", "", "-f", "a b", "*"])
def test_a_signers_name_is_never_a_path_an_option_or_a_pattern(signer: str) -> None:
    with pytest.raises(BadInput, match="is no principal"):
        approval.write_document(make_plan(), signer, "for", NOW, 60.0)


def test_the_inbox_gives_the_runs_approvals_and_tells_of_broken_files(
    keys: Path, inventory: Inventory, tmp_path: Path
) -> None:
    plan, given = make_plan(), vote(keys, make_plan())
    (tmp_path / given.file_name).write_bytes(approval.encode(given))
    (tmp_path / "k3m9wxyz.torn.approval").write_bytes(approval.encode(given)[:50])
    (tmp_path / "zzzzzzzz.tpm@lab.approval").write_bytes(b"of another run")
    assert approval.collect(tmp_path, plan) == [given]
    broken = approval.unreadable(tmp_path, plan)
    assert [(item.signer, item.accepted) for item in broken] == [("torn", False)]
    assert "not an approval" in broken[0].why


def test_a_missing_inbox_is_an_empty_one(tmp_path: Path) -> None:
    assert approval.collect(tmp_path / "none", make_plan()) == []


def test_a_plan_file_cannot_ask_for_less_than_the_inventory(inventory: Inventory) -> None:
    weaker = msgspec.structs.replace(make_plan(), policy=Policy())
    council = msgspec.structs.replace(
        inventory, approvals=msgspec.structs.replace(inventory.approvals, low=Policy(role="tpm", quorum=1))
    )
    with pytest.raises(Refused, match="asks for 0 of nobody, the inventory for 1 of tpm"):
        approval.required(weaker, council)


def test_a_plan_file_cannot_claim_less_risk_than_its_faults(inventory: Inventory) -> None:
    action = PlannedAction(
        node="bluefin", fault=ConnectionFlood(), target=Target("bluefin", "k3m9wxyz"), scripts=Scripts("", "", "", ""),
        blast_radius="",
    )  # fmt: skip
    harmless = msgspec.structs.replace(make_plan(risk=Risk.LOW), actions=(action,), policy=Policy())
    with pytest.raises(Refused, match="the plan says risk low, its faults are medium"):
        approval.required(harmless, inventory)


def cast(signer: str, said: str, *, role: str = "council", at_s: float = 0.0, key: str = "", ok: bool = True) -> Judged:
    return Judged(signer, role, said, ok, "" if ok else "expired", at_s + 1800, at_s, key or f"key of {signer}")


A, B, C, D = (f"c{n}@lab" for n in range(1, 5))


def test_a_quorum_of_distinct_principals_suffices() -> None:
    count = tally([cast(A, "for"), cast(B, "for"), cast(C, "for")], COUNCIL, "op")
    assert (count.sufficient, count.have, count.need) == (True, 3, 3)
    assert count.summary.startswith("3 of 3 council: c1@lab, c2@lab, c3@lab until ")


def test_one_principal_counts_once() -> None:
    assert tally([cast(A, "for")] * 3, COUNCIL, "op").have == 1


def test_one_key_counts_once_under_several_names() -> None:
    assert tally([cast(name, "for", key="K") for name in (A, B, C)], COUNCIL, "op").have == 1


def test_the_operators_vote_never_counts() -> None:
    assert tally([cast(A, "for"), cast(B, "for"), cast("op", "for")], COUNCIL, "op").have == 2


def test_a_vote_of_another_role_does_not_count() -> None:
    assert tally([cast(A, "for", role="tpm")], COUNCIL, "op").have == 0


def test_more_must_be_for_than_against() -> None:
    votes = [cast(A, "for"), cast(B, "against")]
    count = tally(votes, Policy(role="council", quorum=1), "op")
    assert (count.sufficient, count.summary) == (False, "1 for, 1 against: more for than against is needed")


def test_an_abstention_is_neither_for_nor_against() -> None:
    assert tally([cast(A, "for"), cast(B, "abstain")], Policy(role="council", quorum=1), "op").sufficient
    assert not tally([cast(A, "abstain")], Policy(role="council", quorum=1), "op").sufficient


@pytest.mark.parametrize("order", [1, -1])
def test_the_latest_vote_of_a_signer_counts(order: int) -> None:
    votes = [cast(A, "for", at_s=1.0), cast(A, "against", at_s=2.0)][::order]
    assert tally(votes, Policy(role="council", quorum=1), "op").have == 0


def test_an_older_vote_does_not_come_back_when_the_newer_expires() -> None:
    votes = [cast(A, "for", at_s=1.0), cast(A, "against", at_s=2.0, ok=False)]
    assert tally(votes, Policy(role="council", quorum=1), "op").have == 0


def test_a_refused_vote_does_not_count() -> None:
    assert tally([cast(A, "for", ok=False)], Policy(role="council", quorum=1), "op").have == 0


def test_a_forged_vote_replaces_nothing() -> None:
    forged = msgspec.structs.replace(cast(A, "against", at_s=2.0, ok=False), key="")
    assert tally([cast(A, "for", at_s=1.0), forged], Policy(role="council", quorum=1), "op").have == 1


def test_the_summary_names_who_is_missing() -> None:
    assert tally([], TPM, "op", ["tpm@lab", "op"]).summary == "missing: 1 of tpm (tpm@lab)"
    count = tally([cast(A, "for"), cast(B, "against")], COUNCIL, "op", [A, B, C, D])
    assert count.summary == "missing: 2 of council (c3@lab, c4@lab); against: c2@lab"


def test_no_quorum_means_no_approval_is_needed() -> None:
    assert tally([], Policy(), "op").sufficient


def test_the_key_tells_whose_it_is(keys: Path, inventory: Inventory) -> None:
    signers = inventory.approvals.allowed_signers
    assert ssh_signature.principals_of(keys / "tpm@lab.pub", signers) == ["tpm@lab"]
    assert ssh_signature.principals_of(keys / "stranger.pub", signers) == []
    assert ssh_signature.principals_of(keys / "none.pub", signers) == []


def test_a_key_that_cannot_sign_is_refused_in_one_sentence(tmp_path: Path) -> None:
    key = tmp_path / "broken"
    key.write_text("no key")
    with pytest.raises(ssh_signature.SignatureError, match="broken does not sign: "):
        ssh_signature.sign(b"text", key)


def test_a_missing_key_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such key file"):
        ssh_signature.sign(b"text", tmp_path / "none")
