"""What a benchmark ends with: tables on stdout, targets met or missed, and JSON on request."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cxr.environment.capture import capture_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text under a header; the first column is left-aligned, the others right."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def format(self) -> str:
        """Return the table as lines of text."""
        cells = [list(self.header), *(list(row) for row in self.rows)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(self.header))]
        lines = [
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        return "\n".join([self.title, *(f"  {line}" for line in lines)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure and the limit that it should keep to.

    Attributes:
        name: What is measured.
        figure: What was found.
        limit: The limit.
        at_most: Whether the figure should be at most the limit, or at least.
    """

    name: str
    figure: float
    limit: float
    at_most: bool = True

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps to its limit."""
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit

    def format(self) -> str:
        """Return one line."""
        word = "at most" if self.at_most else "at least"
        verdict = "met" if self.is_met else "MISSED"
        return f"{self.name}: {self.figure:.3f}, target {word} {self.limit:g}: {verdict}"


@dataclass(slots=True, kw_only=True)
class Result:
    """A benchmark's result.

    Attributes:
        benchmark: Its name.
        settings: What it was run with.
        figures: Every number, unrounded.
        tables: What is printed.
        targets: What should hold.
    """

    benchmark: str
    settings: dict[str, Any]
    figures: dict[str, Any] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def show(self, json_file: Path | None) -> None:
        """Print tables and targets, and write everything to ``json_file`` where one is given."""
        machine = describe_machine()
        print(", ".join(f"{name} {value}" for name, value in machine.items()))
        for table in self.tables:
            print(f"\n{table.format()}")
        print()
        for target in self.targets:
            print(target.format())
        if json_file is None:
            return
        document = {
            "benchmark": self.benchmark,
            "machine": machine,
            "settings": self.settings,
            "figures": self.figures,
            "targets": [{**asdict(target), "is_met": target.is_met} for target in self.targets],
        }
        json_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def describe_machine() -> dict[str, Any]:
    """Return what a figure depends on: processor, cores and versions, and no name of a host.

    Threads that sleep between two ops (``OMP_WAIT_POLICY=PASSIVE``) take tens of microseconds to
    wake: small ops in turn then cost several times what they do by default.
    """
    found = capture_environment()
    packages = found["packages"]
    versions = {
        name: packages[name]
        for name in ("torch", "torchvision", "timm", "lightning", "typer")
        if name in packages
    }
    return {
        "cpu": found["cpu"]["model"],
        "cores": found["cpu"]["cores_available"],
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
        "python": found["python"]["version"],
        **versions,
    }


def format_ms(seconds: float) -> str:
    """Return a duration in milliseconds."""
    return f"{seconds * 1e3:.2f} ms"
