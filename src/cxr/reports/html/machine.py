"""The machine, its libraries and the switches, as the run's record has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cxr.reports.html.blocks import Block, Facts, Folded, Section
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.wording import show_value

_FIRST: Final = (
    ("System", "os", "system"),
    ("Kernel", "os", "release"),
    ("C library", "os", "libc"),
    ("Container", "os", "container"),
    ("Processor", "cpu", "model"),
    ("Cores available", "cpu", "cores_available"),
    ("GPU", "gpu", "devices"),
    ("Python", "python", "version"),
    ("Code", "code", "commit"),
    ("Uncommitted changes", "code", "dirty"),
)
_LIBRARIES: Final = ("torch", "torchvision", "timm", "numpy", "pillow", "cxr")


def describe_machine(records: RunRecords) -> Section:
    """Return the section."""
    return Section(name="environment", title="Environment", blocks=list(_list_blocks(records)))


def _list_blocks(records: RunRecords) -> Iterator[Block]:
    environment = records.environment
    packages = take(environment, "packages")
    facts = [(title, show_value(find(environment, *path))) for title, *path in _FIRST]
    facts += [(name, show_value(packages[name])) for name in _LIBRARIES if name in packages]
    digest = str(records.manifest["environment_digest"])
    yield Facts(facts=[*facts, ("Digest of what counts", digest)])
    controls = records.manifest["controls"]
    yield Folded(
        summary=f"Switches, as they were read back: {len(controls):,}",
        blocks=[Facts(facts=_flatten(controls))],
        on_paper=False,
    )
    yield Folded(
        summary=f"Packages: {len(packages):,}",
        blocks=[Facts(facts=_flatten(packages))],
        on_paper=False,
    )
    rest = {
        name: environment[name]
        for name in ("os", "cpu", "gpu", "python", "numerics", "images", "variables")
        if name in environment
    }
    yield Folded(summary="All facts", blocks=[Facts(facts=_flatten(rest))], on_paper=False)


def find(facts: Mapping[str, Any], *path: str) -> Any:
    """Return a fact by its names, or None where the record has none of them."""
    value: Any = facts
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def take(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a group of facts, empty where the record has something else."""
    value = facts.get(name)
    return value if isinstance(value, dict) else {}


def _flatten(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return facts by their dotted names, sorted."""
    found: list[tuple[str, str]] = []
    for name in sorted(facts):
        value = facts[name]
        if isinstance(value, dict) and value:
            found += _flatten(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", show_value(value)))
    return found
