"""Attacks on approvals: each is made for real with ssh-keygen, and refused in one sentence that says why."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

import pytest

from console.plan import approval
from console.terms import Risk
from tests.unit.approvals import COUNCIL, OPERATOR, SPARE, STRANGER, TPM, Ring, edited, known, later

Attack = Callable[[Ring], None]
C1, C2, C3 = COUNCIL


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
