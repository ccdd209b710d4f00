"""A recipe under several seeds: what is planned, and the distribution that comes of it.

Here spread is the result and no fault: runs of one seed are equal, or `cxr repeat -n` finds why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cxr.config.schema import RunConfig
from cxr.determinism.streams import MAX_SEED
from cxr.errors import RecordError, UsageError
from cxr.records.figures import ALL_SCALARS, CLASS_FIGURES
from cxr.records.manifest import Manifest
from cxr.repeat.agreement import (
    Agreement,
    describe_agreement,
    load_common_images,
)
from cxr.repeat.ensemble import Ensemble, describe_runs_as_one
from cxr.repeat.only import MOVABLE, SPLIT, move_seed
from cxr.repeat.plan import RunPlan, name_nth_run
from cxr.statistics.seeds import SeedSpread, describe_seeds

MOST_SEEDS: Final = 1000

_PART: Final = re.compile(r"(\d{1,20})(?:\.\.(\d{1,20}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedsReport:
    """The distribution over seeds.

    Attributes:
        only: The stream that was moved; None: all but the split.
        seeds: Of the runs that completed, in order.
        missing: Of the others.
        split: What was predicted.
        figures: Spread of each figure of the split.
        per_class: Likewise, by class.
        agreement: How far the runs agree about images.
        ensemble: All of them as one.
    """

    only: str | None
    seeds: list[int]
    missing: list[int]
    split: str
    figures: dict[str, SeedSpread]
    per_class: dict[str, dict[str, SeedSpread]]
    agreement: Agreement
    ensemble: Ensemble

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that a text such as ``0..9`` or ``0,3,7..9`` names, each once, in order.

    Raises:
        UsageError: It names none, one twice, fewer than two, or what is no seed.
    """
    seeds: list[int] = []
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise _refuse(f"no seeds: {part[:40]!r}", text)
        first, last = int(found[1]), int(found[2] or found[1])
        if not 0 <= first <= last <= MAX_SEED or last - first >= MOST_SEEDS:
            raise _refuse(f"no range of seeds: {part[:40]!r}", text)
        seeds += range(first, last + 1)
    if len(set(seeds)) != len(seeds):
        raise _refuse("a seed is named twice", text)
    if not 2 <= len(seeds) <= MOST_SEEDS:  # noqa: PLR2004 - of one there is no spread
        raise _refuse(f"{len(seeds)} seeds, where 2 to {MOST_SEEDS} make a distribution", text)
    return tuple(seeds)


def plan_seed_runs(config: RunConfig, asked: Mapping[str, Any]) -> Sequence[RunPlan]:
    """Return a plan for each seed.

    Args:
        config: The recipe.
        asked: ``seeds``, ``only`` and ``root``, as the record of a series has them.

    Raises:
        RecordError: The record has them not.
    """
    seeds, only = read_asked_seeds(asked)
    return [
        RunPlan(
            name=name_nth_run(number),
            config=move_seed(config, seed, only),
            varied=(f"{_name_field(only)}={seed}",),
        )
        for number, seed in enumerate(seeds, start=1)
    ]


def read_asked_seeds(asked: Mapping[str, Any]) -> tuple[list[int], str | None]:
    """Return the seeds and the one stream, if any, that a series was asked for.

    Raises:
        RecordError: The record does not have them.
    """
    seeds, only, root = asked.get("seeds"), asked.get("only"), asked.get("root")
    whole = isinstance(seeds, list) and seeds and all(type(one) is int for one in (*seeds, root))
    if not whole or only not in (None, *MOVABLE):
        raise RecordError(
            "the repeat does not say which seeds it is over",
            where="repeat.json, series",
            hint="restore it, or start a new repeat in another directory",
        )
    return list(seeds or []), only


def describe_seed_runs(runs: Mapping[Path, Manifest], asked: Mapping[str, Any]) -> SeedsReport:
    """Return the distribution over completed runs.

    Args:
        runs: Their manifests, by their directories; at least one.
        asked: As of `plan_seed_runs`.

    Raises:
        RecordError: A run has no predictions, or other classes.
    """
    wanted, only = read_asked_seeds(asked)
    manifests = list(runs.values())
    seeds = [_read_seed(manifest, only) for manifest in manifests]
    metrics = [manifest["metrics"] for manifest in manifests]
    root, names = asked["root"], list(metrics[0].get("per_class", {}))

    def spread(values: Sequence[float | None]) -> SeedSpread:
        return describe_seeds(values, root=root)

    common = load_common_images(runs)
    return SeedsReport(
        only=only,
        seeds=seeds,
        missing=[seed for seed in wanted if seed not in seeds],
        split=metrics[0]["split"],
        figures={figure: spread([one.get(figure) for one in metrics]) for figure in ALL_SCALARS},
        per_class={
            name: {
                figure: spread([one["per_class"].get(name, {}).get(figure) for one in metrics])
                for figure in CLASS_FIGURES
            }
            for name in names
        },
        agreement=describe_agreement(common),
        ensemble=describe_runs_as_one(
            common, [manifest["recipe"]["determinism"] for manifest in manifests], metrics
        ),
    )


def _name_field(only: str | None) -> str:
    if only is None:
        return "seed"
    return "data.split_seed" if only == SPLIT else f"streams.{only}"


def _read_seed(manifest: Manifest, only: str | None) -> int:
    """Return the seed that a run was trained under, as its own record has it."""
    fields = {**manifest["config"]["rest"], **manifest["config"]["recipe"]}
    return int(fields[_name_field(only)])


def _refuse(problem: str, text: str) -> UsageError:
    return UsageError(
        problem,
        where=f"--seeds {text[:60]}",
        hint="name two or more, as in --seeds 0..9 or --seeds 0,3,7",
    )
