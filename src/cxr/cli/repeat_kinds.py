"""What ``cxr repeat`` is asked for by ``--seeds``, ``--only`` and ``--vary``, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cxr.cli.console import print_line, print_table
from cxr.errors import UsageError
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.config.schema import RunConfig
    from cxr.repeat.report import RepeatReport
    from cxr.repeat.seeds import SeedsReport
    from cxr.repeat.vary import FactorsReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Options that ask for another kind of series than equal runs.

    Attributes:
        seeds: The text of ``--seeds``.
        only: The text of ``--only``.
        vary: The texts of ``--vary``, and those behind it.
    """

    seeds: str | None
    only: str | None
    vary: Sequence[str]

    def __bool__(self) -> bool:
        """Say whether any was given."""
        return bool(self.seeds is not None or self.only is not None or self.vary)


def read_wish(
    seeds: str | None, only: str | None, vary: Sequence[str] | None, more: Sequence[str] | None
) -> Wish:
    """Return what was wished for.

    Args:
        seeds: The text of ``--seeds``.
        only: The text of ``--only``.
        vary: The texts of ``--vary``.
        more: What stands behind the options: further factors, as no shell joins them to the first.

    Raises:
        UsageError: The options do not go together.
    """
    if more and not vary:
        raise UsageError(
            f"unexpected argument {more[0][:60]!r}",
            where="cxr repeat",
            hint="the config goes behind --config, factors behind --vary",
        )
    if only is not None and seeds is None:
        raise UsageError(
            "--only says which stream the seeds move, and there are no seeds",
            where=f"--only {only}",
            hint="name them, as in --seeds 0..9",
        )
    if seeds is not None and vary:
        raise UsageError(
            "seeds and factors are two questions",
            where="--seeds with --vary",
            hint="ask one after the other",
        )
    return Wish(seeds=seeds, only=only, vary=(*(vary or ()), *(more or ())))


def ask(wish: Wish, config: RunConfig) -> dict[str, Any]:
    """Return what a series is asked for, as its record keeps it.

    Raises:
        UsageError: Seeds, stream or factors are not those of this recipe.
    """
    from cxr.repeat.series import SEEDS, VARY

    if wish.seeds is None:
        from cxr.repeat.vary import ask_to_vary

        return {"kind": VARY, **ask_to_vary(config, wish.vary)}
    from cxr.repeat.only import require_movable
    from cxr.repeat.seeds import parse_seeds

    require_movable(config, wish.only)
    seeds = list(parse_seeds(wish.seeds))
    return {"kind": SEEDS, "seeds": seeds, "only": wish.only, "root": config.seed}


def show_kind(report: RepeatReport) -> None:
    """Print what a series of another kind than equal runs gave."""
    if report.seeds is not None:
        _show_seeds(report.seeds)
    if report.factors is not None:
        _show_factors(report.factors)


def _show_seeds(report: SeedsReport) -> None:
    from cxr.reports import seeds_text as words

    print_line(f"  {words.describe_moved(report)}")
    print_line()
    print_table(f"figures of the split {report.split} over seeds", *words.list_spread_rows(report))
    if report.per_class:
        print_line()
        print_table("classes, mean ± std", *words.list_class_rows(report))
    print_line()
    for line in words.describe_agreement(report.agreement):
        print_line(show_plainly(line))
    if report.agreement.worst:
        print_line()
        title = "coefficient of variation of the probability, over images"
        print_table(title, *words.list_variation_rows(report.agreement))
        print_line()
        print_table("images agreed about least", *words.list_image_rows(report.agreement))
    print_line()
    title = f"ensemble of {report.ensemble.num_runs} runs, {report.ensemble.method}"
    print_table(title, *words.list_ensemble_rows(report))


def _show_factors(report: FactorsReport) -> None:
    from cxr.reports.factors_text import describe_reference, list_effect_rows

    print_line(f"  {describe_reference(report)}")
    print_line()
    print_table("one factor at a time against the reference", *list_effect_rows(report))
