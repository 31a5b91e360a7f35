"""network-partition: real firewalls between real network namespaces. (As root on Linux.)"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.errors import Refused
from console.faults.base import Scripts, Target
from console.faults.network_partition import NetworkPartition
from tests.integration.networks import (
    CONSOLE,
    FIREWALLS,
    NODE,
    PEER,
    PEER6,
    SSH_PORT,
    Said,
    Wired,
    wired,
    works,
)

EXISTING = "iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT"


def scripts_of(*peers: str, run: str = "abcdefgh") -> Scripts:
    target = Target(node="greenfin", run=run, peer="redfin", peers=peers, peer_port=SSH_PORT)
    return NetworkPartition().scripts(target)


BOTH = scripts_of(PEER, PEER6)


@pytest.fixture(params=[firewall for firewall in FIREWALLS if works(firewall)])
def net(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wired]:
    with wired(tmp_path, request.param) as made:
        yield made


def test_both_kinds_of_iptables_are_tried() -> None:
    assert works("nft")


def test_the_peer_is_cut_off_in_both_families_and_both_directions_and_nobody_else(net: Wired) -> None:
    before = net.rules()
    assert net.run(BOTH, "preflight") == Said(0, "")
    assert net.node.answers(PEER, 8080)
    assert net.node.answers(PEER6, 8080)
    assert net.run(BOTH, "inject") == Said(0, "")
    assert not net.node.answers(PEER, 8080)
    assert not net.node.answers(PEER6, 8080)
    assert not net.peer.answers(NODE, 8080)
    assert net.console.answers("10.8.0.1", 8080)
    assert net.run(BOTH, "clean").code == 1
    assert net.run(BOTH, "revert") == Said(0, "")
    assert net.rules() == before
    assert net.node.answers(PEER, 8080)
    assert net.node.answers(PEER6, 8080)
    assert net.run(BOTH, "clean") == Said(0, "")
    assert net.run(BOTH, "revert") == Said(0, "")


def test_the_effect_is_proven_by_silence_and_by_packets_that_our_rules_dropped(net: Wired) -> None:
    net.run(BOTH, "inject")
    effect = net.run(BOTH, "effect")
    assert effect.code == 0, effect.text
    four, six = effect.text.split("; ")
    for text, address in ((four, PEER), (six, PEER6)):
        head, _, numbers = text.partition(": ")
        assert head == f"redfin does not answer at {address}"
        assert int(numbers.split()[0]) > 0, text


def test_an_open_connection_is_cut_whatever_the_firewall_let_through_before(net: Wired) -> None:
    net.node.do(f"PATH={net.path}; {EXISTING}; {EXISTING.replace('INPUT', 'OUTPUT')}")
    before = net.rules()
    talk = (
        "import socket, sys; s = socket.create_connection((sys.argv[1], 8080), 2); s.settimeout(1.5)\n"
        "for line in sys.stdin:\n"
        "  try: s.sendall(b'x'); print(s.recv(9).decode(), flush=True)\n"
        "  except TimeoutError: print('silence', flush=True)\n"
    )
    words = net.node.command(sys.executable, "-c", talk, PEER)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as link:
        assert link.stdin
        assert link.stdout

        def said() -> str:
            print("go", file=link.stdin, flush=True)
            return link.stdout.readline().strip() if link.stdout else ""

        assert said() == "x"
        net.run(BOTH, "inject")
        assert said() == "silence"
        net.run(BOTH, "revert")
        link.stdin.close()
    assert net.rules() == before


def test_a_rule_that_got_before_ours_is_no_effect(net: Wired) -> None:
    net.run(BOTH, "inject")
    net.node.do(f"PATH={net.path}; {EXISTING.replace('-A INPUT', '-I INPUT 1')}")
    assert net.run(BOTH, "effect") == Said(1, "the first rule of INPUT in iptables is not ours")


@pytest.mark.parametrize("way", ["-s", "-d"])
def test_a_missing_rule_is_no_effect(net: Wired, way: str) -> None:
    net.run(BOTH, "inject")
    mark = '-m comment --comment "gameday abcdefgh" -j DROP'
    net.node.do(f"PATH={net.path}; iptables -D GAMEDAY-abcdefgh-1 {way} {PEER} {mark}")
    assert net.run(BOTH, "effect") == Said(1, f"the rule for {way} {PEER} is gone")


def test_a_silence_that_is_not_our_doing_is_no_effect(net: Wired) -> None:
    net.run(BOTH, "inject")
    net.node.do("ip link set peer0 down")
    effect = net.run(BOTH, "effect")
    assert effect.code == 1
    assert "our rules dropped nothing meanwhile" in effect.text


def test_before_inject_has_ended_the_effect_is_in_progress(net: Wired) -> None:
    assert net.run(BOTH, "effect").code == 3


def test_the_console_reaches_the_ssh_port_whatever_the_chain_drops(net: Wired) -> None:
    net.run(BOTH, "inject")
    for way in ("-s", "-d"):
        net.node.do(f"PATH={net.path}; iptables -A GAMEDAY-abcdefgh-1 {way} {CONSOLE} -j DROP")
    assert net.console.answers("10.8.0.1", SSH_PORT)
    assert not net.console.answers("10.8.0.1", 8080)
    net.run(BOTH, "revert")
    assert net.run(BOTH, "clean") == Said(0, "")


def test_what_the_node_forwards_is_cut_as_well(net: Wired) -> None:
    net.node.do("echo 0 >/proc/sys/net/ipv4/ip_forward")
    net.run(BOTH, "inject")
    assert not [line for line in net.rules() if line.startswith("-A FORWARD")]
    net.run(BOTH, "revert")
    net.node.do("echo 1 >/proc/sys/net/ipv4/ip_forward")
    net.console.do("ip route add 10.9.0.0/24 via 10.8.0.1")
    net.peer.do("ip route add 10.8.0.0/24 via 10.9.0.1")
    before = net.rules()
    assert net.console.answers(PEER, 8080)
    net.run(BOTH, "inject")
    assert not net.console.answers(PEER, 8080)
    net.run(BOTH, "revert")
    assert net.console.answers(PEER, 8080)
    assert net.rules() == before


NEVER = [
    ((PEER,), f"{PEER} 22", f"the console reaches this node from {PEER}"),
    ((PEER6,), "fd09:0::2 22", f"the console reaches this node from {PEER6}"),
    ((PEER,), "10.7.0.1 22", f"the way back to the console leads over {PEER}"),
    ((PEER,), "", "it cannot be told from where the console reaches this node"),
    ((NODE,), f"{CONSOLE} 22", f"{NODE} is this node itself"),
    (("127.0.0.1",), f"{CONSOLE} 22", "127.0.0.1 is this node itself"),
    (("localhost",), f"{CONSOLE} 22", " is this node itself"),
    (("::1",), f"{CONSOLE} 22", "::1 is this node itself"),
    (("10.9.0.255",), f"{CONSOLE} 22", "10.9.0.255 is no single machine"),
    (("no-such-host.invalid",), f"{CONSOLE} 22", "this node knows no address of redfin"),
]


def test_what_must_never_be_cut_is_refused_by_preflight_and_inject(net: Wired) -> None:
    net.node.do(f"ip route add 10.7.0.0/24 via {PEER}")
    before = net.rules()
    for peers, net.source, why in NEVER:
        for name in ("preflight", "inject"):
            said = net.run(scripts_of(*peers), name)
            assert said.code == 3, said.text
            assert why in said.text
            assert "\nfix: " in said.text
        assert net.rules() == before
        assert net.run(scripts_of(*peers), "revert") == Said(0, "")


def test_a_peer_without_a_way_to_it_is_no_peer(net: Wired) -> None:
    said = net.run(scripts_of("192.0.2.9"), "preflight")
    assert said.code == 1
    assert said.text.startswith("no way leads from here to 192.0.2.9")


@pytest.mark.parametrize("rule", ["INPUT -s", "OUTPUT -d"])
def test_where_something_cuts_the_peer_off_already_nothing_would_be_learned(net: Wired, rule: str) -> None:
    net.node.do(f"PATH={net.path}; iptables -A {rule} {PEER} -j DROP; ip6tables -A {rule} {PEER6} -j DROP")
    said = net.run(BOTH, "preflight")
    assert said.code == 1
    assert said.text.endswith("something cuts it off already")


def test_a_peer_that_answers_tcp_only_is_fit(net: Wired) -> None:
    net.peer.do("iptables -A INPUT -p icmp -j DROP")
    assert net.run(scripts_of(PEER), "preflight").code == 0


def test_what_is_not_cut_is_said(net: Wired) -> None:
    assert net.run(scripts_of(PEER), "preflight") == Said(
        0, "warning: this node knows no IPv6 address of redfin: only IPv4 is cut"
    )
    net.node.do(f"PATH={net.path}; ip6tables -A INPUT -s {PEER6} -j DROP")
    assert net.run(BOTH, "preflight") == Said(0, f"warning: redfin does not answer at {PEER6} even now")


def test_without_an_ip6tables_an_ipv6_peer_is_refused_and_ipv4_goes_on(net: Wired) -> None:
    tool = Path(net.path.split(":")[0]) / "ip6tables"
    tool.unlink()
    tool.write_text("#!/bin/sh\necho 'no such table'\nexit 3\n")
    tool.chmod(0o755)
    assert net.run(BOTH, "preflight").code == 3
    four = scripts_of(PEER)
    assert net.run(four, "preflight").code == 0
    assert net.run(four, "inject") == Said(0, "")
    assert net.run(four, "effect").code == 0
    assert net.run(four, "revert") == Said(0, "")
    assert net.run(four, "clean") == Said(2, "ip6tables: no such table")


def test_whatever_line_inject_was_killed_after_revert_leaves_the_firewall_as_it_was(net: Wired) -> None:
    net.node.do(f"PATH={net.path}; {EXISTING}")
    before = net.rules()
    lines = BOTH.inject.splitlines(keepends=True)
    starts = [n for n, line in enumerate(lines) if line.startswith(("cut_off ip", ": >finished"))]
    assert len(starts) == 3
    seen = set()
    for last in range(starts[0], len(lines) + 1):
        net.run(BOTH, "inject", text="".join(lines[:last]) + "kill -9 $$\n")
        seen.add(len(net.rules()))
        assert net.run(BOTH, "revert") == Said(0, "")
        assert net.rules() == before
    assert len(seen) == 3  # nothing, one firewall, both


@pytest.mark.parametrize(
    "partly",
    [
        "iptables -N GAMEDAY-abcdefgh-1",
        "iptables -N GAMEDAY-abcdefgh-1; ip6tables -N GAMEDAY-abcdefgh-1; ip6tables -I INPUT -j GAMEDAY-abcdefgh-1",
        "iptables -N GAMEDAY-abcdefgh-1; for n in 1 2 3; do iptables -I OUTPUT -j GAMEDAY-abcdefgh-1; done",
        "iptables -N other; iptables -N GAMEDAY-abcdefgh-1; iptables -A FORWARD -s 10.1.1.1 -m comment --comment "
        "'it'\"'\"'s \"mine\" $(touch no)' -j GAMEDAY-abcdefgh-1; iptables -F other; iptables -X other",
    ],
)
def test_what_a_person_made_of_our_chain_is_taken_back_too(net: Wired, partly: str) -> None:
    before = net.rules()
    net.node.do(f"PATH={net.path}; {partly}")
    assert net.run(BOTH, "clean").code == 1
    assert net.run(BOTH, "revert") == Said(0, "")
    assert net.rules() == before


def test_another_runs_chain_is_left_alone_and_named_by_clean(net: Wired) -> None:
    other = scripts_of(PEER, PEER6, run="another2")
    net.run(other, "inject", run="another2")
    theirs = net.rules()
    net.run(BOTH, "inject")
    net.run(BOTH, "inject", number=11)
    assert net.run(BOTH, "revert") == Said(0, "")
    assert any("GAMEDAY-abcdefgh-11" in line for line in net.rules())
    assert net.run(BOTH, "revert", number=11) == Said(0, "")
    assert net.rules() == theirs
    clean = net.run(BOTH, "clean")
    assert clean.code == 1
    assert "-N GAMEDAY-another2-1" in clean.text
    assert '-m comment --comment "gameday another2" -j GAMEDAY-another2-1' in clean.text
    assert net.run(other, "revert", run="another2") == Said(0, "")
    assert net.run(BOTH, "clean") == Said(0, "")


def test_revert_works_on_a_full_disk_and_without_a_network(net: Wired) -> None:
    before = net.rules()
    place = net.folder / "run"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    try:
        net.run(BOTH, "inject")
        (place / "abcdefgh" / "1" / "revert").write_text(BOTH.revert)
        with contextlib.suppress(OSError):
            (place / "fill").write_bytes(b"\0" * 2_000_000)
        net.node.do("ip link set peer0 down; ip link set console0 down")
        env = {"PATH": net.path, "GAMEDAY_DIR": str(place / "abcdefgh" / "1")}
        words = net.node.command("sh", str(place / "abcdefgh" / "1" / "revert"))
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert net.rules() == before


def test_a_revert_that_cannot_be_done_says_what_is_left(net: Wired) -> None:
    net.run(BOTH, "inject")
    restore = Path(net.path.split(":")[0]) / "iptables-restore"
    real = restore.readlink()
    restore.unlink()
    restore.write_text("#!/bin/sh\nexit 4\n")
    restore.chmod(0o755)
    revert = net.run(BOTH, "revert")
    assert revert.code == 1
    assert revert.text.startswith("iptables is left:\n-N GAMEDAY-abcdefgh-1\n")
    restore.unlink()
    restore.symlink_to(real)
    assert net.run(BOTH, "revert") == Said(0, "")


def test_a_name_is_cut_at_all_its_addresses(net: Wired) -> None:
    lookup = Path(net.path.split(":")[0]) / "getent"
    lookup.write_text(f'#!/bin/sh\n[ "$*" = "ahosts redfin.example" ] && printf "%s STREAM\\n" {PEER6} {PEER} {PEER}\n')
    lookup.chmod(0o755)
    named = scripts_of("redfin.example")
    assert net.run(named, "inject") == Said(0, "")
    drops = [line for line in net.rules() if line.endswith("DROP")]
    assert len(drops) == 4
    assert not net.node.answers(PEER6, 8080)
    assert net.run(named, "effect").code == 0


def test_a_peer_without_an_address_is_refused() -> None:
    with pytest.raises(Refused, match="redfin has no address"):
        scripts_of()
