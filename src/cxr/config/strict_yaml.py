"""Reading YAML strictly: plain data only, each value with the file and line it stands on.

PyYAML alone keeps the last of two equal keys, reads ``1e-3`` as text, builds objects from tags and
lets aliases multiply a small file into gigabytes. Here duplicate keys, tags, anchors and deep
nesting are refused, and numbers follow YAML 1.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from cxr.bounded_file import read_bounded

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 20

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a config.

    Attributes:
        message: What is wrong.
        source: The file, or ``--set``.
        line: One-based line, or 0 where there is none.
        key: Dotted path of the field, or an empty string.
        hint: What would be right.
    """

    message: str
    source: str
    line: int = 0
    key: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Return ``file:line: key: message (hint)``."""
        place = f"{self.source}:{self.line}" if self.line else self.source
        key = f"{self.key}: " if self.key else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {key}{self.message}{hint}"


@dataclass(slots=True)
class Document:
    """Plain data from one YAML file, and where each value stands.

    Attributes:
        data: The top-level mapping.
        places: Key path to (file, line).
        problems: What was refused while reading.
    """

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, tuple[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class _PlainLoader(yaml.SafeLoader):
    """A loader whose scalars are null, booleans, integers, floats and text, as in YAML 1.2."""


_PlainLoader.yaml_implicit_resolvers = {}
_RESOLVERS: Final = (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]{1,40}$", list("-+0123456789")),
    (
        "float",
        (
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        list("-+0123456789."),
    ),
)
for _tag, _pattern, _first in _RESOLVERS:
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


class _PlainDumper(yaml.SafeDumper):
    """A dumper that quotes text which either version of YAML would read as something else."""


for _tag, _pattern, _first in _RESOLVERS:
    _PlainDumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)

_INT_TAG: Final = "tag:yaml.org,2002:int"


def read_scalar(text: str) -> Any:
    """Return the value that ``text`` has as a YAML value, for ``--set key=value``.

    Raises:
        yaml.YAMLError: It is not YAML, or not plain data.
    """
    document = Document()
    if problem := _refuse_events(text, "--set"):
        raise yaml.YAMLError(problem.message)
    node = yaml.compose(text, Loader=_PlainLoader)
    value = _build(node, (), "--set", document, depth=0) if node is not None else None
    if document.problems:
        raise yaml.YAMLError(document.problems[0].message)
    return value


def dump_plain(tree: dict[str, Any]) -> str:
    """Return a tree of plain values as YAML that reads back to the same values."""
    return yaml.dump(tree, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100)


def load_document(path: Path) -> Document:
    """Read a YAML file whose top level must be a mapping.

    Problems of content are collected in the result; nothing is raised for them.

    Raises:
        OSError: The file cannot be read, or is no regular one.
    """
    document = Document()
    source = str(path)
    if path.stat().st_size > MAX_BYTES:
        document.problems.append(Problem(f"larger than {MAX_BYTES:,} bytes", source))
        return document
    node = _compose(read_bounded(path, max_bytes=MAX_BYTES), source, document)
    if isinstance(node, yaml.MappingNode):
        document.data = _build(node, (), source, document, depth=0)
    elif not document.problems:
        kinds = {type(None): "the file is empty", yaml.SequenceNode: "the top level is a list"}
        message = kinds.get(type(node), "the top level is a single value")
        document.problems.append(Problem(f"{message}, not a mapping of keys", source, 1))
    return document


def _compose(content: bytes, source: str, document: Document) -> yaml.Node | None:
    """Return the root node, or None after noting why there is none."""
    try:
        text = content.decode("utf-8")
        if problem := _refuse_events(text, source):
            document.problems.append(problem)
            return None
        node: yaml.Node | None = yaml.compose(text, Loader=_PlainLoader)
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text: byte {error.start} is not valid"
        document.problems.append(Problem(message, source))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        message = f"not YAML: {error.problem or error.context}"
        document.problems.append(Problem(message, source, line))
    except yaml.YAMLError as error:
        message = f"not YAML: {' '.join(str(error).split())}"
        document.problems.append(Problem(message, source))
    else:
        return node
    return None


def _refuse_events(text: str, source: str) -> Problem | None:
    """Look for what is refused before any node is built, so that nothing can grow."""
    depth = 0
    for event in yaml.parse(text, Loader=_PlainLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            return Problem("anchors and aliases (& and *) are refused", source, line)
        tag = getattr(event, "tag", None)
        if tag is not None:
            return Problem(f"the tag {tag} is refused: only plain values", source, line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            return Problem(f"nested more than {MAX_DEPTH} deep", source, line)
    return None


def _build(node: yaml.Node, path: KeyPath, source: str, document: Document, *, depth: int) -> Any:
    """Turn a node into plain data, noting where each value stands."""
    document.places[path] = (source, node.start_mark.line + 1)
    if depth > MAX_DEPTH:
        document.problems.append(Problem(f"nested more than {MAX_DEPTH} deep", source))
        return None
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, path, source, document, depth=depth)
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(child, (*path, index), source, document, depth=depth + 1)
            for index, child in enumerate(node.value)
        ]
    if node.tag == _INT_TAG:
        # YAML 1.1 would read 010 as octal.
        return int(node.value)
    return _PlainLoader("").construct_object(node)


def _build_mapping(
    node: yaml.MappingNode, path: KeyPath, source: str, document: Document, *, depth: int
) -> dict[str, Any]:
    """Turn a mapping into a dict, refusing duplicate keys and keys that are not text."""
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        dotted = ".".join(map(str, (*path, key)))
        if key is None:
            document.problems.append(Problem("a key must be text", source, line))
        elif key in built:
            first = document.places[(*path, key)][1]
            message = f"the key stands twice, first on line {first}"
            document.problems.append(Problem(message, source, line, dotted))
        else:
            built[key] = _build(value_node, (*path, key), source, document, depth=depth + 1)
            document.places[(*path, key)] = (source, line)
    return built
