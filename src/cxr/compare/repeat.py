"""Running one recipe several times, each in a fresh process, and comparing what comes out."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from cxr.atomic import write_bytes, write_text
from cxr.child_process import run_cxr
from cxr.config.fields import digest_config
from cxr.config.load import dump_config
from cxr.config.schema import RunConfig
from cxr.digests.canonical import canonical_json
from cxr.errors import CxrError, ExitCode, RecordError
from cxr.interruption import has_signal
from cxr.records.figures import SCALARS
from cxr.records.manifest import REPEAT_SCHEMA, Manifest, load_sealed_run, seal_manifest
from cxr.records.run_directory import CONFIG, REPEAT, create_directory, create_named, name_run

CONFIDENCE: Final = 0.95

Verdict = Literal["zero-variance", "variance", "incomplete"]
Spread = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatReport:
    """The answer of ``cxr repeat``.

    Attributes:
        n: Runs asked for.
        verdict: ``zero-variance`` only if all runs completed with equal outcome and trace.
        runs: Run directories, in order.
        outcome_digests: One a completed run.
        trace_digests: One a completed run.
        excluded_rate: Rates of divergence above this are excluded at 95 %; None without evidence.
        metrics: Mean, standard deviation, least and greatest of each figure.
    """

    n: int
    verdict: Verdict
    runs: list[str]
    outcome_digests: list[str]
    trace_digests: list[str]
    excluded_rate: float | None
    metrics: dict[str, Spread]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return asdict(self)


class RunFailedError(CxrError):
    """The first of the runs ended before it left anything; its own error was printed."""

    def __init__(self, code: int, *, where: str) -> None:
        super().__init__(
            f"the first run ended with exit code {code} before its first step",
            where=where,
            hint="mend what its error above says, then start again",
        )
        self.code = code


def repeat_recipe(
    config: RunConfig,
    num_runs: int,
    *,
    out: Path | None,
    quiet: bool,
    announce: Callable[[str], None],
) -> tuple[Path, RepeatReport]:
    """Train a recipe ``num_runs`` times and compare.

    Args:
        config: The recipe.
        num_runs: Two or more.
        out: Directory for the runs and ``repeat.json``; by default one below ``runs/``.
        quiet: Whether the runs show no progress.
        announce: Told which run begins.

    Returns:
        The directory and the report. ``repeat.json`` is written after each run, so that what is
        done is kept when a later run is stopped.

    Raises:
        CxrError: The directory cannot be written, or the first run could not even begin.
    """
    if out is None:
        name = name_run(f"repeat-{config.name}", digest_config(config), datetime.now(UTC))
        out = create_named(name)
    else:
        create_directory(out, what="repeat")
    write_text(out / CONFIG, dump_config(config, out))
    report = _record(out, [], num_runs)
    runs: list[Path] = []
    for number in range(1, num_runs + 1):
        if has_signal():
            break
        announce(f"run {number} of {num_runs}")
        run = out / f"run-{number}"
        code = _train_in_fresh_process(out / CONFIG, run, quiet=quiet)
        if not run.is_dir() and number == 1 and not has_signal():
            _remove_empty(out)
            raise RunFailedError(code, where=str(out))
        runs.append(run)
        report = _record(out, runs, num_runs)
        if code == ExitCode.INTERRUPTED:
            break
    return out, report


def derive_excluded_rate(num_runs: int) -> float | None:
    """Return the divergence rate that ``num_runs`` equal runs exclude at 95 %.

    If each run after the first differed with probability p, all would agree with probability
    (1 - p)^(num_runs - 1); above the returned p that is less than 5 %.
    """
    if num_runs < 2:  # noqa: PLR2004 - one run agrees with itself
        return None
    return 1.0 - float((1 - CONFIDENCE) ** (1 / (num_runs - 1)))


def summarise_runs(runs: Sequence[Path], num_runs: int) -> RepeatReport:
    """Compare run directories that are there."""
    completed = [manifest for run in runs if (manifest := _load_completed(run)) is not None]
    outcomes = [manifest["outcome_digest"] for manifest in completed]
    traces = [manifest["trace_digest"] for manifest in completed]
    equal = len(set(outcomes)) == 1 and len(set(traces)) == 1
    verdict: Verdict = "zero-variance" if equal else "variance"
    if len(completed) < num_runs:
        verdict = "incomplete"
    return RepeatReport(
        n=num_runs,
        verdict=verdict,
        runs=[str(run) for run in runs],
        outcome_digests=outcomes,
        trace_digests=traces,
        excluded_rate=derive_excluded_rate(len(completed)) if equal else None,
        metrics=_summarise_metrics(completed),
    )


def _train_in_fresh_process(config: Path, out: Path, *, quiet: bool) -> int:
    """Run ``cxr train`` in an interpreter of its own; its progress goes to this one's stderr."""
    options = ["--config", str(config), "--out", str(out), *(["--quiet"] if quiet else [])]
    return run_cxr(["train", *options])


def _load_completed(run: Path) -> Manifest | None:
    """Return the manifest of a run that completed, or None."""
    try:
        return load_sealed_run(run, completed=True)
    except RecordError:
        return None


def _summarise_metrics(manifests: Sequence[Manifest]) -> dict[str, Spread]:
    """Return the spread of every figure that is defined in all runs."""
    spreads: dict[str, Spread] = {}
    for name in SCALARS:
        values = [manifest["metrics"].get(name) for manifest in manifests]
        if values and None not in values:
            spreads[name] = {
                # Exact in between: equal values have a deviation of exactly 0.
                "mean": statistics.mean(values),
                "std": statistics.stdev(values) if len(values) > 1 else 0.0,
                "min": min(values),
                "max": max(values),
            }
    return spreads


def _record(out: Path, runs: Sequence[Path], num_runs: int) -> RepeatReport:
    """Write ``repeat.json`` as far as the runs have come."""
    report = summarise_runs(runs, num_runs)
    relative = [run.relative_to(out).as_posix() for run in runs]
    content = {**report.to_json(), "runs": relative, "schema": REPEAT_SCHEMA}
    write_bytes(out / REPEAT, canonical_json(seal_manifest(content)) + b"\n")
    return report


def _remove_empty(out: Path) -> None:
    """Remove a directory that holds nothing but what this module wrote."""
    for name in (CONFIG, REPEAT):
        (out / name).unlink(missing_ok=True)
    out.rmdir()
