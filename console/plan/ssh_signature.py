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


def keys_trouble(allowed_signers: str, revoked: str = "") -> str:
    """Why that allowed_signers file, or that list of revoked keys, must not be trusted, or ""."""
    if not allowed_signers:
        return "the inventory names no approvals.allowed_signers"
    for name in (allowed_signers, *([revoked] if revoked else [])):
        why = _file_trouble(Path(name))
        if why:
            return why
    return _lines_trouble(Path(allowed_signers))


def _file_trouble(file: Path) -> str:
    """Why others could have changed the file, or why it cannot be read."""
    try:
        status, folder = file.stat(), file.resolve().parent.stat()
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return f"{file} is not a regular file"
    if status.st_uid not in (0, os.geteuid()):
        return f"{file} belongs to another user: it must be yours or root's"
    if status.st_mode & stat.S_IWOTH:
        return f"{file} may be written by everyone: chmod o-w it"
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        return f"{file} may be replaced by everyone: chmod o-w its folder"
    return "" if os.access(file, os.R_OK) else f"{file} cannot be read"


def _lines_trouble(file: Path) -> str:
    """Why a line lets one key sign as several people: each name must stand there with its own keys."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}"
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if set(fields[0]) & set("*?!"):
            return f"{file}:{number}: a pattern lets one key sign under many names: name each person"
        if "cert-authority" in line.lower():
            return f"{file}:{number}: who holds a certificate authority can sign as others: list each person's key"
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


def verify(text: bytes, signature: str, principal: str, allowed_signers: str, revoked: str = "") -> Verified:
    """Whether `signature` is `principal`'s over exactly this text, by the keys in the allowed_signers file.

    `revoked`: a file of keys that count no more; empty: none.

    Raises:
        SignatureError: ssh-keygen is not there or does not answer: nothing is known.
    """
    with tempfile.NamedTemporaryFile(prefix="gameday-", suffix=".sig") as file:
        file.write(signature.encode())
        file.flush()
        common = ("-f", allowed_signers, "-s", file.name)
        without = ("-r", revoked) if revoked else ()
        asked = (*common, *without, "-n", NAMESPACE, "-I", principal)
        done = _ssh_keygen("verify", *asked, text=text, limit_s=VERIFY_LIMIT_S)
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
    owners = owner.stdout.decode(errors="replace").split() if owner.returncode == 0 else []
    if principal in owners:
        return f"the key of {principal} is revoked"  # all that is left for ssh-keygen to refuse without a word
    if owners:
        return f"the key is that of {', '.join(owners)}, not of {principal}"
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
