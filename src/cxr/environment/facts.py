"""Facts about an environment: their names, and at which levels each affects bits."""

from __future__ import annotations

from typing import Any, Final

from cxr.determinism.levels import (
    ALL_LEVELS,
    NATIVE_LEVELS,
    NO_LEVELS,
    PORTABLE_LEVELS,
    Level,
)
from cxr.determinism.variables import HARMLESS_VARIABLES, OWN_VARIABLES
from cxr.digests.canonical import digest_json

SCHEMA: Final = "cxr.environment/3"
READABLE_SCHEMAS: Final = ("cxr.environment/1", "cxr.environment/2", SCHEMA)

NOT_READ: Final = "not_read"
"""In place of a fact that was not looked for."""

Capture = dict[str, Any]
"""``schema``, and groups of facts."""

COMPUTING_PACKAGES: Final = ("numpy", "timm", "torch", "torchvision")
"""Distributions whose code computes what a run consists of."""

AS_INSTALLED: Final = "as installed"
"""In `imported`, for a package that Python finds where it was installed."""

ARITHMETIC: Final = "arithmetic.version"
"""The version of the arithmetic that computes at the level ``portable``, and nowhere else."""

NAMED_GROUPS: Final = ("variables", "packages", "origins", "imported", "installed")
"""Groups whose facts are named by the world: one that is not there is known not to be there."""

_LEVELS_BY_PREFIX: Final[tuple[tuple[str, tuple[Level, ...]], ...]] = (
    ("images.canaries", ALL_LEVELS),
    ("images.resizing", ALL_LEVELS),
    ("images.decoders", NO_LEVELS),
    (ARITHMETIC, PORTABLE_LEVELS),
    ("cpu.model", NATIVE_LEVELS),
    ("cpu.instruction_sets", NATIVE_LEVELS),
    ("cpu.machine", NATIVE_LEVELS),
    # The driver as well: it compiles those kernels for which a library brings no machine code.
    ("gpu", NATIVE_LEVELS),
    # Error correction and sharing change no kernel. What does is in other facts: a shared device
    # has another name, and fewer multiprocessors, by whose number sums are cut into parts.
    ("gpu.device_settings", NO_LEVELS),
    ("numerics", NATIVE_LEVELS),
    # The digest `numerics.build` says whether these differ, and the switch `torch.mkldnn_enabled`.
    ("numerics.build_text", NO_LEVELS),
    ("numerics.onednn", NO_LEVELS),
    # The recipe sets them: they are compared as a config field, and read back as switches.
    ("numerics.threads", NO_LEVELS),
    ("os.system", NATIVE_LEVELS),
    ("os.libc", NATIVE_LEVELS),
    ("python.version", NATIVE_LEVELS),
    ("switches", NATIVE_LEVELS),
    ("variables", NATIVE_LEVELS),
    # Those that cxr decides about are switches: set, read back and compared as such.
    *((f"variables.{name}", NO_LEVELS) for name in (*OWN_VARIABLES, *HARMLESS_VARIABLES)),
    # What computes: its version, where it came from, whether that is what Python imports, and
    # whether its files are as installed.
    *(
        (f"{group}.{name}", NATIVE_LEVELS)
        for group in ("packages", "origins", "imported", "installed")
        for name in COMPUTING_PACKAGES
    ),
)
"""Levels at which a fact affects bits, by the longest prefix of its dotted name; else at none.

The decoder's version does not count once its canaries decode to the same pixels.
"""


def flatten_environment(capture: Capture) -> dict[str, Any]:
    """Return a capture's facts by ``group.name``; the code has a digest of its own."""
    return {
        f"{group}.{name}": value
        for group, facts in capture.items()
        if isinstance(facts, dict) and group != "code"
        for name, value in facts.items()
    }


def find_levels(name: str) -> tuple[Level, ...]:
    """Return the levels at which the fact ``group.name`` affects bits."""
    matches = [
        (len(prefix), levels)
        for prefix, levels in _LEVELS_BY_PREFIX
        if name == prefix or name.startswith(f"{prefix}.")
    ]
    return max(matches, default=(0, NO_LEVELS))[1]


def counts_in(group: str, level: Level) -> bool:
    """Say whether any fact of a group affects bits at ``level``."""
    return any(
        level in levels and prefix.partition(".")[0] == group
        for prefix, levels in _LEVELS_BY_PREFIX
    )


def select_acting_facts(capture: Capture, level: Level) -> dict[str, Any]:
    """Return the facts that affect bits at ``level``, by dotted name."""
    facts = flatten_environment(capture)
    return {name: value for name, value in facts.items() if level in find_levels(name)}


def digest_environment(capture: Capture, level: Level) -> str:
    """Return the digest of the facts that affect bits at ``level``."""
    return digest_json(select_acting_facts(capture, level))
