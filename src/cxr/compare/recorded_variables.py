"""Environment variables by which kernels are chosen: a record's, and this process's own."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Final

from cxr.determinism.variables import (
    HARMLESS_VARIABLES,
    NOT_RECORDED,
    OWN_VARIABLES,
    may_be_set_again,
    read_variables,
)
from cxr.environment.comparison import is_chosen
from cxr.records.manifest import Manifest

_NO_CHOICES: Final = frozenset({*OWN_VARIABLES, *HARMLESS_VARIABLES})
"""Variables that choose no kernels: cxr's own, and how threads wait."""


def read_choices(manifest: Manifest) -> dict[str, str]:
    """Return the variables by which a run's user had chosen kernels, where they are known.

    How threads wait is not among them: that is a matter of what else the machine does.
    """
    return {
        name: value
        for name, value in manifest["controls"].items()
        if isinstance(value, str)
        and name not in _NO_CHOICES
        and may_be_set_again(name, value)
        and is_chosen(name, value)
    }


def read_withheld(manifest: Manifest) -> set[str]:
    """Return the variables of which a run's record says no more than that they were set."""
    return {name for name, value in manifest["controls"].items() if value == NOT_RECORDED}


def read_choices_here() -> dict[str, str]:
    """Return the variables by which kernels are chosen in this process."""
    return {
        name: value
        for name, value in read_variables().items()
        if value is not None and name not in _NO_CHOICES and is_chosen(name, value)
    }


def derive_variables(choices: Mapping[str, str], withheld: Collection[str] = ()) -> dict[str, str]:
    """Return this process's variables, with recorded choices instead of its own.

    Args:
        choices: Of `read_choices`.
        withheld: Those that were set to what nobody knows: they stay as they are here.
    """
    chosen_here = [name for name in read_variables() if name not in {*_NO_CHOICES, *withheld}]
    kept = {name: value for name, value in os.environ.items() if name not in chosen_here}
    return {**kept, **choices}
