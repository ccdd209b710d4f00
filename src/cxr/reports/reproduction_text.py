"""A reproduction in words: what differs here, and what came of it."""

from __future__ import annotations

import shlex
from typing import Final

from cxr.reports.values import describe_values
from cxr.reproduce.plan import Item, Plan

_SHOWN: Final = 30
_NO_IMAGES: Final = ("data.root", "data.pseudonym_key")
"""Fields of data that are no image's."""


def describe_plan(plan: Plan) -> str:
    """Return in one line whether anything keeps the run from being reproduced."""
    num = len(plan.in_the_way)
    if num:
        things = "1 thing is" if num == 1 else f"{num} things are"
        return f"not yet: {things} in the way at the level {plan.level}"
    return f"possible: nothing that affects bits at the level {plan.level} is in the way"


def list_rows(plan: Plan) -> list[list[str]]:
    """Return a row for each difference, the first ones: field, recorded, here, effect."""
    return [
        [item.field, *describe_values(item.expected, item.found), describe_effect(item)]
        for item in plan.items[:_SHOWN]
    ]


def describe_rest(plan: Plan) -> str | None:
    """Return how many differences the rows leave out."""
    left = len(plan.items) - _SHOWN
    return f"and {left:,} more; --json has all" if left > 0 else None


def describe_effect(item: Item) -> str:
    """Return what a difference does to the reproduction."""
    if item.remedy is not None:
        return "put right"
    return {"yes": "in the way", "unknown": "in the way", "no": "no matter"}[item.affects_bits]


def list_advice(plan: Plan) -> list[str]:
    """Return what to do about each thing in the way, each advice once."""
    return list(dict.fromkeys(f"{_name(item)}: {item.do}" for item in plan.in_the_way))[:_SHOWN]


def describe_command(plan: Plan) -> str | None:
    """Return the commands that bring Python and packages back, where they are in the way."""
    expected = {item.field: item.expected for item in plan.in_the_way}
    python = expected.get("python.version")
    prefix = "packages."
    pins = [
        shlex.quote(f"{name.removeprefix(prefix)}=={version}")
        for name, version in expected.items()
        if name.startswith(prefix) and version is not None
    ]
    made = [f"uv venv --python {shlex.quote(str(python))}"] if python is not None else []
    return " && ".join([*made, *([f"uv pip install {' '.join(pins)}"] if pins else [])]) or None


def _name(item: Item) -> str:
    return "images" if item.part == "data" and item.field not in _NO_IMAGES else item.field
