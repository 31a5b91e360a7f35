"""Strict YAML becomes typed values, or one complaint that knows its line."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from console.errors import BadInput
from console.plan import strict

FILE = Path("some.yaml")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Circle(msgspec.Struct, frozen=True, tag_field="shape", tag="circle"):
    radius: Annotated[float, msgspec.Meta(gt=0)]


class Square(msgspec.Struct, frozen=True, tag_field="shape", tag="square"):
    side: int = 1


class Picture(msgspec.Struct, frozen=True):
    title: str = ""
    colour: Colour = Colour.RED
    count: int = 0
    ratio: float = 0.0
    shown: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1)] | Literal["none"] = 1
    shapes: tuple[Circle | Square, ...] = ()
    named: dict[str, int] = {}
    frame: Square | None = None


def picture(text: str) -> Picture:
    return strict.build(strict.compose_text(text, FILE), Picture, FILE)


def complaint(text: str) -> str:
    with pytest.raises(BadInput) as caught:
        picture(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("title: words and more", "title", "words and more"),
        ("title: '010'", "title", "010"),
        ('title: "no"', "title", "no"),
        ("title: 2026-11-21", "title", "2026-11-21"),
        ("title: |\n  two\n  lines\n", "title", "two\nlines\n"),
        ("colour: blue", "colour", Colour.BLUE),
        ("count: -3", "count", -3),
        ("ratio: 3", "ratio", 3.0),
        ("ratio: 1.5e+3", "ratio", 1500.0),
        ("shown: true", "shown", True),
        ("limit: none", "limit", "none"),
        ("limit: 7", "limit", 7),
        ("shapes: [{shape: circle, radius: 2}, {shape: square}]", "shapes", (Circle(2.0), Square(1))),
        ("named: {on: 1, 7: 2}", "named", {"on": 1, "7": 2}),
        ("frame: ~", "frame", None),
        ("frame: {side: 4}", "frame", Square(4)),
    ],
)
def test_a_value_is_what_it_looks_like(text: str, field: str, value: Any) -> None:
    assert getattr(picture(text), field) == value


@pytest.mark.parametrize("text", ["010", "0x10", "0b1", "1_000", "22:30", "+.inf", ".nan", "1.0e+999", "1:30.5"])
@pytest.mark.parametrize("field", ["title", "count", "ratio"])
def test_a_number_that_yaml_reads_otherwise_than_people_is_never_taken(field: str, text: str) -> None:
    assert f"some.yaml:1: '{field}' cannot be {text!r}: write plain decimals" in complaint(f"{field}: {text}")


@pytest.mark.parametrize("text", ["yes", "no", "on", "Off"])
@pytest.mark.parametrize("field", ["title", "shown"])
def test_yes_and_no_are_neither_text_nor_truth(field: str, text: str) -> None:
    assert f"'{field}' cannot be {text!r}: write true or false" in complaint(f"{field}: {text}")


def test_a_complaint_names_the_line_of_its_value() -> None:
    assert complaint("title: x\nshapes:\n  - shape: circle\n    radius: 0\n").startswith("some.yaml:4: ")


def test_a_near_match_is_offered_for_keys_words_and_kinds() -> None:
    assert "did you mean 'title'?" in complaint("titel: x")
    assert "did you mean 'blue'?" in complaint("colour: bleu")
    assert "did you mean 'square'?" in complaint("shapes: [{shape: sqare}]")
    assert "did you mean 'none'?" in complaint("limit: non")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "windows.yaml"
    file.write_bytes(b"\xef\xbb\xbftitle: x\r\ncount: 2\r\n")
    assert strict.load(file, Picture) == Picture(title="x", count=2)


def test_the_line_of_a_path_is_that_of_its_last_part_that_is_there() -> None:
    root = strict.compose_text("named:\n  one: 1\nshapes:\n  - shape: circle\n    radius: 1\n  - shape: square\n", FILE)
    assert strict.line_of(root, "named", "one") == 2
    assert strict.line_of(root, "shapes", 1, "shape") == 6
    assert strict.line_of(root, "shapes", 0, "colour") == 4
    assert strict.line_of(root, "shapes", 7) == 3
    assert strict.line_of(root, "frame") == 1


def test_depth_is_allowed_up_to_the_limit() -> None:
    strict.compose_text("[" * strict.MAX_DEPTH + "]" * strict.MAX_DEPTH, FILE)
    with pytest.raises(BadInput, match="deeper"):
        strict.compose_text("[" * (strict.MAX_DEPTH + 1) + "]" * (strict.MAX_DEPTH + 1), FILE)
