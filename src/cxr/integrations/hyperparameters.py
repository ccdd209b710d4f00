"""Hyperparameters of somebody else's training: flat, as JSON can hold them, and nothing private."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from cxr.determinism.variables import NOT_RECORDED
from cxr.environment.private_text import find_private_line, names_a_secret
from cxr.integrations.text_places import names_a_place

_ABSOLUTE: Final = ("/", "~", "\\\\")


def flatten_hyperparameters(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters by dotted name, in name order, with values that JSON can hold.

    A class or a function stands as its name, any other object as the name of its class: what it
    prints may hold an address, which is another one in each process. A number that JSON has no
    word for stands as text. What looks private, and a place on this machine, is ``not_recorded``.

    Args:
        tree: Mappings and sequences of any depth; their keys become the parts of a name.
    """
    return dict(sorted(_walk(tree, "")))


def _walk(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if _is_secret(name.rpartition(".")[2], value):
        yield name, NOT_RECORDED
    elif isinstance(value, Mapping) and (value or not name):
        for key, item in value.items():
            yield from _walk(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield name, [_describe(item) for item in _order(value)]
    else:
        yield name, _describe(value)


def _is_secret(key: str, value: Any) -> bool:
    """Say whether a field holds what nobody else may read; a number, as of a token, may be read."""
    return names_a_secret(key) and not (value is None or isinstance(value, (bool, int, float)))


def _order(values: Any) -> Sequence[Any]:
    """Return the members of a collection; those of a set in an order that repeats."""
    return sorted(values, key=repr) if isinstance(values, (set, frozenset)) else list(values)


def _describe(value: Any) -> Any:
    """Return one value as JSON can hold it."""
    if value is None or isinstance(value, (bool, int)):
        return value if value is None or isinstance(value, bool) else int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (str, PurePath)):
        return _describe_text(str(value))
    if isinstance(value, Mapping):
        return {
            str(key): NOT_RECORDED if _is_secret(str(key), item) else _describe(item)
            for key, item in sorted(value.items(), key=repr)
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_describe(item) for item in _order(value)]
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _describe_text(text: str) -> str:
    private = text.startswith(_ABSOLUTE) or names_a_place(text)
    return NOT_RECORDED if private or find_private_line(text) is not None else text
