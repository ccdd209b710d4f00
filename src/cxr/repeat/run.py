"""Training one recipe several times, each in a fresh process, and comparing what comes out."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cxr.atomic import write_text
from cxr.config.fields import digest_config
from cxr.config.load import dump_config
from cxr.errors import CxrError
from cxr.interruption import has_signal
from cxr.progress import Progress
from cxr.records.free_place import create_directory, create_named
from cxr.records.run_directory import CONFIG, REPEAT, hold_lock, name_run
from cxr.repeat.against import Wanted, compare_with, require_same_recipe
from cxr.repeat.judge import judge_series, outline_series
from cxr.repeat.plan import RunPlan
from cxr.repeat.pool import CONFIGS, RunEnd, Watcher, run_plans
from cxr.repeat.record import list_varied, write_repeat
from cxr.repeat.report import RepeatReport, load_completed, name_verdict
from cxr.repeat.series import EQUAL, STRESS, Series


class RunFailedError(CxrError):
    """The first of the runs ended before it left anything.

    Attributes:
        code: Its exit code.
        last_words: Its own error.
    """

    def __init__(self, end: RunEnd, *, where: str) -> None:
        super().__init__(
            f"the first run ended with exit code {end.code} before its first step",
            where=where,
            hint="mend what its error above says, then start again",
        )
        self.code = end.code
        self.last_words = end.last_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be trained, and how.

    Attributes:
        series: What was asked for.
        plans: A run each.
        against: What every run must equal, if anything; it is known to be comparable.
        jobs: How many run at a time.
        watcher: Told how it goes.
    """

    series: Series
    plans: Sequence[RunPlan]
    watcher: Watcher
    against: Wanted | None = None
    jobs: int = 1


def repeat_recipe(task: Task, *, out: Path | None) -> tuple[Path, RepeatReport]:
    """Train a recipe as often as it is planned, and compare.

    Args:
        task: What is to be trained.
        out: Directory for the runs and ``repeat.json``; by default one below ``runs/``.

    Returns:
        The directory and the report. ``repeat.json`` is written after each run, so that what is
        done is kept when a later run is stopped.

    Raises:
        CxrError: The directory cannot be written, the first run could not even begin, or it
            has other data or weights than what it was to equal.
    """
    if out is None:
        config = task.series.config
        name = name_run(f"repeat-{config.name}", digest_config(config), datetime.now(UTC))
        out = create_named(name)
    else:
        create_directory(out, what="repeat")
    write_text(out / CONFIG, dump_config(task.series.config, out))
    try:
        with hold_lock(out, option="--out"):
            return out, train_planned(task, out)
    except RunFailedError:
        _remove_empty(out)
        raise


def train_planned(
    task: Task, out: Path, *, left: Sequence[RunPlan] | None = None, going_on: Collection[str] = ()
) -> RepeatReport:
    """Train runs into the directory of a series, whose lock is held, and compare all of them.

    Args:
        task: What is to be trained.
        out: The directory, with ``config.yaml``.
        left: Those runs that are not there yet; None: all.
        going_on: Names of those that are to be gone on with.

    Raises:
        CxrError: As `repeat_recipe`.
    """
    plans = task.plans if left is None else left
    recorder = _Recorder(task, out)
    run_plans(
        out,
        task.series.config,
        plans,
        watcher=recorder,
        jobs=task.jobs,
        going_on=going_on,
        others_matter=lambda _: recorder.refusal is None,
    )
    if recorder.refusal is not None:
        raise RunFailedError(recorder.refusal, where=str(out))
    return recorder.conclude()


class _Recorder:
    """Writes the record after each run, and passes on how it goes.

    Attributes:
        report: What came of the runs so far.
        refusal: How a run ended that could not begin, where none had begun before it.
    """

    def __init__(self, task: Task, out: Path) -> None:
        self._task, self._out = task, out
        self.refusal: RunEnd | None = None
        self.report = self._record()

    def start(self, plan: RunPlan) -> Progress:
        """Pass it on."""
        return self._task.watcher.start(plan)

    def end(self, plan: RunPlan, end: RunEnd) -> None:
        """Write the record anew, unless the recipe is refused: then nothing is kept."""
        if self.refusal is not None:
            return
        if end.code > 0 and not has_signal() and not any(self._list_runs()):
            self.refusal = end
            return
        self.report = self._record()
        self._task.watcher.end(plan, end)

    def _list_runs(self) -> list[Path]:
        places = [self._out / plan.name for plan in self._task.plans]
        return [place for place in places if place.is_dir()]

    def conclude(self) -> RepeatReport:
        """Write the record with all that the runs tell, once none of them runs any more."""
        if self._task.series.kind not in (EQUAL, STRESS):
            self.report = self._record(judge_series)
        return self.report

    def _record(
        self, judge: Callable[[Series, Sequence[Path]], RepeatReport] = outline_series
    ) -> RepeatReport:
        """Write ``repeat.json`` as far as the runs have come."""
        task, runs = self._task, self._list_runs()
        report = judge(task.series, runs)
        completed = load_completed(runs)
        if task.against is not None:
            for manifest in completed.values():
                require_same_recipe(task.against, manifest)
            told = compare_with(task.against, completed, len(task.plans))
            verdict = name_verdict(report.verdict, equals_wanted=told.equal)
            report = replace(report, against=told, verdict=verdict)
        report = replace(report, varied=list_varied(task.plans))
        write_repeat(self._out, report, task.series.asked)
        return report


def _remove_empty(out: Path) -> None:
    """Remove a directory that holds nothing but what this module wrote."""
    for name in (CONFIG, REPEAT):
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / CONFIGS, ignore_errors=True)
    with contextlib.suppress(OSError):
        out.rmdir()
