"""Strict YAML: unknown keys, wrong types and doubled keys are refused with file, line, key and the near match."""

from __future__ import annotations

import re
import types
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from console.errors import BadInput, near_match

MAX_BYTES = 1 << 20
"""A scenario or inventory of more than 1 MiB is a mistake, not a file."""
MAX_DEPTH = 20

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""What an id, a node, a service or a scenario may be called: it becomes part of paths and unit names."""

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


def compose(file: Path) -> yaml.Node:
    """The file's YAML as nodes that know their lines. No aliases, no tags, no doubled keys.

    Raises:
        BadInput: not a readable UTF-8 YAML document within the limits.
    """
    try:
        if not file.is_file():
            raise BadInput("no such file" if not file.exists() else "not a regular file", file=file)
        if file.stat().st_size > MAX_BYTES:
            raise BadInput(f"larger than {MAX_BYTES >> 20} MiB", file=file, line=1)
        text = file.read_bytes().decode("utf-8")
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadInput("not UTF-8 text", file=file, line=line) from error
    return compose_text(text, file)


def compose_text(text: str, file: Path) -> yaml.Node:
    """As `compose`, for text that is already here; `file` is only named in errors."""
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise BadInput("anchors and aliases are not allowed", file=file, line=_line(event.start_mark))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadInput(f"not YAML: {error.problem or error.context}", file=file, line=_line(mark)) from error
    except yaml.YAMLError as error:
        raise BadInput("not YAML: it holds a character that YAML does not allow", file=file, line=1) from error
    except RecursionError:
        raise BadInput(f"nested deeper than {MAX_DEPTH}", file=file, line=1) from None
    if node is None:
        raise BadInput("empty", file=file, line=1)
    _check_tree(node, file, 0)
    return node


def _line(mark: yaml.Mark | None) -> int:
    return 1 if mark is None else int(mark.line) + 1


def _check_tree(node: yaml.Node, file: Path, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadInput(f"nested deeper than {MAX_DEPTH}", file=file, line=_line(node.start_mark))
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = _line(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                raise BadInput("a key must be a word", file=file, line=line)
            if key.value in seen:
                raise BadInput(f"key '{key.value}' stands twice, first on line {seen[key.value]}", file=file, line=line)
            seen[key.value] = line
            _check_tree(value, file, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_tree(value, file, depth + 1)


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
            return self._scalar(node, Union[choices], where)
        tag_field = choices[0].__struct_config__.tag_field
        by_tag = {choice.__struct_config__.tag: choice for choice in choices}
        for key, value in self._mapping(node, where):
            if key.value == tag_field:
                if value.value not in by_tag:
                    hint = near_match(str(value.value), by_tag) or f", known are {', '.join(sorted(by_tag))}"
                    raise self.fail(value, f"unknown {tag_field} '{value.value}'{hint}")
                return self._struct(node, by_tag[value.value], where)
        raise self.fail(node, f"'{where}' lacks the key '{tag_field}'")

    def _mapping(self, node: yaml.Node, where: str) -> list[tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self.fail(node, f"'{where or 'the document'}' must be a mapping of keys to values")
        return list(node.value)

    def _names(self, node: yaml.Node, value_type: Any, where: str) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, value in self._mapping(node, where):
            if not NAME.fullmatch(key.value):
                raise self.fail(key, f"'{key.value}' is no name: use a-z, 0-9 and '-', at most 64")
            built[key.value] = self.build(value, value_type, f"{where}.{key.value}")
        return built

    def _struct(self, node: yaml.Node, type_: type[msgspec.Struct], where: str) -> Any:
        fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
        hints = get_type_hints(type_, include_extras=True)
        tag_field = type_.__struct_config__.tag_field
        values: dict[str, Any] = {}
        for key, value in self._mapping(node, where):
            if key.value == tag_field:
                continue
            if key.value not in fields:
                known = [*fields, *([tag_field] if tag_field else [])]
                raise self.fail(key, f"unknown key '{key.value}'{near_match(key.value, known)}")
            name = fields[key.value].name
            values[name] = self.build(value, hints[name], f"{where}.{key.value}".lstrip("."))
        for field in fields.values():
            if field.required and field.name not in values:
                raise self.fail(node, f"'{where or 'the document'}' lacks the key '{field.encode_name}'")
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
            closed = _choices(type_)
            hint = f": it must be one of {', '.join(closed)}{near_match(str(value), closed)}" if closed else f": {error}"
            raise self.fail(node, f"'{where}' cannot be {str(value)[:60]!r}{hint}") from error

    def _plain(self, node: yaml.ScalarNode, where: str) -> Any:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if tag not in ("str", "int", "float", "bool", "null", "timestamp"):
            raise self.fail(node, f"'{where}' has the tag {node.tag}, which is not allowed")
        if tag in ("str", "timestamp"):
            return node.value
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (ValueError, yaml.YAMLError) as error:
            raise self.fail(node, f"'{where}' is no {tag}") from error


def _choices(type_: Any) -> list[str]:
    if get_origin(type_) is Literal:
        return [str(choice) for choice in get_args(type_)]
    if isinstance(type_, type) and issubclass(type_, Enum):
        return [str(member.value) for member in type_]
    return []
