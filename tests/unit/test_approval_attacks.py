"""Attacks on approvals: each is made for real with ssh-keygen, and refused in one sentence that says why."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from console.errors import BadInput, Refused
from console.plan import approval, ssh_signature
from console.record import report, sections
from console.state import newest_approvals
from console.terms import Risk
from tests.unit.approvals import COUNCIL, OPERATOR, SPARE, STRANGER, TPM, Ring, edited, known, later, make_keys
from tests.unit.runs import started

Attack = Callable[[Ring], None]
C1, C2, C3 = COUNCIL


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return folder


@pytest.fixture
def ring(keys: Path, tmp_path: Path) -> Ring:
    return Ring(tmp_path, keys)


def expired(ring: Ring) -> None:
    ring.put(ring.signed(at=later(-1801)))


def not_yet_valid(ring: Ring) -> None:
    ring.put(ring.signed(at=later(60)))


def ends_before_it_begins(ring: Ring) -> None:
    ring.put(ring.signed(at=later(-1), valid_s=-60))


def valid_for_ten_years(ring: Ring) -> None:
    ring.put(ring.signed(valid_s=10 * 365 * 86_400))


def of_an_earlier_run(ring: Ring) -> None:
    given = Ring(ring.folder / "other", ring.keys, run="zzzzzzzz").signed()
    ring.put(given)


def of_an_earlier_run_with_the_run_id_edited(ring: Ring) -> None:
    given = Ring(ring.folder / "other", ring.keys, run="zzzzzzzz").signed()
    ring.put(edited(given, run=ring.run, digest=ring.plan.digest))


def scenario_edited_by_one_character(ring: Ring) -> None:
    ring.put(ring.signed())
    ring.purpose = ring.purpose.replace("back.", "back!")


def signature_over_another_digest(ring: Ring) -> None:
    ring.put(edited(ring.signed(), digest="0" * 64))


def right_digest_over_a_signature_of_another(ring: Ring) -> None:
    other = Ring(ring.folder / "other", ring.keys, purpose="Harmless.").signed()
    ring.put(edited(other, digest=ring.plan.digest))


def vote_flipped(ring: Ring) -> None:
    ring.put(edited(ring.signed(vote="against"), vote="for"))


def time_extended(ring: Ring) -> None:
    ring.put(edited(ring.signed(at=later(-1801)), not_after="2026-11-21T15:00:00Z"))


def signer_renamed(ring: Ring) -> None:
    ring.put(edited(ring.signed(STRANGER), signer=TPM))


def in_another_namespace(ring: Ring) -> None:
    document = approval.write_document(ring.plan, TPM, "for", ring.now, 1800)
    done = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-n", "git", "-f", ring.keys / TPM],
        input=approval.canonical(document), capture_output=True, check=True,
    )  # fmt: skip
    ring.put(approval.Approval(document, done.stdout.decode()))


def by_an_unknown_key(ring: Ring) -> None:
    ring.put(ring.signed(TPM, key=STRANGER))


def by_another_ones_key(ring: Ring) -> None:
    ring.put(ring.signed(TPM, key=C1))


def by_the_operator(ring: Ring) -> None:
    ring.put(ring.signed(OPERATOR))


def by_the_operator_under_a_second_name(ring: Ring) -> None:
    ring.signers.write_text(ring.signers.read_text() + known(ring.keys, TPM, OPERATOR))
    ring.put(ring.signed(TPM, key=OPERATOR))


def by_one_of_another_role(ring: Ring) -> None:
    ring.put(ring.signed(C1))


def a_launch_by_another(ring: Ring) -> None:
    ring.put(ring.signed(TPM, "launch"))


def the_launch_as_an_approval(ring: Ring) -> None:
    ring.put(ring.signed(OPERATOR, "launch"))


def by_a_revoked_key(ring: Ring) -> None:
    ring.revoked = str(ring.keys / f"{TPM}.pub")
    ring.put(ring.signed())


def with_the_list_of_revoked_keys_gone(ring: Ring) -> None:
    ring.revoked = str(ring.folder / "gone")
    ring.put(ring.signed())


def by_a_certificate_of_an_authority(ring: Ring) -> None:
    ring.signers.write_text(known(ring.keys, TPM, SPARE, ",cert-authority"))
    for file in (STRANGER, f"{STRANGER}.pub"):
        (ring.folder / file).write_bytes((ring.keys / file).read_bytes())
        (ring.folder / file).chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-s", ring.keys / SPARE, "-I", "x", "-n", TPM, ring.folder / f"{STRANGER}.pub"],
        check=True, capture_output=True,
    )  # fmt: skip
    document = approval.write_document(ring.plan, TPM, "for", ring.now, 1800)
    ring.put(approval.sign(document, ring.folder / f"{STRANGER}-cert.pub"))


def by_a_key_that_a_pattern_lets_in(ring: Ring) -> None:
    ring.signers.write_text(known(ring.keys, f"*@lab,!{OPERATOR}", C1))
    ring.put(ring.signed(TPM, key=C1))


def with_allowed_signers_writable_by_everyone(ring: Ring) -> None:
    ring.signers.chmod(0o646)
    ring.put(ring.signed())


def with_allowed_signers_in_a_folder_writable_by_everyone(ring: Ring) -> None:
    ring.folder.chmod(0o777)
    ring.put(ring.signed())


def stripped(ring: Ring) -> None:
    ring.put(approval.Approval(ring.signed().document, ""))


def garbage(ring: Ring) -> None:
    ring.put(approval.Approval(ring.signed().document, "-----BEGIN SSH SIGNATURE-----\nAAAA\n"))


def torn(ring: Ring) -> None:
    ring.put_text(approval.encode(ring.signed())[:-40])


def signature_torn(ring: Ring) -> None:
    given = ring.signed()
    ring.put(approval.Approval(given.document, given.signature[:120]))


def empty(ring: Ring) -> None:
    ring.put_text(b"")


def huge(ring: Ring) -> None:
    ring.put_text(approval.encode(ring.signed()) + b" " * approval.MAX_BYTES)


def binary(ring: Ring) -> None:
    ring.put_text(bytes(range(256)) * 4)


def deeply_nested(ring: Ring) -> None:
    ring.put_text(b"[" * 60_000)


def a_lone_surrogate(ring: Ring) -> None:
    ring.put_text(approval.encode(ring.signed()).replace(b"-----BEGIN", b"\\ud800-----BEGIN"))


def with_extra_text(ring: Ring) -> None:
    ring.put_text(approval.encode(ring.signed()) + b"Sent from my phone\r\n")


def with_an_extra_field(ring: Ring) -> None:
    said = json.loads(approval.encode(ring.signed()))
    said["document"]["role"] = "council"
    ring.put_text(json.dumps(said).encode())


def with_a_vote_that_is_none(ring: Ring) -> None:
    ring.put_text(approval.encode(ring.signed()).replace(b'"vote": "for"', b'"vote": "FOR"'))


def with_a_time_that_is_none(ring: Ring) -> None:
    ring.put_text(approval.encode(ring.signed()).replace(b"2026-11-21T14:33:00Z", b"2026-13-41T14:33:00Z"))


def a_symbolic_link(ring: Ring) -> None:
    elsewhere = ring.folder / "elsewhere"
    elsewhere.write_bytes(approval.encode(ring.signed()))
    (ring.inbox / f"{ring.run}.{TPM}.approval").symlink_to(elsewhere)


def a_pipe(ring: Ring) -> None:
    os.mkfifo(ring.inbox / f"{ring.run}.{TPM}.approval")


ATTACKS: dict[Attack, str] = {
    expired: "expired at 2026-11-21T14:02:59Z",
    not_yet_valid: "not yet valid: it begins at 2026-11-21T14:04:00Z",
    ends_before_it_begins: "expired at 2026-11-21T14:01:59Z",
    valid_for_ten_years: "valid for longer than 7 days",
    of_an_earlier_run: "it is for another run, zzzzzzzz",
    of_an_earlier_run_with_the_run_id_edited: "the document was changed after it was signed",
    scenario_edited_by_one_character: "for another plan: this one was changed",
    signature_over_another_digest: "for another plan",
    right_digest_over_a_signature_of_another: "the document was changed after it was signed",
    vote_flipped: "the document was changed after it was signed",
    time_extended: "the document was changed after it was signed",
    signer_renamed: "the document was changed after it was signed",
    in_another_namespace: "not in the namespace gameday-approval@1",
    by_an_unknown_key: "the key is unknown",
    by_another_ones_key: "the key is that of c1@lab, not of tpm@lab",
    by_the_operator: "the operator cannot approve an own run",
    by_the_operator_under_a_second_name: "the key of the operator",
    by_one_of_another_role: "c1@lab is not in the role 'tpm'",
    a_launch_by_another: "only the operator operator@lab launches",
    the_launch_as_an_approval: "",
    by_a_revoked_key: "the key of tpm@lab is revoked",
    with_the_list_of_revoked_keys_gone: "gone cannot be read",
    by_a_certificate_of_an_authority: "who holds a certificate authority can sign as others",
    by_a_key_that_a_pattern_lets_in: "a pattern lets one key sign under many names",
    with_allowed_signers_writable_by_everyone: "may be written by everyone",
    with_allowed_signers_in_a_folder_writable_by_everyone: "may be replaced by everyone",
    stripped: "not a good signature",
    garbage: "not a good signature",
    torn: "not an approval",
    signature_torn: "not a good signature",
    empty: "not an approval",
    huge: "too large for an approval",
    binary: "not an approval",
    deeply_nested: "not an approval",
    a_lone_surrogate: "not an approval",
    with_extra_text: "not an approval",
    with_an_extra_field: "unknown field `role`",
    with_a_vote_that_is_none: "Invalid enum value 'FOR'",
    with_a_time_that_is_none: "2026-13-41",
    a_symbolic_link: "is a symbolic link",
    a_pipe: "not a regular file",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_a_forged_or_stale_approval_is_refused_with_its_reason(ring: Ring, attack: Attack) -> None:
    (ring.folder / "other").mkdir()
    attack(ring)
    sufficient, summary, seen = await ring.asked()
    why = ATTACKS[attack]
    assert not sufficient
    assert summary == "missing: 1 of tpm (tpm@lab)"
    assert len(seen) == 1
    if why:
        assert not seen[0].accepted
        assert why in seen[0].why
        assert seen[0].why.isprintable()
        assert len(seen[0].why) < 300
    else:
        assert seen[0].role == "operator"


async def test_the_same_ring_without_an_attack_is_approved(ring: Ring) -> None:
    ring.put(ring.signed())
    assert (await ring.asked())[0]


async def test_line_ends_and_spaces_of_a_mail_change_nothing(ring: Ring) -> None:
    ring.put_text(b"\r\n " + approval.encode(ring.signed()).replace(b"\n", b"\r\n"))
    assert (await ring.asked())[0]


async def test_low_risk_needs_no_approval(ring: Ring) -> None:
    ring.risk = Risk.LOW
    assert (await ring.asked())[:2] == (True, "low risk: the operator approves by launching")


# ---- the council


@pytest.fixture
def council(ring: Ring) -> Ring:
    ring.risk = Risk.HIGH
    return ring


async def test_two_of_the_council_suffice(council: Ring) -> None:
    council.council(C1, C2)
    sufficient, summary, _ = await council.asked()
    assert (sufficient, summary.partition(" until ")[0]) == (True, "2 of 2 council: c1@lab, c2@lab")


def one_person_with_two_names(ring: Ring) -> None:
    ring.signers.write_text(ring.signers.read_text() + known(ring.keys, C2, C1))
    ring.council(C1)
    ring.put(ring.signed(C2, key=C1))


def one_person_with_two_keys(ring: Ring) -> None:
    ring.signers.write_text(ring.signers.read_text() + known(ring.keys, C1, SPARE))
    ring.council(C1)
    ring.put(ring.signed(C1, key=SPARE), "c1-again@lab")


def one_person_with_names_and_keys_in_a_chain(ring: Ring) -> None:
    ring.signers.write_text(ring.signers.read_text() + known(ring.keys, f"{C1},{C3}", SPARE))
    ring.put(ring.signed(C1))
    ring.put(ring.signed(C3))
    ring.put(ring.signed(C1, key=SPARE), "z@lab")
    ring.put(ring.signed(C3, key=SPARE), "zz@lab")


def the_same_vote_twice(ring: Ring) -> None:
    ring.council(C1)
    ring.put(ring.signed(C1, at=later(-5)), "c1-again@lab")


def for_and_against_in_the_same_second(ring: Ring) -> None:
    ring.council(C1, C2)
    ring.put(ring.signed(C2, "against"), "a@lab")


def for_and_against_in_the_same_second_the_other_way_round(ring: Ring) -> None:
    ring.council(C1, C2)
    ring.put(ring.signed(C2, "against"), "z@lab")


def against_after_for_by_another_key_of_the_same_person(ring: Ring) -> None:
    ring.signers.write_text(ring.signers.read_text() + known(ring.keys, C2, SPARE))
    ring.put(ring.signed(C1, at=later(-60)))
    ring.put(ring.signed(C2, at=later(-60)))
    ring.put(ring.signed(C2, "against", key=SPARE), "z@lab")


def as_many_against_as_for(ring: Ring) -> None:
    ring.roles = (C1, C2, C3, TPM)
    ring.council(C1, C2)
    ring.council(C3, TPM, vote="against")


def abstentions_taken_for_votes_for(ring: Ring) -> None:
    ring.council(C1)
    ring.council(C2, C3, vote="abstain")


def with_the_operator_in_the_council(ring: Ring) -> None:
    ring.roles = (C1, C2, OPERATOR)
    ring.council(C1)
    ring.put(ring.signed(OPERATOR))


def a_vote_against_hidden_behind_a_forgery_with_its_signature(ring: Ring) -> None:
    ring.roles = (C1, C2, C3, TPM)
    ring.council(C1, C2)
    ring.council(C3, vote="against")
    against = ring.signed(TPM, "against")
    ring.put(against)
    ring.put(edited(against, not_after="2026-11-21T14:34:00Z"), "z@lab")


def a_vote_against_hidden_behind_a_flood_of_files(ring: Ring) -> None:
    ring.roles = (C1, C2, C3, TPM)
    ring.council(C1, C2)
    for number in range(approval.MAX_FILES):
        ring.put_text(b"", f"a{number:03}")


CROWD: dict[Attack, str] = {
    one_person_with_two_names: "missing: 1 of council",
    one_person_with_two_keys: "missing: 1 of council",
    one_person_with_names_and_keys_in_a_chain: "missing: 1 of council",
    the_same_vote_twice: "missing: 1 of council",
    for_and_against_in_the_same_second: "missing: 1 of council (c3@lab); against: c2@lab",
    for_and_against_in_the_same_second_the_other_way_round: "missing: 1 of council (c3@lab); against: c2@lab",
    against_after_for_by_another_key_of_the_same_person: "missing: 1 of council (c3@lab); against: c2@lab",
    as_many_against_as_for: "2 for, 2 against: more for than against is needed",
    abstentions_taken_for_votes_for: "missing: 1 of council",
    with_the_operator_in_the_council: "missing: 1 of council (c2@lab)",
    a_vote_against_hidden_behind_a_forgery_with_its_signature: "2 for, 2 against",
    a_vote_against_hidden_behind_a_flood_of_files: "files for this run, more than 200: clear it",
}


@pytest.mark.parametrize("attack", CROWD, ids=lambda attack: attack.__name__)
async def test_a_quorum_cannot_be_talked_up(council: Ring, attack: Attack) -> None:
    attack(council)
    sufficient, summary, _ = await council.asked()
    assert (sufficient, CROWD[attack] in summary) == (False, True), summary


async def test_a_vote_against_that_was_seen_stays_when_its_file_is_taken_away(council: Ring) -> None:
    council.roles = (C1, C2, C3, TPM)
    council.council(C3, TPM, vote="against")
    preparation, recorder = council.preparation()
    await preparation.look_at_approvals()
    for file in council.inbox.iterdir():
        file.unlink()
    council.council(C1, C2)
    await preparation.look_at_approvals()
    settled = recorder.state.approval
    assert settled
    assert (settled.sufficient, settled.summary) == (False, "2 for, 2 against: more for than against is needed")
    await recorder.close()


# ---- between the approval and the injection


async def test_an_approval_that_ends_before_the_injection_no_longer_holds(ring: Ring) -> None:
    ring.put(ring.signed())
    preparation, recorder = ring.preparation()
    await preparation.look_at_approvals()
    assert recorder.state.approval
    assert recorder.state.approval.sufficient
    assert not await preparation.approvals_hold()
    ring.now = later(1800)
    assert await preparation.approvals_hold() == "missing: 1 of tpm (tpm@lab)"
    await recorder.close()


async def test_a_key_that_is_revoked_after_the_approval_no_longer_holds_at_inject(ring: Ring) -> None:
    revoked = ring.folder / "revoked"
    revoked.write_text("")
    ring.revoked = str(revoked)
    ring.put(ring.signed())
    preparation, recorder = ring.preparation()
    assert not await preparation.approvals_hold()
    revoked.write_text((ring.keys / f"{TPM}.pub").read_text())
    assert await preparation.approvals_hold() == "missing: 1 of tpm (tpm@lab)"
    await recorder.close()


@pytest.mark.parametrize(("key", "why"), [(C1, "the key is that of c1@lab, not of operator@lab"), ("none", "no such")])
async def test_a_launch_that_the_operators_key_does_not_sign_is_refused(ring: Ring, key: str, why: str) -> None:
    ring.put(ring.signed())
    ring.operator_key = key
    preparation, recorder = ring.preparation()
    blocker = await preparation.sign_launch()
    assert blocker
    assert why in blocker.what
    assert not recorder.state.approvals
    await recorder.close()


def test_a_plan_file_that_was_edited_after_signing_cannot_lower_the_quorum(council: Ring) -> None:
    council.risk = Risk.HIGH
    plan, inventory = council.plan, council.inventory
    council.risk = Risk.MEDIUM
    with pytest.raises(Refused, match="the plan asks for 1 of tpm, the inventory for 2 of council"):
        approval.required(council.plan, inventory)
    assert approval.required(plan, inventory).quorum == 2


async def test_a_pasted_text_that_is_no_approval_is_refused_and_a_good_one_counts(ring: Ring) -> None:
    preparation, recorder = ring.preparation()
    for text in ("", "hello", approval.encode(ring.signed()).decode() + "Regards, Tim"):
        with pytest.raises(BadInput, match="the pasted text:1: not an approval"):
            await preparation.accept(text)
    await preparation.accept(approval.encode(ring.signed()).decode().replace("\n", "\r\n"))
    assert recorder.state.approval
    assert recorder.state.approval.sufficient
    await recorder.close()


@pytest.mark.parametrize("attack", ["foreign", "folder"])
def test_allowed_signers_that_others_own_are_not_trusted(
    ring: Ring, monkeypatch: pytest.MonkeyPatch, attack: str
) -> None:
    if attack == "foreign":
        me = os.geteuid()
        # Root's own file is trusted by everyone: then root's is made someone else's.
        if me == 0:
            os.chown(ring.signers, 65534, -1)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: me + 1)
        assert "belongs to another user" in ssh_signature.keys_trouble(str(ring.signers))
    else:
        assert "is not a regular file" in ssh_signature.keys_trouble(str(ring.inbox))


# ---- what stays with the run


async def test_a_second_vote_with_a_new_end_is_told_and_replaces_the_first(ring: Ring) -> None:
    preparation, recorder = ring.preparation()
    ring.put(ring.signed())
    await preparation.look_at_approvals()
    ring.now = later(60)
    ring.put(ring.signed(at=later(60)))
    await preparation.look_at_approvals()
    newest = newest_approvals(recorder.state)
    assert [(seen.signer, seen.vote, seen.not_after_s) for seen in newest] == [(TPM, "for", later(1860).timestamp())]
    await recorder.close()


async def test_every_true_vote_can_be_judged_again_from_what_the_run_keeps(council: Ring) -> None:
    council.council(C1, C2)
    council.council(C3, vote="against")
    council.put(edited(council.signed(C1), vote="against"), "forged")
    preparation, recorder = council.preparation()
    await preparation.look_at_approvals()
    kept = preparation.authentic()
    assert sorted((one.document.signer, one.document.vote) for one in kept) == [
        (C1, "for"), (C2, "for"), (C3, "against"),
    ]  # fmt: skip
    assert all(approval.judge(one, council.plan, council.inventory, council.now).accepted for one in kept)
    await recorder.close()


async def test_runs_show_tells_who_signed_what_until_when_and_why_not(council: Ring) -> None:
    council.council(C1, C2)
    council.council(C3, vote="against", at=later(-60))
    council.put(council.signed(STRANGER))
    preparation, recorder = council.preparation()
    await recorder.emit(started())
    await preparation.look_at_approvals()
    assert await preparation.sign_launch() is None
    state = recorder.state
    lines = sections.approvals(state).lines
    assert lines[0].startswith("2 of 2 council: c1@lab, c2@lab until ")
    told = "\n".join(lines)
    assert "✓ for: c1@lab (council), until 2026-11-21 14:33:00 UTC, key SHA256:" in told
    assert "✗ against: c3@lab (council), until 2026-11-21 14:32:00 UTC" in told
    assert f"✗ refused: {STRANGER}, for: the key is unknown" in told
    assert "✓ launch: operator@lab (operator), until 2026-11-21 14:13:00 UTC" in told
    assert "\nApproval\n" in report.plain(state)
    await recorder.close()
