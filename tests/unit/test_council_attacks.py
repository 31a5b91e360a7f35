"""Attacks on a council's quorum, and on what lies between an approval and the injection; what stays with the run."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from console.errors import BadInput, Refused
from console.plan import approval, ssh_signature
from console.record import report, sections
from console.state import newest_approvals
from console.terms import Risk
from tests.unit.approvals import COUNCIL, OPERATOR, SPARE, STRANGER, TPM, Ring, edited, known, later
from tests.unit.runs import started

Attack = Callable[[Ring], None]
C1, C2, C3 = COUNCIL


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
