"""What nodes say that they have: one question, answered by real shells, with and without sudo and systemd."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.errors import NodeUnreachable
from console.nodes.capabilities import capabilities
from console.nodes.ssh import SshNode
from console.terms import Status
from tests.integration.endpoint import endpoint
from tests.integration.sites import Site
from tests.lab import Lab

NO_SUDO = "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n"


def refusing_sudo(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "sudo").write_text(NO_SUDO)
    (folder / "sudo").chmod(0o755)


@contextmanager
def asking_for_sudo(lab: Lab) -> Iterator[Path]:
    """An inventory whose redfin is reached by sudo, which refuses."""
    program = lab.dir / "redfin" / "bin" / "sudo"
    refusing_sudo(program.parent)
    inventory = lab.dir / "with-sudo.yaml"
    inventory.write_text(lab.inventory_file.read_text().replace("sudo: false", "sudo: true", 1))
    try:
        yield inventory
    finally:
        program.unlink()
        inventory.unlink()


async def test_a_node_says_what_it_has_in_one_command(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    said = await capabilities(site.node)
    systemd = Status.PASS if site.command("x") != ["x"] else Status.FAIL
    assert (said["sh"].status, said["awk"].status, said["mkfifo"].status) == (Status.PASS,) * 3
    assert (said["systemd-guard"].status, said["own-boot"].status) == (systemd, systemd)
    assert bool(said["own-boot"].said) == (systemd is Status.FAIL)


async def test_a_refused_sudo_is_the_lack_and_programs_are_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing_sudo(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    async with endpoint(tmp_path) as on:
        node = SshNode("redfin", on.spec(sudo=True))
        said = await capabilities(node)
        await node.close()
    assert (said["sudo"].status, said["sudo"].said) == (Status.FAIL, "sudo: a password is required")
    assert said["awk"].status is Status.PASS
    assert (said["firewall"].status, said["firewall"].said) == (Status.UNKNOWN, "only root can tell")


async def test_a_node_that_is_gone_says_nothing(tmp_path: Path) -> None:
    async with endpoint(tmp_path) as on:
        spec = on.spec()
    node = SshNode("redfin", spec)
    with pytest.raises(NodeUnreachable):
        await capabilities(node)
    await node.close()


def test_doctor_tells_for_each_experiment_and_node_what_is_ready(lab: Lab) -> None:
    done = lab.gameday("doctor")
    assert done.code in (0, 3), str(done)  # what the lab's nodes can do depends on the machine
    heads, *rows = done.out.partition("\n\n")[2].splitlines()
    cells = {row.split("  ")[0]: [cell.strip() for cell in row.split("  ")[1:] if cell] for row in rows}
    assert heads.split()[-3:] == ["redfin", "bluefin", "greenfin"]
    assert cells["llm-gateway-kill"] == ["✓ ready", "-", "-"]
    assert cells["pg-connection-exhaustion"] == ["-", "✓ ready", "-"]


def test_what_a_node_lacks_is_told_before_and_refused_at_the_launch(lab: Lab) -> None:
    with asking_for_sudo(lab) as inventory:
        looked = lab.gameday("doctor", "--inventory", str(inventory))
        ran = lab.gameday("run", "llm-gateway-kill", "--attest", "all", "--json", "--inventory", str(inventory))
    assert looked.code == 3
    assert "✗ llm-gateway-kill: redfin lacks sudo: sudo: a password is required; let the account use" in looked.out
    assert "✗ lacks sudo" in looked.out
    assert (ran.code, ran.result["outcome"], ran.result["reason"]) == (3, "not-run", "refused"), str(ran)
