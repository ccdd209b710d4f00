"""What a run of a series is to be: its recipe, and what is around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cxr.config.schema import RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is around a run besides its variables and its working directory.

    Attributes:
        relative_paths: Whether it is given its paths relative to its working directory.
        order_seed: Draws the order of its environment variables; None: as they are here.
        umask: Its umask; None: this process's own.
        on_terminal: Whether its standard streams are a terminal.
        load: What is busy beside it, one kind a process: see `cxr.repeat.load`.
    """

    relative_paths: bool = False
    order_seed: int | None = None
    umask: int | None = None
    on_terminal: bool = False
    load: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One run of a series.

    Attributes:
        name: Of its directory, such as ``run-1``.
        config: Its recipe.
        variables: Changes of its environment by name; None removes a variable.
        working_directory: Where it is started; None: where this process is.
        varied: What is other than in the first run, in words.
        surroundings: What else is around it.
    """

    name: str
    config: RunConfig
    variables: Mapping[str, str | None] = field(default_factory=dict)
    working_directory: Path | None = None
    varied: tuple[str, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)


def name_nth_run(number: int) -> str:
    """Return the name of the n-th run of a series, counted from 1."""
    return f"run-{number}"


def plan_equal_runs(config: RunConfig, num_runs: int) -> Sequence[RunPlan]:
    """Return plans of runs that nothing tells apart."""
    return [RunPlan(name=name_nth_run(n), config=config) for n in range(1, num_runs + 1)]
