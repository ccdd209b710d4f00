"""Turning pydantic's errors into problems with file, line, key and the nearest valid key."""

from __future__ import annotations

import difflib
import types
import typing
from typing import Any

from pydantic import BaseModel, ValidationError

from cxr.config.schema import FileWeights, HubWeights, RunConfig
from cxr.config.strict_yaml import Document, KeyPath, Problem

TAGGED_UNION: KeyPath = ("model", "weights")
"""The union whose members pydantic names by their tag, which may be a key's name as well."""

_MESSAGES = {
    "missing": "the field is missing",
    "extra_forbidden": "unknown key",
    "model_type": "must be a mapping of keys",
    "union_tag_not_found": "needs the key source",
}


def explain_error(error: ValidationError, document: Document) -> list[Problem]:
    """Return one problem for each of pydantic's errors, in the order of the file."""
    problems: dict[tuple[str, str], Problem] = {}
    details = [(_strip_tags(d["loc"], document), d) for d in error.errors(include_url=False)]
    for path, detail in details:
        # A union gives an error for each of its members: the one that goes deepest says why.
        if any(len(other) > len(path) and other[: len(path)] == path for other, _ in details):
            continue
        source, line = find_place(document, path)
        dotted = ".".join(map(str, path))
        message = _MESSAGES.get(detail["type"], detail["msg"].replace("Input should", "should"))
        if detail["type"] not in _MESSAGES:
            message += f", not {_shorten(detail['input'])}"
        hint = _suggest(path, document) if detail["type"] == "extra_forbidden" else ""
        problems[dotted, source] = Problem(message, source, line, dotted, hint)
    return sorted(problems.values(), key=lambda problem: (problem.source, problem.line))


def find_place(document: Document, path: KeyPath) -> tuple[str, int]:
    """Return the file and line of a key, or of the nearest mapping around it."""
    for length in range(len(path), -1, -1):
        if path[:length] in document.places:
            return document.places[path[:length]]
    return "config", 0


def list_fields(section: type[BaseModel] = RunConfig, prefix: str = "") -> list[str]:
    """Return the dotted name of every field that a config may have."""
    names: list[str] = []
    for name, info in section.model_fields.items():
        inner = _find_sections(info.annotation)
        if not inner or any(arm is types.NoneType for arm in typing.get_args(info.annotation)):
            names.append(prefix + name)
        for model in inner:
            names.extend(list_fields(model, f"{prefix}{name}."))
    return list(dict.fromkeys(names))


def _find_sections(annotation: Any) -> list[type[BaseModel]]:
    """Return the sections that a field's type names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for arm in typing.get_args(annotation) for model in _find_sections(arm)]


def _strip_tags(location: tuple[int | str, ...], document: Document) -> KeyPath:
    """Drop the union members that pydantic puts between the keys of a location."""
    path: KeyPath = ()
    tree: Any = document.data
    for index, key in enumerate(location):
        last = index == len(location) - 1
        holds = (isinstance(tree, dict) and key in tree) or (
            isinstance(tree, list) and isinstance(key, int) and key < len(tree)
        )
        if path == TAGGED_UNION and not last and index == len(path):
            continue
        if holds:
            path = (*path, key)
            tree = tree[key]
        elif (
            last
            and isinstance(tree, (dict, list))
            and type(key) is (str if isinstance(tree, dict) else int)
        ):
            path = (*path, key)
    return path


def _suggest(path: KeyPath, document: Document) -> str:
    """Name the valid keys that are nearest to an unknown one."""
    dotted = ".".join(map(str, path))
    fields = [name for name in list_fields() if name != dotted]
    if path[:-1] == TAGGED_UNION:
        member = document.data["model"]["weights"].get("source")
        fields = [
            name
            for section in (FileWeights, HubWeights)
            if section.__name__.lower().startswith(str(member))
            for name in list_fields(section, "model.weights.")
        ]
    prefix = ".".join(map(str, path[:-1]))
    siblings = [name for name in fields if name.rpartition(".")[0] == prefix]
    sections = sorted({name.partition(".")[0] for name in fields}) if not prefix else []
    leaf = str(path[-1])
    # Of fields with one name the nearest counts, then the first: train.batch_size, not evaluate's.
    by_leaf = {name.rpartition(".")[2]: name for name in [*reversed(fields), *sections, *siblings]}
    near = difflib.get_close_matches(dotted, [*siblings, *sections], n=1, cutoff=0.7)
    if not near:
        near = [by_leaf[name] for name in difflib.get_close_matches(leaf, by_leaf, n=1)]
    return f"did you mean {near[0]}?" if near else "no key has a name near it"


def _shorten(value: Any) -> str:
    """Show a refused value on one line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a screen's width
