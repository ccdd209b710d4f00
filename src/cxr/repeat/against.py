"""What every run of a repeat must equal: a run trained here, or a golden file.

A strict run promises the same bits on its own machine alone, so it is compared with here only where
nothing that affects bits differs; a golden, which may come from anywhere, only at ``portable``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.compare.divergence import find_first_divergence
from cxr.compare.environment_reference import load_reference
from cxr.compare.sound_run import load_sound_run
from cxr.compare.verify_environment import capture_for, verify_environment
from cxr.config.fields import find_recipe_fields
from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.digests.canonical import digest_json
from cxr.errors import RecordError, UsageError
from cxr.json_file import load_json_object
from cxr.progress import SILENCE, Progress
from cxr.records.manifest import Manifest
from cxr.records.repeat_record import find_first_run
from cxr.records.run_directory import REPEAT
from cxr.repeat.report import AgainstReport, judge_against
from cxr.repeat.verify import verify_repeat

_INPUTS: Final = {
    "config_digest": "config",
    "data_digest": "data",
    "weights_in": "given weights",
    "arithmetic": "arithmetic",
}
"""Parts of the recipe that must be the same; other code is what is asked about."""

_GOLDEN: Final = ("recipe_digest", "outcome_digest", "determinism")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What every run must equal.

    Attributes:
        path: As it was given; of a repeat, its first run.
        recipe: Digests of its inputs; None in a golden that has but the digest of all of them.
        recipe_digest: Of all of them, the code's among them.
        outcome_digest: What must come out.
        trace_digest: What must happen at every step; None where a golden does not say.
        level: Its level.
        manifest: Of a run.
    """

    path: Path
    recipe: Mapping[str, Any] | None
    recipe_digest: str
    outcome_digest: str
    trace_digest: str | None
    level: Level
    manifest: Manifest | None = None


def load_comparable(path: Path, config: RunConfig, progress: Progress = SILENCE) -> Wanted:
    """Read what the runs of a recipe must equal, before anything is trained.

    Args:
        path: A completed run of this machine, a repeat whose runs are equal, or a golden's file.
        config: The recipe of the runs.
        progress: Told what is being done.

    Raises:
        UsageError: A golden, below the level ``portable``.
        RecordError: It is neither, was changed, is of another recipe, or was trained on a machine
            that makes other bits.
        Interrupted: A signal came.
    """
    wanted = load_wanted(path)
    if wanted.manifest is None and config.determinism is not Level.PORTABLE:
        raise UsageError(
            f"a stored golden does not gate at the level {config.determinism}",
            where=str(path),
            hint="its bits hold on one machine alone: train the base here, and name that run",
        )
    _require_same_config(wanted, config)
    if wanted.manifest is not None and config.determinism is not Level.PORTABLE:
        _require_same_machine(wanted, progress)
    return wanted


def load_wanted(path: Path) -> Wanted:
    """Read a completed run, the first of a repeat's, or a golden as ``cxr train --json`` prints it.

    Raises:
        RecordError: It is neither, did not complete, or was changed since; or the repeat's runs are
            not equal.
    """
    if not path.is_dir():
        return _load_golden(path)
    path = _find_run(path)
    manifest = load_sound_run(path, refusal="the run to compare with does not verify")
    return Wanted(
        path=path,
        recipe=manifest["recipe"],
        recipe_digest=manifest["recipe_digest"],
        outcome_digest=manifest["outcome_digest"],
        trace_digest=manifest["trace_digest"],
        level=Level(manifest["recipe"]["determinism"]),
        manifest=manifest,
    )


def _find_run(path: Path) -> Path:
    """Return a run's directory, or that of the first run of a repeat whose runs are all equal."""
    first = find_first_run(path)
    if first is None:
        return path
    findings = verify_repeat(path).findings
    verdict = load_json_object(path / REPEAT).get("verdict")
    if findings or verdict != "zero-variance":
        problem = f"{findings[0].path} {findings[0].problem}" if findings else str(verdict)[:40]
        raise RecordError(
            f"the repeat to compare with is not of equal runs: {problem}",
            where=str(path),
            hint="name one of its runs, or repeat it; cxr verify says more",
        )
    return first


