"""Two values side by side in a table: of lists and maps, what only one of them has."""

from __future__ import annotations

import json
from typing import Any, Final

_ABSENT: Final = object()
_NAMES: Final = ("prefix", "name")
_TOLD: Final = ("version", "capability")


def describe_values(a: Any, b: Any) -> tuple[str, str]:
    """Return both values for a table; of lists and maps, what only one of them has."""
    if isinstance(a, list) and isinstance(b, list):
        return _only(a, b), _only(b, a)
    if isinstance(a, dict) and isinstance(b, dict):
        names = [name for name in {**a, **b} if a.get(name, _ABSENT) != b.get(name, _ABSENT)]
        return _entries(a, names), _entries(b, names)
    return show(a), show(b)


def show(value: Any) -> str:
    """Return one value for a table; a library or a device by its name and version."""
    if value is None:
        return "-"
    if isinstance(value, dict):
        name = next((value[key] for key in _NAMES if value.get(key)), None)
        if name is not None:
            told = [str(value[key]) for key in _TOLD if value.get(key)]
            return " ".join([str(name), *told])
        return json.dumps(value)
    if isinstance(value, list):
        return ", ".join(map(show, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value)


def _only(these: list[Any], others: list[Any]) -> str:
    own = [show(item) for item in these if item not in others]
    return f"only {', '.join(own)}" if own else "nothing more"


def _entries(values: dict[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {show(values.get(name))}" for name in names)
