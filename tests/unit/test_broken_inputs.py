"""Broken inputs: each is refused in one sentence that names file and line, before anything is touched.

The files lie in broken/; broken/sentences.txt holds what is said of each, word for word, as an operator would see it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from console.errors import BadInput
from console.plan import approval, plan, preview, strict
from console.plan.inventory import Inventory, load_inventory
from console.plan.resolve import resolve as resolved
from console.plan.scenario import load_scenario

HERE = Path(__file__).parent / "broken"
SENTENCES = {line.split(":")[0]: line for line in (HERE / "sentences.txt").read_text().splitlines()}
WHOLE_INVENTORY = HERE / "whole-inventory.yaml"
WHOLE_SCENARIO = HERE / "whole-scenario.yaml"
CREATED = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
Load = Callable[[Path], object]
Json = dict[str, Any]


def resolve(file: Path) -> plan.Plan:
    inventory = load_inventory(WHOLE_INVENTORY)
    return resolved(load_scenario(file), inventory, operator="ada", run="k3m9wxyz", created=CREATED, file=file)


LOAD: dict[str, Load] = {"inventory": load_inventory, "scenario": load_scenario, "names": resolve}


def refusal(load: Load, file: Path) -> str:
    """What is said of the file, checked for what holds of every such sentence."""
    with pytest.raises(BadInput) as caught:
        load(file)
    said = str(caught.value)
    assert said.startswith(f"{file}:")
    assert said.isprintable()
    assert len(said) < len(str(file)) + 300
    return said


def test_the_whole_files_are_fine_so_that_each_broken_one_has_one_fault() -> None:
    assert resolve(WHOLE_SCENARIO).nodes[0].units == {"llm-gateway": "llm-gateway.service"}


def test_every_broken_file_has_its_sentence_and_there_are_fifty_and_more() -> None:
    files = {str(file.relative_to(HERE)) for file in HERE.glob("*/*")}
    assert files == set(SENTENCES)
    assert len(files) >= 50


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_a_broken_file_is_refused_in_one_sentence(name: str) -> None:
    said = refusal(LOAD[name.split("/", maxsplit=1)[0]], HERE / name)
    assert said.removeprefix(f"{HERE}/") == SENTENCES[name]


# What cannot lie in the repository as a file.

EVERY_LOADER = pytest.mark.parametrize(
    "load", [load_inventory, load_scenario, plan.load, approval.load], ids=["inventory", "scenario", "plan", "approval"]
)


@EVERY_LOADER
def test_a_huge_file_is_refused_without_being_read(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "huge.yaml"
    with file.open("wb") as out:
        out.truncate(8 << 30)  # 8 GiB of nothing: reading it would not end well
    assert "larg" in refusal(load, file)


@EVERY_LOADER
def test_a_missing_file_is_refused(load: Load, tmp_path: Path) -> None:
    assert "no such file" in refusal(load, tmp_path / "missing.yaml")


@EVERY_LOADER
def test_a_folder_is_refused(load: Load, tmp_path: Path) -> None:
    assert "not a regular file" in refusal(load, tmp_path)


@EVERY_LOADER
def test_a_file_that_cannot_be_looked_up_is_refused(load: Load, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: File name too long"):
        load(tmp_path / ("x" * 300))


@EVERY_LOADER
def test_an_unreadable_file_is_refused(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret.yaml"
    file.write_text("version: 1\n")

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)  # root may read everything, so that a mode would prove nothing
    monkeypatch.setattr(Path, "read_bytes", deny)
    assert refusal(load, file) == f"{file}: cannot be read: Permission denied"


def test_thousands_of_keys_within_the_limit_are_still_read(tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text("".join(f"k{i}: {i}\n" for i in range(17_000)))
    assert file.stat().st_size < strict.MAX_BYTES
    assert "unknown key 'k0'" in refusal(load_inventory, file)


# Plan and approval files are JSON that other people hand over.


def plan_json() -> Json:
    document: Json = json.loads(plan.canonical(resolve(WHOLE_SCENARIO)))
    return document


def approval_json() -> Json:
    times = {"not_before": "2026-11-21T14:00:00Z", "not_after": "2026-11-21T15:00:00Z"}
    document = {"digest": "0" * 64, "run": "k3m9wxyz", "vote": "for", "signer": "tpm@example.org", **times}
    return {"document": document, "signature": "-----BEGIN SSH SIGNATURE-----"}


def change(document: Json, path: str, value: object) -> bytes:
    """The JSON with the value at `path` (keys and indexes, joined by dots) replaced or added."""
    place: Any = document
    *way, last = path.split(".")
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    place[last] = value
    return json.dumps(document).encode()


PLANS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "truncated"),
    "truncated": (lambda: json.dumps(plan_json()).encode()[:-40], "truncated"),
    "binary": (lambda: bytes(range(256)), "malformed"),
    "not UTF-8": (lambda: json.dumps(plan_json()).replace("gateway", "\u00fc").encode("latin-1"), "not a plan"),
    "YAML": (WHOLE_SCENARIO.read_bytes, "malformed"),
    "a list": (lambda: b"[]", "Expected `object`, got `array`"),
    "deep": (lambda: b'{"version": 1, "scenario": ' + b"[" * 100_000, "Expected `object`, got `array`"),
    "a deep key": (lambda: b'{"more": ' + b'{"a":' * 40_000, "unknown field `more`"),
    "another version": (lambda: change(plan_json(), "version", 2), "`$.version`"),
    "a key more": (lambda: change(plan_json(), "force", True), "unknown field `force`"),
    "a fault's key more": (lambda: change(plan_json(), "actions.0.fault.force", True), "unknown field `force`"),
    "an unknown fault": (lambda: change(plan_json(), "actions.0.fault.kind", "rm"), "Invalid value 'rm'"),
    "a path as run": (lambda: change(plan_json(), "run", "../../etc"), "run id '../../etc'"),
    "a path as scenario": (lambda: change(plan_json(), "scenario.name", "../x"), "`$.scenario.name`"),
    "an unknown risk": (lambda: change(plan_json(), "scenario.risk", "none"), "Invalid enum value 'none'"),
    "an endless lease": (lambda: change(plan_json(), "lease_s", float("inf")), "malformed"),
    "negative seconds": (lambda: change(plan_json(), "scenario.expectations.0.within_s", -1), ">= 0.0"),
    "an approval": (lambda: json.dumps(approval_json()).encode(), "unknown field `document`"),
}

APPROVALS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "truncated"),
    "truncated": (lambda: json.dumps(approval_json()).encode()[:-20], "truncated"),
    "binary": (lambda: bytes(range(256)), "malformed"),
    "no signature": (lambda: json.dumps({"document": approval_json()["document"]}).encode(), "`signature`"),
    "a key more": (lambda: change(approval_json(), "document.role", "tpm"), "unknown field `role`"),
    "an unknown vote": (lambda: change(approval_json(), "document.vote", "yes"), "Invalid enum value 'yes'"),
    "a path as signer": (lambda: change(approval_json(), "document.signer", "../../tpm"), "`$.document.signer`"),
    "no time": (lambda: change(approval_json(), "document.not_after", "tomorrow"), "'tomorrow' is no time"),
    "the 30th of February": (lambda: change(approval_json(), "document.not_after", "2026-02-30T00:00:00Z"), "day"),
    "a plan": (lambda: json.dumps(plan_json()).encode(), "unknown field"),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_broken_plan_file_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    make, says = PLANS[name]
    file = tmp_path / "plan.json"
    file.write_bytes(make())
    said = refusal(plan.load, file)
    assert says in said
    assert said.startswith(f"{file}:1: ")


@pytest.mark.parametrize("name", APPROVALS)
def test_a_broken_approval_file_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    make, says = APPROVALS[name]
    file = tmp_path / "k3m9wxyz.tpm.approval"
    file.write_bytes(make())
    said = refusal(approval.load, file)
    assert says in said
    assert said.startswith(f"{file}:1: ")


def test_an_edited_plan_has_another_digest(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(change(plan_json(), "actions.0.scripts.inject", "set -eu\nrm -rf /\n"))
    assert plan.load(file).digest != resolve(WHOLE_SCENARIO).digest


def test_what_approvers_are_shown_moves_no_cursor(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(change(plan_json(), "actions.0.scripts.inject", "set -eu\n\x1b[2K\x1b[1Ahidden\n"))
    assert "\x1b" not in preview.render(plan.load(file))


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("signl", "KILL", "did you mean 'signal'?"),
        ("signal", "KIL", "did you mean 'KILL'?"),
        ("signal", "[", "not YAML"),
        ("signal", "[TERM]", "one word or number"),
        ("signal", "*x", "aliases"),
        ("signal", "!!python/name:os.system x", "the tag"),
        ("signal", "", "must be"),
        ("observe_s", "0", "> 0.0"),
        ("observe_s", ".nan", "plain decimals"),
        ("observe_s", "1:30", "plain decimals"),
    ],
)
def test_a_broken_override_is_refused_in_one_sentence(key: str, text: str, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        load_scenario(WHOLE_SCENARIO, {key: text})
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_override_of_a_file_that_is_no_scenario_complains_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "words.yaml"
    file.write_text("just words\n")
    with pytest.raises(BadInput, match="must be a mapping"):
        load_scenario(file, {"observe_s": "10"})


def test_a_home_folder_that_is_not_there_stays_a_path(tmp_path: Path) -> None:
    file = tmp_path / "inventory.yaml"
    file.write_text(WHOLE_INVENTORY.read_text() + "log_file: ~nobody-of-this-name/log\n")
    inventory: Inventory = load_inventory(file)
    assert inventory.log_file == str(tmp_path / "~nobody-of-this-name/log")
