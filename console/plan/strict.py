"""Strict YAML: unknown keys, wrong types and doubled keys are refused with file, line, key and the near match."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from console.errors import BadInput, near_match

MAX_BYTES = 256 * 1024
"""A larger scenario, inventory or plan is a mistake, not a file: hundreds of nodes fit."""
MAX_DEPTH = 20

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""What an id, a node, a service or a scenario may be called: it becomes part of paths and unit names."""

_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, halves of characters, and marks that turn the reading direction: approvers would not see them."""

T = TypeVar("T")


def load(file: Path, type_: type[T]) -> T:
    """The one document in `file` as a `type_`.

    Raises:
        BadInput: the file cannot be read, parsed or understood; the sentence names file, line and key.
    """
    return build(compose(file), type_, file)


def build(root: yaml.Node, type_: type[T], file: Path) -> T:
    """A composed document as a `type_`; `file` is only named in errors.

    Raises:
        BadInput: the document is no such thing; the sentence names file, line and key.
    """
    return _Builder(file).build(root, type_, "")  # type: ignore[no-any-return]


def read(file: Path) -> bytes:
    """All of a regular file of at most MAX_BYTES.

    Raises:
        BadInput: there is none, it is larger, or it cannot be read.
    """
    try:
        if not file.is_file():
            raise BadInput("not a regular file" if file.exists() else "no such file", file=file)
        with file.open("rb") as source:
            content = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file=file) from error
    if len(content) > MAX_BYTES:
        raise BadInput(f"larger than {MAX_BYTES // 1024} KiB", file=file, line=1)
    return content


def compose(file: Path) -> yaml.Node:
    """The file's YAML as nodes that know their lines. No aliases, no tags, no doubled keys.

    Raises:
        BadInput: not a readable UTF-8 YAML document within the limits.
    """
    content = read(file)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput("not UTF-8 text", file=file, line=line) from error
    return compose_text(text, file)


def compose_text(text: str, file: Path) -> yaml.Node:
    """As `compose`, for text that is already here; `file` is only named in errors."""
    try:
        node = _Composer(text, file).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise BadInput(
            f"not YAML: it holds the character #x{ord(text[error.position]):02x}", file=file, line=line
        ) from error
    except yaml.MarkedYAMLError as error:
        begun = (
            f" {error.context} from line {_line(error.context_mark)}" if error.context and error.context_mark else ""
        )
        line = min(_line(error.problem_mark), len(text.splitlines()))
        raise BadInput(f"not YAML: {error.problem}{begun}", file=file, line=line) from error
    if node is None:
        raise BadInput("empty", file=file, line=1)
    return node


def line_of(root: yaml.Node, *path: str | int) -> int:
    """The line of the key or list item at `path`, or of the nearest thing above it that is there."""
    node, line = root, _line(root.start_mark)
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = (node.value[step], node.value[step])
        else:
            found = None
        if found is None:
            return line
        node, line = found[1], _line(found[0].start_mark)
    return line


def visible(text: str) -> str:
    r"""With everything escaped that a terminal would act on, or that would be read otherwise than it is run.

    >>> visible("ls\x1b[8m; rm")
    'ls\\x1b[8m; rm'
    """
    return _UNSEEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _line(mark: Any) -> int:
    return 1 if mark is None else int(mark.line) + 1


def _shown(text: str) -> str:
    """Quoted for a sentence: cut short, with everything that a terminal would act on escaped."""
    return repr(text if len(text) <= 60 else f"{text[:60]}...")


class _Composer(yaml.SafeLoader):
    """Composes nodes in one pass and refuses on the way what a strict file has no use for."""

    def __init__(self, text: str, file: Path) -> None:
        super().__init__(text)
        self.file = file
        self.depth = 0

    def compose_document(self) -> yaml.Node | None:
        node: yaml.Node | None = super().compose_document()
        if not self.check_event(yaml.StreamEndEvent):
            raise self._refuse("a second document begins here", self.peek_event())  # type: ignore[no-untyped-call]
        return node

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if event.anchor is not None:
            raise self._refuse("anchors and aliases are not allowed", event)
        if event.tag is not None:
            raise self._refuse(f"the tag {_shown(event.tag)} is not allowed", event)
        if self.depth == MAX_DEPTH:
            raise self._refuse(f"nested deeper than {MAX_DEPTH}", event)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._refuse("a key must be a word", key)
            if key.value in seen:
                raise self._refuse(f"the key {_shown(key.value)} stands twice, first on line {seen[key.value]}", key)
            seen[key.value] = _line(key.start_mark)
        return node

    def _refuse(self, what: str, place: Any) -> BadInput:
        return BadInput(what, file=self.file, line=_line(place.start_mark))


class _Builder:
    """Builds typed values from nodes, so that every complaint knows its line."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def fail(self, node: yaml.Node, what: str) -> BadInput:
        return BadInput(what, file=self.file, line=_line(node.start_mark))

    def build(self, node: yaml.Node, type_: Any, where: str) -> Any:
        origin = get_origin(type_)
        if origin in (Union, types.UnionType):
            return self._union(node, get_args(type_), where)
        if origin is tuple:
            if not isinstance(node, yaml.SequenceNode):
                raise self.fail(node, f"'{where}' must be a list")
            item_type = get_args(type_)[0]
            return tuple(self.build(item, item_type, f"{where}[{i}]") for i, item in enumerate(node.value))
        if origin is dict:
            return self._names(node, get_args(type_)[1], where)
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
            return self._struct(node, type_, where)
        return self._scalar(node, type_, where)

    def _union(self, node: yaml.Node, choices: tuple[Any, ...], where: str) -> Any:
        if type(None) in choices:
            if node.tag == "tag:yaml.org,2002:null":
                return None
            choices = tuple(choice for choice in choices if choice is not type(None))
        if len(choices) == 1:
            return self.build(node, choices[0], where)
        if not all(isinstance(choice, type) and issubclass(choice, msgspec.Struct) for choice in choices):
            return self._scalar(node, Union[choices], where)  # noqa: UP007
        tag_field = choices[0].__struct_config__.tag_field
        by_tag = {choice.__struct_config__.tag: choice for choice in choices}
        for key, value in self._mapping(node, where):
            if key.value == tag_field:
                tag = self._scalar(value, str, f"{where}.{tag_field}")
                if tag not in by_tag:
                    hint = near_match(tag, by_tag) or f", known are {', '.join(sorted(by_tag))}"
                    raise self.fail(value, f"unknown {tag_field} {_shown(tag)}{hint}")
                return self._struct(node, by_tag[tag], where)
        raise self.fail(node, f"'{where}' lacks the key '{tag_field}'")

    def _mapping(self, node: yaml.Node, where: str) -> list[tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self.fail(node, f"{_place(where)} must be a mapping of keys to values")
        return list(node.value)

    def _names(self, node: yaml.Node, value_type: Any, where: str) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, value in self._mapping(node, where):
            if not NAME.fullmatch(key.value):
                raise self.fail(key, f"{_shown(key.value)} is no name: use a-z, 0-9 and '-', at most 64")
            built[key.value] = self.build(value, value_type, f"{where}.{key.value}")
        return built

    def _struct(self, node: yaml.Node, type_: type[msgspec.Struct], where: str) -> Any:
        fields, hints = _fields(type_)
        tag_field = type_.__struct_config__.tag_field
        values: dict[str, Any] = {}
        for key, value in self._mapping(node, where):
            if key.value == tag_field:
                continue
            if key.value not in fields:
                known = [*fields, *([tag_field] if tag_field else [])]
                raise self.fail(key, f"unknown key {_shown(key.value)}{near_match(key.value, known)}")
            name = fields[key.value].name
            values[name] = self.build(value, hints[name], f"{where}.{key.value}".lstrip("."))
        for field in fields.values():
            if field.required and field.name not in values:
                raise self.fail(node, f"{_place(where)} lacks the key '{field.encode_name}'")
        try:
            return type_(**values)
        except ValueError as error:
            raise self.fail(node, str(error)) from error

    def _scalar(self, node: yaml.Node, type_: Any, where: str) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise self.fail(node, f"'{where}' must be a single value")
        value = self._plain(node, where)
        try:
            return msgspec.convert(value, type_, strict=True)
        except msgspec.ValidationError as error:
            raise self.fail(
                node, f"'{where}' cannot be {_shown(node.value)}: {_wanted(value, type_, error)}"
            ) from error

    def _plain(self, node: yaml.ScalarNode, where: str) -> str | int | float | bool | None:
        """What stands there. Only plain decimals are numbers: YAML 1.1 would read 010 as 8 and 22:30 as 1350."""
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        text: str = node.value
        if unseen := _UNSEEN.search(text):
            raise self.fail(node, f"'{where}' holds the character #x{ord(unseen[0]):02x}, which cannot be seen")
        if tag == "null":
            return None
        if tag == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if tag in ("int", "float") and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
            return int(text) if tag == "int" else float(text)
        if tag in ("str", "timestamp"):
            return text
        help_ = "write true or false" if tag == "bool" else "write plain decimals"
        raise self.fail(node, f"'{where}' cannot be {_shown(text)}: {help_}, or put text in quotes")


@cache
def _fields(type_: type[msgspec.Struct]) -> tuple[Mapping[str, msgspec.structs.FieldInfo], Mapping[str, Any]]:
    """By the name that stands in files: each field; by its own name: what it may hold."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
    return fields, get_type_hints(type_, include_extras=True)


def _place(where: str) -> str:
    return f"'{where}'" if where else "the document"


def _wanted(value: Any, type_: Any, error: msgspec.ValidationError) -> str:
    """What would have been right, in words."""
    said = str(error)
    if (closed := _choices(type_)) and (said.startswith("Invalid enum value") or "number" not in closed):
        return f"it must be {' or '.join(closed)}{near_match(str(value), closed)}"
    if said.startswith("Expected `str`, got") and value is not None:
        return "text that looks like something else goes in quotes"
    described = [meta.description for meta in getattr(type_, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    return (
        f"it must be {described[0]}"
        if described and described[0]
        else said.replace("Expected", "expected").replace("`", "")
    )


def _choices(type_: Any) -> list[str]:
    """The words of a closed set, and `number` where a number will do as well; empty for an open type."""
    if get_origin(type_) is Literal:
        return [str(choice) for choice in get_args(type_)]
    if isinstance(type_, type) and issubclass(type_, Enum):
        return [str(member.value) for member in type_]
    if get_origin(type_) is Union:
        return [word for member in get_args(type_) for word in _choices(member) or ["number"]]
    return []
