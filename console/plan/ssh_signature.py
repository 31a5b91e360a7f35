"""SSH signatures by `ssh-keygen -Y`: any agent or hardware key can sign. It blocks: run it off the event loop."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import msgspec

from console.errors import BadInput, GamedayError

NAMESPACE = "gameday-approval@1"
"""Fixed: ssh-keygen accepts a signature of whatever namespace it is asked for."""
SIGN_LIMIT_S = 120.0
"""A hardware key waits for a touch, a passphrase for its owner."""
VERIFY_LIMIT_S = 10.0


class SignatureError(GamedayError):
    """ssh-keygen is not there, cannot sign, or does not answer."""


class Verified(msgspec.Struct, frozen=True):
    """Whether a signature is good, by which key, and if not, why."""

    good: bool
    key: str = ""
    """The fingerprint: one key may stand in allowed_signers under several principals."""
    why: str = ""


def sign(text: bytes, key_file: Path) -> str:
    """The armoured signature of `text` by that key (a .pub for a key that an agent holds).

    Raises:
        BadInput: there is no such key file.
        SignatureError: ssh-keygen does not sign, with its own words.
    """
    if not key_file.is_file():
        raise BadInput("there is no such key file", file=key_file)
    # The text goes in on standard input: the file form keeps an old .sig and says that all is well.
    done = _ssh_keygen("sign", "-q", "-n", NAMESPACE, "-f", str(key_file), text=text, limit_s=SIGN_LIMIT_S)
    signature = done.stdout.decode(errors="replace")
    if done.returncode != 0 or not signature.startswith("-----BEGIN SSH SIGNATURE-----"):
        raise SignatureError(f"{key_file} does not sign: {_words(done) or f'ssh-keygen ended with {done.returncode}'}")
    return signature


def keys_trouble(allowed_signers: str) -> str:
    """Why that allowed_signers file must not be trusted, or ""."""
    if not allowed_signers:
        return "the inventory names no approvals.allowed_signers"
    try:
        mode = Path(allowed_signers).stat().st_mode
    except OSError as error:
        return f"{allowed_signers} cannot be read: {error.strerror}"
    if mode & stat.S_IWOTH:
        return f"{allowed_signers} may be written by everyone: chmod o-w it"
    if not os.access(allowed_signers, os.R_OK):
        return f"{allowed_signers} cannot be read"
    return ""


def principals_of(public_key: Path, allowed_signers: str) -> list[str]:
    """Whose key this .pub file holds, by the allowed_signers file; nobody's where one of the two cannot be read."""
    try:
        words = public_key.read_text(errors="replace").split()
        lines = Path(allowed_signers).read_text(errors="replace").splitlines()
    except OSError:
        return []
    if len(words) < 2:
        return []
    fields = [line.split() for line in lines]
    return [name for field in fields if words[1] in field[1:] for name in field[0].strip('"').split(",")]


def verify(text: bytes, signature: str, principal: str, allowed_signers: str) -> Verified:
    """Whether `signature` is `principal`'s over exactly this text, by the keys in the allowed_signers file.

    Raises:
        SignatureError: ssh-keygen is not there or does not answer: nothing is known.
    """
    with tempfile.NamedTemporaryFile(prefix="gameday-", suffix=".sig") as file:
        file.write(signature.encode())
        file.flush()
        common = ("-f", allowed_signers, "-s", file.name)
        done = _ssh_keygen("verify", *common, "-n", NAMESPACE, "-I", principal, text=text, limit_s=VERIFY_LIMIT_S)
        if done.returncode == 0:
            return Verified(True, key=done.stdout.decode(errors="replace").rpartition(" key ")[2].strip())
        return Verified(False, why=_why_not(_words(done), principal, common))


def _why_not(words: str, principal: str, common: tuple[str, ...]) -> str:
    """The reason in the operator's words; ssh-keygen is silent about an unknown key and about another's key."""
    if "incorrect signature" in words:
        return "the document was changed after it was signed"
    if "namespace does not match" in words:
        return f"the signature is for something else, not in the namespace {NAMESPACE}"
    if "has expired" in words or "not yet valid" in words:
        return f"the key of {principal} {'has expired' if 'has expired' in words else 'is not yet valid'}"
    if words:
        return f"not a good signature: {words}"
    owner = _ssh_keygen("find-principals", *common, text=b"", limit_s=VERIFY_LIMIT_S)
    if owner.returncode == 0 and owner.stdout.strip():
        return f"the key is that of {', '.join(owner.stdout.decode(errors='replace').split())}, not of {principal}"
    return "the key is unknown: it is not in allowed_signers"


def _ssh_keygen(action: str, *arguments: str, text: bytes, limit_s: float) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", "-Y", action, *arguments], input=text, capture_output=True, timeout=limit_s, check=False
        )
    except FileNotFoundError:
        raise SignatureError("ssh-keygen is not installed: it comes with openssh-client") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SignatureError(f"ssh-keygen did not answer: {error}") from error


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    return " ".join(done.stderr.decode(errors="replace").split())
