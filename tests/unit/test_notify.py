"""People are told how a run ended, by a real receiver on the loopback; no secret is told, and nothing is held up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from console import events as ev
from console import notify
from console.cli import main
from console.errors import BadInput
from console.notify.sender import without_secrets
from console.plan.inventory import Notifications, load_inventory
from console.state import RunState, fold
from console.terms import Outcome, Reason
from tests.receiver import SECRET, Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def concluded() -> RunState:
    started = ev.RunStarted(
        at_s=1, run="abcdefgh", scenario="worker-kill", title="t", risk="low", digest="d", operator="ann",
        inventory="lab", nodes=("bluefin",), targets=("bluefin",), lease_s=3, fault="component-kill on bluefin",
    )  # fmt: skip
    end = ev.Concluded(at_s=2, outcome=Outcome.FAILED, reason=Reason.EXPECTATION, sentence="2 of 3 are there")
    return fold(fold(RunState(), started), end)


async def test_everybody_gets_it_from_urls_a_private_file_and_a_command_and_who_does_not_is_named_without_secrets(
    receiver: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "urls"
    file.write_text(f"# ours\n{receiver.url('file')}\n")
    file.chmod(0o600)
    settings = Notifications(
        urls=(receiver.url("inventory"), receiver.url(f"full/{SECRET}"), f"nonsense://{SECRET}"),
        file=str(file),
        command=("printf", "%s\n", receiver.url("command")),
    )
    problems = await notify.tell(settings, *notify.told(concluded()))
    assert [got["path"].partition("/")[2].partition("/")[0] for got in receiver.got] == [
        "inventory", "full", "file", "command",
    ]  # fmt: skip
    assert receiver.got[0]["title"] == "gameday: worker-kill FAILED (expectation)"
    assert receiver.got[0]["message"] == (
        "2 of 3 are there\ncomponent-kill on bluefin; run abcdefgh by ann, inventory lab"
    )
    assert len(problems) == 2
    assert problems[0].startswith("not notified by JSON: ")
    assert "507" in problems[0]
    assert problems[1] == "not notified by nonsense: apprise does not understand this URL"
    assert SECRET not in "".join(problems)


async def test_a_receiver_that_never_answers_is_given_up_in_time(receiver: Receiver) -> None:
    slow = Notifications(command=("sleep", "60"), timeout_s=1)
    assert await notify.tell(slow, "t", "b") == ["notifications were not sent: sleep took longer than 1 s"]


async def test_a_file_that_others_may_read_or_that_is_not_there_gives_nothing(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    (missing,) = await notify.tell(Notifications(file=str(file)), "t", "b")
    assert f"{file} cannot be read" in missing
    file.write_text("json://localhost\n")
    file.chmod(0o640)
    (open_to_others,) = await notify.tell(Notifications(file=str(file)), "t", "b")
    assert open_to_others == f"{file} holds secrets and others can read it: chmod 600 {file}"
    assert await notify.tell(Notifications(), "t", "b") == [
        "nobody can be notified: 'notify' in the inventory gives no URL"
    ]


def test_no_word_of_a_url_stays_in_what_is_told_of_it() -> None:
    url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazk%2BcOX/#general?key=hunter22"
    said = "x - ERROR - error=401, url=https://hooks/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazk+cOX general hunter22"
    assert without_secrets(said, url) == "error=401, url=https://hooks/***/***/*** *** ***"


def test_the_inventory_says_who_is_told_and_of_what(tmp_path: Path) -> None:
    file = tmp_path / "inventory.yaml"
    head = "version: 1\nname: x\nnodes: {redfin: {address: 127.0.0.1}}\n"
    file.write_text(head + "notify: {file: urls, on: [unsafe, finished]}\n")
    settings = load_inventory(file).notify
    assert settings
    assert settings.file == str(tmp_path / "urls")
    ends = [outcome for outcome in Outcome if notify.wanted(settings, outcome)]
    assert set(ends) == set(Outcome) - {Outcome.NOT_RUN}
    file.write_text(head + "notify: {on: [sometimes]}\n")
    with pytest.raises(BadInput, match="sometimes"):
        load_inventory(file)


def test_doctor_sends_a_test_message_and_says_who_did_not_get_it(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "inventory.yaml"
    urls = f"[{receiver.url('page')}, {receiver.url('full')}]"
    file.write_text(f"version: 1\nname: x\nnodes: {{redfin: {{address: 127.0.0.1}}}}\nnotify: {{urls: {urls}}}\n")
    done = CliRunner().invoke(main, ["doctor", "--notify", "--inventory", str(file)])
    sent, failed = done.stdout.splitlines()
    assert (done.exit_code, sent, failed.startswith("✗ JSON: ")) == (3, "✓ JSON: sent", True)
    assert [got["title"] for got in receiver.got] == ["gameday: test message"] * 2
    assert SECRET not in done.stdout + done.stderr
