"""Which series of runs ``cxr repeat`` is asked for: a new one, or one to go on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxr.cli.console import shown_progress
from cxr.cli.repeat_kinds import Wish, ask
from cxr.errors import UsageError

if TYPE_CHECKING:
    from cxr.repeat.against import Wanted
    from cxr.repeat.series import Series

NUM_RUNS: Final = 3
"""Runs unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRuns:
    """What the options say of the runs.

    Attributes:
        config: The config's file.
        num_runs: How many runs.
        overrides: The texts of ``--set``.
        against: What every run must equal.
        is_stressed: Whether what must not matter is varied.
        wish: For another kind of series than equal runs.
    """

    config: Path | None
    num_runs: int | None
    overrides: Sequence[str]
    against: Path | None
    is_stressed: bool
    wish: Wish

    @property
    def says_what(self) -> bool:
        """Whether anything is said that the record of a series has."""
        said = (self.config, self.num_runs, self.overrides, self.is_stressed, self.wish)
        return any(map(bool, said))


def take_series(asked: AskedRuns) -> Series:
    """Return the series that the command line asks for.

    Raises:
        UsageError: Options do not go together, or do not fit the recipe.
        ConfigError: The config cannot be read.
    """
    if asked.wish:
        series = _take_other_series(asked)
        _refuse_beside(asked)
        return series
    if asked.num_runs == 1 and (asked.against is None or asked.is_stressed):
        raise UsageError(
            "one run repeats nothing",
            where="-n 1",
            hint="ask for two or more, or name with --against what one must equal",
        )
    from cxr.config.load import load_config

    resolved = load_config(_require_config(asked.config), asked.overrides)
    from cxr.repeat.series import EQUAL, STRESS, Series

    return Series(
        config=resolved,
        num_runs=asked.num_runs or NUM_RUNS,
        asked={"kind": STRESS if asked.is_stressed else EQUAL},
    )


def take_up_series(asked: AskedRuns, directory: Path, out: Path | None) -> Series:
    """Return the series that is to be gone on with, as its record has it.

    Args:
        asked: What else the command line says.
        directory: The series' own.
        out: What ``--out`` names, if it is given.

    Raises:
        UsageError: Something is said that stands in the record.
        RecordError: It is no repeat's directory, or was edited.
    """
    if asked.says_what or out:
        raise UsageError(
            "--resume takes the recipe, the number of runs and --stress from the record",
            where="cxr repeat",
            hint="give --resume DIR with no more than --against, --jobs, --figures, --json and -q",
        )
    from cxr.repeat.record import load_series

    return load_series(directory)


def _take_other_series(asked: AskedRuns) -> Series:
    """Return the series over seeds or factors that the command line asks for."""
    from cxr.config.load import load_config

    resolved = load_config(_require_config(asked.config), asked.overrides)
    from cxr.repeat.series import Series, plan_series

    kind = ask(asked.wish, resolved)
    planned = len(plan_series(Series(config=resolved, num_runs=0, asked=kind)))
    return Series(config=resolved, num_runs=planned, asked=kind)


def _refuse_beside(asked: AskedRuns) -> None:
    """Refuse what has no meaning where the runs are to differ."""
    given = {
        "-n": asked.num_runs is not None,
        "--against": asked.against is not None,
        "--stress": asked.is_stressed,
    }
    for option, is_given in given.items():
        if is_given:
            raise UsageError(
                f"{option} is for equal runs; over seeds and factors they differ",
                where="cxr repeat",
                hint=f"leave out {option}, or ask for it in a repeat of its own",
            )


def _require_config(config: Path | None) -> Path:
    if config is None:
        raise UsageError(
            "give --config, or --resume alone",
            where="cxr repeat",
            hint="cxr repeat --config FILE to begin, cxr repeat --resume DIR to go on",
        )
    return config


def load_wanted(series: Series, against: Path | None, *, quiet: bool) -> Wanted | None:
    """Return what every run must equal; where a series goes on, the same as before.

    Raises:
        UsageError: It is another one than before, or was named before and is not now.
        RecordError: The runs cannot be compared with it.
    """
    recorded = series.against
    if against is None:
        if recorded is not None:
            raise UsageError(
                f"the runs were to equal {str(recorded.get('run'))[:80]}, which is not named now",
                where="cxr repeat --resume",
                hint="name it again with --against: a record holds no path outside of it",
            )
        return None
    from cxr.repeat.against import load_comparable

    with shown_progress(quiet=quiet) as progress:
        wanted = load_comparable(against, series.config, progress)
    if recorded is not None and recorded.get("outcome_digest") != wanted.outcome_digest:
        raise UsageError(
            "the runs were to equal another run, with another outcome",
            where=str(against),
            hint="name that one, or start a new repeat",
        )
    return wanted