def _load_golden(path: Path) -> Wanted:
    content = load_json_object(path)
    recipe, trace = content.get("recipe"), content.get("trace_digest")
    if (
        not all(isinstance(content.get(name), str) for name in _GOLDEN)
        or content["determinism"] not in set(Level)
        or not isinstance(recipe, dict | None)
        or not isinstance(trace, str | None)
    ):
        raise RecordError(
            f"neither a run nor a golden: it lacks {', '.join(_GOLDEN)}",
            where=str(path),
            hint="name a run's directory, or a file that holds what cxr train --json prints",
        )
    return Wanted(
        path=path,
        recipe=recipe,
        recipe_digest=content["recipe_digest"],
        outcome_digest=content["outcome_digest"],
        trace_digest=trace,
        level=Level(content["determinism"]),
    )


def _require_same_config(wanted: Wanted, config: RunConfig) -> None:
    """Compare the configs field by field where both are there, by their digest otherwise."""
    fields = find_recipe_fields(config)
    names: Sequence[str] = []
    if wanted.level != config.determinism:
        names = ["determinism"]
    elif wanted.manifest is not None:
        theirs = wanted.manifest["config"]["recipe"]
        names = [
            name for name in {**theirs, **fields} if theirs.get(name, ...) != fields.get(name, ...)
        ]
    elif wanted.recipe is not None and wanted.recipe.get("config_digest") != digest_json(fields):
        names = ["config"]
    if names:
        raise _describe_other(wanted, names)


def _require_same_machine(wanted: Wanted, progress: Progress) -> None:
    """Refuse a run of another machine: equal or not, that would say nothing about the code."""
    reference = load_reference(wanted.path)
    found = capture_for(reference, (), progress)
    report = verify_environment(reference, found)
    names = [one.field for one in report.differences if one.affects_bits == "yes"]
    if names:
        raise RecordError(
            f"the run was trained in another environment: {', '.join(names)}",
            where=str(wanted.path),
            hint="train the base here, in this job; cxr env verify RUN says what differs",
        )


def require_same_recipe(wanted: Wanted, manifest: Manifest) -> None:
    """Refuse a run whose inputs, other than code, are not those of what it is compared with.

    Args:
        wanted: What every run must equal.
        manifest: Of the first run.

    Raises:
        RecordError: Another recipe.
    """
    if wanted.recipe is None:
        if wanted.recipe_digest != manifest["recipe_digest"]:
            raise _describe_other(wanted, ["recipe_digest"])
        return
    names = [
        word
        for name, word in _INPUTS.items()
        if wanted.recipe.get(name) != manifest["recipe"].get(name)
    ]
    if names:
        raise _describe_other(wanted, names)


def _describe_other(wanted: Wanted, names: Sequence[str]) -> RecordError:
    return RecordError(
        f"another recipe: it differs in {', '.join(names)}",
        where=str(wanted.path),
        hint="compare runs of one recipe; the code alone may differ",
    )


def compare_with(wanted: Wanted, runs: Mapping[Path, Manifest], num_runs: int) -> AgainstReport:
    """Compare completed runs with what each of them must equal.

    Args:
        wanted: That.
        runs: The runs' manifests, by their directories, in order.
        num_runs: How many there are to be.
    """
    pairs = [(one["outcome_digest"], one["trace_digest"]) for one in runs.values()]
    equal, place = judge_against(wanted.outcome_digest, wanted.trace_digest, pairs, num_runs)
    divergence = None
    if place is not None and wanted.manifest is not None:
        other = list(runs.items())[place]
        divergence = find_first_divergence((wanted.path, wanted.manifest), other)
    return AgainstReport(
        run=str(wanted.path),
        outcome_digest=wanted.outcome_digest,
        trace_digest=wanted.trace_digest,
        equal=equal,
        differing=None if place is None else str(list(runs)[place]),
        first_divergence=divergence,
    )
