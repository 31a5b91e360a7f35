"""The lab's keys, all fresh ed25519: host keys, the operator's login, and those that sign approvals."""

from __future__ import annotations

import asyncssh

from console.lab.layout import LabLayout
from console.lab.private_file import write_private

NAMESPACE = "gameday-approval@1"
OPERATOR = "operator@lab"
TPM = ("tpm@lab",)
COUNCIL = ("council-1@lab", "council-2@lab", "council-3@lab")


def make_keys(lab: LabLayout, hosts: dict[str, str]) -> None:
    """Write host keys and known_hosts for the nodes, the login key, approval keys and allowed_signers.

    `hosts` says for each node how known_hosts calls it: `address`, or `[address]:port` where the port is not 22.
    """
    lab.keys.mkdir(mode=0o700, exist_ok=True)
    known = []
    for node, host in hosts.items():
        public = _make(lab, f"host_{node}", f"{node}.lab")
        known.append(f"{host} {public}\n")
    lab.known_hosts.write_text("".join(known))
    (lab.keys / "authorized_keys").write_text(_make(lab, "operator_ssh", OPERATOR) + "\n")
    signers = [
        f'{principal} namespaces="{NAMESPACE}" {_make(lab, principal.removesuffix("@lab"), principal)}\n'
        for principal in (OPERATOR, *TPM, *COUNCIL)
    ]
    write_private(lab.allowed_signers, "".join(signers))


def _make(lab: LabLayout, name: str, comment: str) -> str:
    """Write a key pair; its public half as a line."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    write_private(lab.keys / name, key.export_private_key("openssh"))
    public = key.export_public_key("openssh").decode().strip()
    (lab.keys / f"{name}.pub").write_text(public + "\n")
    return public
