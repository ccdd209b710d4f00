"""Loading a config: `extends`, `--set`, paths, types; every problem is reported at once.

Paths have one rule, that of ``extends`` included: a relative path is relative to the directory of
the file that it is written in, links to that file followed; after ``--set`` it is relative to the
working directory.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from cxr.config.consistency import find_inconsistencies
from cxr.config.explain import TAGGED_UNION, explain_error, find_place
from cxr.config.schema import RunConfig
from cxr.config.strict_yaml import (
    Document,
    KeyPath,
    Problem,
    dump_plain,
    load_document,
    read_scalar,
)
from cxr.errors import ConfigError

PATH_FIELDS: Final[tuple[KeyPath, ...]] = (
    ("data", "root"),
    ("data", "cache_dir"),
    ("data", "lock"),
    ("data", "csv", "file"),
    ("data", "pseudonym_key"),
    ("model", "weights", "path"),
)
"""Fields that hold a path."""

_MAX_EXTENDS: Final = 10
_SET: Final = "--set"
_NUL: Final = "\0"


def load_config(path: Path, overrides: Sequence[str] = (), *, alone: bool = False) -> RunConfig:
    """Read, merge and check a config.

    Args:
        path: A YAML file.
        overrides: ``key.path=value`` texts, applied last, in order.
        alone: Whether it may extend no other file, as one that came from elsewhere.

    Returns:
        The config, with absolute paths.

    Raises:
        ConfigError: Holding every problem found.
    """
    document = _load_chain(path, alone=alone)
    _apply_overrides(document, overrides)
    _make_paths_absolute(document)
    if document.problems and not document.data:
        raise _describe(document.problems)
    try:
        # JSON is the one input for which strict types still accept lists and enumerations.
        config = RunConfig.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        raise _describe([*document.problems, *explain_error(error, document)]) from error
    if problems := [*document.problems, *find_inconsistencies(config, document)]:
        raise _describe(problems)
    return config


def dump_config(config: RunConfig, directory: Path) -> str:
    """Return the resolved config as YAML that loads again from a file in ``directory``."""
    tree = json.loads(config.model_dump_json())
    for path in PATH_FIELDS:
        holder = _find_holder(tree, path)
        if holder is not None and holder.get(path[-1]) is not None:
            holder[path[-1]] = _describe_place(holder[path[-1]], os.path.realpath(directory))
    return f"# The resolved config of a run: every field, defaults included.\n{dump_plain(tree)}"


def _describe_place(path: str, directory: str) -> str:
    """Return a path relative to ``directory``, or to the home directory where it only lies there.

    From elsewhere the way into a home directory would name whose it is.
    """
    with contextlib.suppress(RuntimeError):  # there may be no home directory
        home = Path.home()
        leads_home = home != Path(home.anchor) and Path(path).is_relative_to(home)
        if leads_home and not Path(directory).is_relative_to(home.resolve()):
            return Path("~", os.path.relpath(path, home)).as_posix()
    return Path(os.path.relpath(path, directory)).as_posix()


def find_config_files(path: Path) -> list[Path]:
    """Return a config's own file and those that it extends, as they are named and resolved.

    Raises:
        ConfigError: One cannot be read.
    """
    seen: list[Path] = []
    _load_chain(path, seen)
    return seen


def _load_chain(path: Path, files: list[Path] | None = None, *, alone: bool = False) -> Document:
    """Load ``path`` and what it extends, the extending file winning; ``files`` hears of each.

    Raises:
        ConfigError: A file cannot be opened, or nothing can be read of it: what it would hold is
            not told to be missing.
    """
    chain: list[Document] = []
    seen: list[Path] = []
    following: Path | None = path
    asked_at: tuple[str, int] | None = None
    while following is not None:
        resolved = following.resolve()
        if resolved in seen or len(seen) >= _MAX_EXTENDS:
            source, line = asked_at or (str(path), 0)
            message = "the chain of extends comes back to itself or is too long"
            chain[-1].problems.append(Problem(message, source, line, "extends"))
            break
        seen.append(resolved)
        if files is not None:
            files += [following, resolved]
        document = _load_file(following, asked_at)
        chain.append(document)
        if document.problems and not document.data:
            raise _describe([problem for one in chain for problem in one.problems])
        parent = document.data.pop("extends", None)
        asked_at = document.places.get(("extends",))
        here, following = following, None
        if alone and parent is not None:
            message = "extends must not be there: this config stands for itself"
            document.problems.append(Problem(message, *(asked_at or ("", 0)), "extends"))
        elif isinstance(parent, str) and _NUL not in parent:
            # Resolved only where it must be, so that errors name files as the user does.
            following = (resolved if here.is_symlink() else here).parent / parent
        elif parent is not None:
            message = "extends must be the path of another config"
            document.problems.append(Problem(message, *(asked_at or ("", 0)), "extends"))
    merged = Document()
    for document in reversed(chain):
        _drop_other_member(merged, document)
        _merge(merged.data, document.data)
        merged.places.update(document.places)
        merged.problems.extend(document.problems)
    return merged


def _load_file(path: Path, asked_at: tuple[str, int] | None) -> Document:
    """Load one file, or say why it cannot be."""
    where = f"{path}" if asked_at is None else f"{path}, extended in {asked_at[0]}:{asked_at[1]}"
    if path.is_dir():
        raise ConfigError(
            "the config is a directory, not a file",
            where=where,
            hint="give a YAML file such as configs/sample.yaml",
        )
    try:
        return load_document(path)
    except OSError as error:
        raise ConfigError(
            f"cannot read the config: {error.strerror or error}",
            where=where,
            hint="check the path; configs/ holds examples",
        ) from error


def _drop_other_member(below: Document, above: Document) -> None:
    """Forget a union's mapping if the file that extends it chooses another member.

    Fields of a file mean nothing to a hub: such mappings are replaced, not merged.
    """
    dropped = _find_holder(below.data, (*TAGGED_UNION, "source"))
    chosen = _find_holder(above.data, (*TAGGED_UNION, "source"))
    if dropped and chosen and dropped.get("source") != chosen.get("source", dropped.get("source")):
        dropped.clear()
        for place in [place for place in below.places if place[:2] == TAGGED_UNION]:
            del below.places[place]


def _merge(below: dict[str, Any], above: dict[str, Any]) -> None:
    """Lay ``above`` over ``below``: mappings are merged, everything else is replaced."""
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _merge(below[key], value)
        else:
            below[key] = value


def _apply_overrides(document: Document, overrides: Sequence[str]) -> None:
    """Apply ``--set`` texts, noting where each value comes from."""
    for text in overrides:
        dotted, equals, value_text = text.partition("=")
        source = f"{_SET} {text}"
        if not equals or not all(dotted.split(".")):
            document.problems.append(Problem("not of the form key.path=value", source))
            continue
        try:
            value = read_scalar(value_text)
        except (yaml.YAMLError, ValueError) as error:
            message = f"the value is not YAML: {' '.join(str(error).split())}"
            document.problems.append(Problem(message, source, key=dotted))
            continue
        path: KeyPath = tuple(dotted.split("."))
        tree = document.data
        for length, key in enumerate(path[:-1], start=1):
            inner = tree.get(str(key))
            if inner is None:
                inner = {}
                tree[str(key)] = inner
                document.places[path[:length]] = (source, 0)
            if not isinstance(inner, dict):
                # Left as it is: validation says where it stands and what it should be.
                break
            tree = inner
        else:
            _put(document, tree, path, value, source)


def _put(document: Document, tree: dict[str, Any], path: KeyPath, value: Any, source: str) -> None:
    """Set the last key of a path, and note where its value comes from."""
    tree[str(path[-1])] = value
    for place in [place for place in document.places if place[: len(path)] == path]:
        del document.places[place]
    document.places[path] = (source, 0)


def _make_paths_absolute(document: Document) -> None:
    """Resolve relative paths against the file they stand in, or the working directory."""
    for path in PATH_FIELDS:
        holder = _find_holder(document.data, path)
        value = holder.get(path[-1]) if holder is not None else None
        if holder is None or not isinstance(value, str):
            continue
        source, line = find_place(document, path)
        base = Path.cwd() if source.startswith(_SET) else Path(source).resolve().parent
        if _NUL in value:
            message = "a path cannot hold the character NUL"
            document.problems.append(Problem(message, source, line, ".".join(map(str, path))))
            continue
        try:
            holder[path[-1]] = os.path.normpath(base / Path(value).expanduser())
        except RuntimeError as error:
            message = f"the path has no home directory: {error}"
            document.problems.append(Problem(message, source, line, ".".join(map(str, path))))


def _find_holder(tree: dict[str, Any], path: KeyPath) -> dict[Any, Any] | None:
    """Return the mapping that would hold the last key of ``path``."""
    holder: Any = tree
    for key in path[:-1]:
        holder = holder.get(key) if isinstance(holder, dict) else None
    return holder if isinstance(holder, dict) else None


def _describe(problems: list[Problem]) -> ConfigError:
    """Put every problem into one error."""
    num = len(problems)
    return ConfigError(
        "the config has a problem" if num == 1 else f"the config has {num} problems",
        where="\n         ".join(map(str, problems)),
        hint="correct the config; docs/formats/config.md lists every field",
    )
