"""The program beside a store, run as it runs there: when it ends, and how it asks a store that is a command."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.probes import store_program

TEXT = Path(store_program.__file__).read_text()
STORE = """\
cd "$0" && verb=$1 key=${2-}
[ ! -e die ] || { sleep 60 & echo $! >sleeper; wait; }
case $verb in
put) [ ! -e full ] && cat >"k-$key" || { echo "disk full, recoverable: true" >&2; exit 3; } ;;
get) [ -e "k-$key" ] && cat "k-$key" || exit 1 ;;
list) ls | sed -n 's/^k-//p' ;;
delete) rm "k-$key" ;;
esac
"""


@contextmanager
def program(folder: Path, **told: object) -> Iterator[subprocess.Popen[str]]:
    """The program with a folder for a store, ready."""
    settings = {"url": "", "prefix": "p-", "size": 200, "first": 1, "period": 0.02, "limit": 5, "lease": 30, **told}
    settings["command"] = "\0".join(("sh", "-c", STORE, str(folder)))
    with subprocess.Popen(
        [sys.executable, "-uc", f"import sys;exec(sys.stdin.read({len(TEXT)}))"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin
        told_it = [f"{name}\t{str(value).encode().hex()}\n" for name, value in settings.items()]
        process.stdin.write(TEXT + "".join(told_it) + "\n")
        assert said(process, "ready") == ["ready"]
        yield process
        process.kill()


def said(process: subprocess.Popen[str], word: str) -> list[str]:
    """Its next line that begins with that word."""
    assert process.stdout
    return next(words for line in process.stdout if (words := line.rstrip("\n").split("\t"))[0] == word)


def answer(process: subprocess.Popen[str], *question: str) -> dict[str, list[str]]:
    """All that it says to a question."""
    assert process.stdin
    process.stdin.write("\t".join((question[0], "q", *question[1:])) + "\n")
    found: dict[str, list[str]] = {}
    while "end" not in found:
        _, _, word, *rest = said(process, "=")
        found[word] = rest
    return found


def gone(pid: str) -> bool:
    """Whether that process ends, within 5 s; who has ended may wait to be reaped."""
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_it_ends_when_it_has_heard_nothing_for_a_lease_and_takes_a_hanging_command_with_it(tmp_path: Path) -> None:
    with program(tmp_path, lease=0.6) as process:
        assert said(process, "!")[1] == "1"
        (tmp_path / "die").touch()
        assert process.wait(10) == 0
    assert gone((tmp_path / "sleeper").read_text().strip())


def test_it_ends_with_its_input(tmp_path: Path) -> None:
    with program(tmp_path) as process:
        assert process.stdin
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_command_is_asked_as_a_page_is(tmp_path: Path) -> None:
    with program(tmp_path, limit=0.5) as process:
        said(process, "!")
        (tmp_path / "full").touch()
        refused = said(process, "-")
        assert refused[4:] == ["3", "disk full, recoverable: true"]
        (tmp_path / "die").touch()
        assert said(process, "~")[4:] == ["no answer within 0.5 s"]
        (tmp_path / "die").unlink()
        assert answer(process, "stop") == {"end": []}
        kept = sorted(int(file.name[-6:]) for file in tmp_path.glob("k-p-*"))
        (tmp_path / "k-p-000001").write_text("p-000001")
        seen = answer(process, "whole", "10", f"1-{kept[-1] + 2}")
        assert seen["torn"] == ["1"]
        assert seen["absent"] == [f"{kept[-1] + 1}-{kept[-1] + 2}"]
        assert answer(process, "delete", "10", "-") == {"deleted": [str(len(kept))], "left": ["0", ""], "end": []}
        assert sorted(file.name for file in tmp_path.iterdir()) == ["full", "sleeper"]


def test_an_hour_of_records_does_not_fill_the_store(tmp_path: Path) -> None:
    last = store_program.FAST
    with program(tmp_path, size=2000, first=last) as process:
        stamps = [float(said(process, "!")[2]) for _ in range(3)]
        assert stamps[2] - stamps[1] > 0.9
        assert answer(process, "stop") == {"end": []}
        assert answer(process, "whole", "10", "-")["sound"][0].startswith(f"{last}-{last + 2}")
        sizes = [(tmp_path / f"k-p-{number:06d}").stat().st_size for number in range(last, last + 3)]
        assert sizes == [2000, 200, 200]
    assert last * 4096 + 3600 * 2 * sizes[1] < 6_000_000  # what is put on pages, and what is written twice


def test_one_that_is_begun_without_a_number_only_reads(tmp_path: Path) -> None:
    (tmp_path / "k-p-000007").write_bytes(store_program.body("p-000007", 200))
    with program(tmp_path, first=0) as process:
        time.sleep(0.1)
        assert answer(process, "read", "7") == {"sound": [""], "end": []}
    assert [file.name for file in tmp_path.iterdir()] == ["k-p-000007"]
