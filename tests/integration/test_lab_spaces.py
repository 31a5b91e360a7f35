"""Nodes of the embedded lab with networks, processes, firewalls and small disks of their own."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.lab import embedded, spaces
from console.lab.layout import LabLayout
from console.lab.processes import marked
from console.lab.remains import Facts, read_facts
from tests.lab import Lab, lab_in

ASK_GATEWAY = "/usr/bin/env python3 -c 'import urllib.request as u; print(u.urlopen(\"{}\", timeout=1).status)'"
ASK_DATABASE = "psql -w -XAt -h {} -U app federation -c 'select inet_client_addr()'"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab_in(tmp_path_factory.mktemp("spaces")) as lab:
        assert embedded.status(lab.dir).shared == "", "this machine must allow namespaces for this test"
        yield lab


def facts(root: Path) -> Facts:
    found = read_facts(LabLayout(root))
    assert found
    return found


def links() -> list[str]:
    return sorted(os.listdir("/sys/class/net"))


def test_a_node_has_its_own_name_processes_and_addresses(lab: Lab) -> None:
    for node, spec in lab.inventory.nodes.items():
        name, user, first, address = lab.ssh(
            node,
            "hostname; id -u; tr '\\0' ' ' </proc/1/cmdline | cut -d' ' -f2 | xargs basename; ip -br -4 addr show eth0",
        ).splitlines()
        assert (name, user, first) == (node, "0", "node_space.sh")
        assert spec.peer_address + "/24" in address
        assert node in lab.ssh(node, f"grep {spec.peer_address} /etc/hosts")
    pids = {lab.show("redfin", "llm-gateway", "MainPID"), lab.ssh("redfin", "pgrep -f '[g]ateway:app'").strip()}
    assert len(pids) == 1


def test_services_reach_each_other_by_their_nodes_addresses(lab: Lab) -> None:
    nodes = lab.inventory.nodes
    assert lab.psql("select distinct client_addr from pg_stat_activity where usename = 'app'") == (
        nodes["redfin"].peer_address
    )
    for target in (nodes["redfin"].peer_address, "redfin"):
        assert lab.ssh("greenfin", ASK_GATEWAY.format(f"http://{target}:8080/health")) == "200\n"
    assert lab.ssh("redfin", ASK_DATABASE.format(nodes["bluefin"].peer_address)).strip() == nodes["redfin"].peer_address


def test_a_nodes_firewall_is_its_own_and_never_cuts_its_way_in(lab: Lab) -> None:
    bluefin = lab.inventory.nodes["bluefin"].peer_address
    ask = f"timeout 2 {ASK_DATABASE.format(bluefin)} || echo cut"
    lab.ssh("redfin", f"iptables -I OUTPUT -d {bluefin} -j DROP; iptables -I INPUT -p tcp --dport 22 -j DROP")
    try:
        assert lab.ssh("redfin", ask) == "cut\n"
        assert "DROP" not in lab.ssh("bluefin", "iptables-save; ip6tables-save")
    finally:
        lab.ssh("redfin", "iptables -F")
    assert "cut" not in lab.ssh("redfin", ask)


def test_a_nodes_disk_is_small_and_really_full_when_it_is(lab: Lab) -> None:
    told = lab.ssh(
        "redfin", "head -c 100000000 /dev/zero 2>&1 >/tmp/filler; df -kP /tmp | tail -n 1; echo kept; rm /tmp/filler"
    )
    assert "No space left on device" in told
    assert "65536 " in told
    assert not Path("/tmp/filler").exists()
    assert lab.ssh("bluefin", "df -kP /tmp | tail -n 1").split()[2] == "0"
    assert lab.ssh("redfin", "touch /run/mine && rm /run/mine") == ""


def test_each_store_has_a_small_disk_of_its_own_in_the_labs_folder_and_only_there(lab: Lab) -> None:
    paths = [store.path for store in lab.inventory.stores.values()]
    assert len(paths) == 2
    for path in paths:
        kind, size_kb = lab.ssh("bluefin", f"stat -f -c %T {path}; df -kP {path} | tail -n 1").split()[:3:2]
        assert (kind, size_kb, path in lab.inventory.nodes["bluefin"].disks) == ("tmpfs", "10240", True)
        assert Path(path).is_relative_to(lab.dir)
        assert not list(Path(path).iterdir()), "nothing is written below the disk"


def test_a_store_is_locked_for_who_opens_it_a_second_time(lab: Lab) -> None:
    words = shlex.join(lab.inventory.stores["sigil"].open)
    assert "is LOCKED by another process" in lab.ssh("bluefin", f"{words} 2>&1 >/dev/null && exit 9 || true")


def test_a_command_is_told_of_its_connection_as_by_sshd(lab: Lab) -> None:
    client, client_port, server, port = lab.ssh("redfin", "echo $SSH_CONNECTION").split()
    assert (client, server, int(port)) == ("127.0.0.1", "127.0.0.1", lab.inventory.nodes["redfin"].port)
    assert int(client_port) > 0


def test_nothing_of_the_labs_network_is_on_the_machine(lab: Lab) -> None:
    assert not {"lab0", "redfin", "bluefin", "greenfin"} & set(links())
    assert str(lab.dir) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("victim", ["unshare", "sh", "console.lab.node"])
def test_a_killed_node_takes_all_its_processes_and_the_lab_with_it(tmp_path: Path, victim: str) -> None:
    lab = Lab(tmp_path)
    embedded.up(lab.dir, lease_s=3)
    known = facts(lab.dir)
    detached = "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!"
    assert int(lab.ssh("redfin", detached)) > 0
    chain = {
        words[0] if words[0] in ("unshare", "sh") else words[2]: pid
        for pid in marked(known.id)
        if "redfin" in (words := Path(f"/proc/{pid}/cmdline").read_text().split("\0")) and "console.lab.node" in words
    }
    os.kill(chain[victim], signal.SIGKILL)
    assert lab.wait_until(lambda: not marked(known.id) and not embedded.status(lab.dir).up, 10.0)
    embedded.down(lab.dir)


def test_where_a_program_is_missing_the_nodes_share_the_machine_and_the_lab_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = LabLayout(tmp_path)
    assert spaces.probe(lab) == spaces.Allowed()
    denied = tmp_path / "bin"
    denied.mkdir()
    (denied / "unshare").write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    (denied / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{denied}:{os.environ['PATH']}")
    reason = "this machine denies namespaces to ordinary users: unshare failed: Operation not permitted"
    assert spaces.probe(lab) == spaces.Allowed(reason)
    monkeypatch.setenv("PATH", str(denied))
    assert spaces.probe(lab).shared == "the program mount is missing (Debian package mount)"


def test_without_a_firewall_the_nodes_have_a_network_and_the_lab_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "iptables").write_text("#!/bin/sh\necho 'no nf_tables here' >&2\nexit 4\n")
    (tmp_path / "iptables").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert spaces.probe(LabLayout(tmp_path)) == spaces.Allowed(open="iptables: no nf_tables here")


def test_nodes_that_share_the_machine_never_touch_its_firewall(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    embedded.up(lab.dir, shared=True)
    try:
        state = embedded.status(lab.dir)
        assert (state.up, state.shared) == (True, "asked for with --shared")
        for program in ("iptables -S", "ip6tables -S", "iptables-save", "ip6tables-restore"):
            said = lab.ssh("redfin", f"{program} 2>&1 || echo refused")
            assert said == "this node has no firewall of its own: asked for with --shared\nrefused\n"
        assert lab.inventory.nodes["redfin"].peer_address == ""
    finally:
        embedded.down(lab.dir)


def test_the_status_says_in_one_line_what_the_nodes_have_of_their_own(lab: Lab) -> None:
    told = lab.inside("lab", "status", "--dir", str(lab.dir)).out
    assert "each node has its own network, firewall and small disk" in told
