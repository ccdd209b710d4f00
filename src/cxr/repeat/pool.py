"""Running planned runs in fresh processes, some at a time, until all have ended or a signal comes.

However one of them ends, the others go on. A signal that comes is passed on to all that run, and
starts no other; each then leaves a record that says how far it came.
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from cxr.atomic import make_directory, write_text
from cxr.config.load import dump_config
from cxr.config.schema import RunConfig
from cxr.environment.processor import exceeds_cores
from cxr.interruption import blocked, has_signal, pass_on
from cxr.progress import Progress
from cxr.records.run_directory import CONFIG
from cxr.repeat.plan import RunPlan
from cxr.repeat.run_process import RunProcess, start_run

CONFIGS: Final = "configs"
"""Where the recipes of runs stand that are not the series' own."""

_TICK_S: Final = 0.1
_PATIENCE: Final = 2
"""Signals that are passed on; at the next one the runs are killed."""
_GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run's process ended.

    Attributes:
        name: Of the run.
        code: Its exit code; negative where a signal killed it.
        last_words: The last that it wrote to stderr.
    """

    name: str
    code: int
    last_words: str


class Watcher(Protocol):
    """Whoever wants to know how a series goes."""

    def start(self, plan: RunPlan) -> Progress:
        """Hear that a run begins; return whom its own progress is told to."""

    def end(self, plan: RunPlan, end: RunEnd) -> None:
        """Hear that a run has ended."""


def run_plans(
    directory: Path,
    base: RunConfig,
    plans: Sequence[RunPlan],
    *,
    watcher: Watcher,
    jobs: int = 1,
    going_on: Collection[str] = (),
    others_matter: Callable[[RunEnd], bool] = lambda _: True,
) -> list[RunEnd]:
    """Train runs, each in a process of its own, into directories of their names.

    Args:
        directory: Where they stand, with ``config.yaml``.
        base: The recipe in that file.
        plans: The runs, in the order in which they are started.
        watcher: Told how it goes, also where a run's record has ended.
        jobs: How many run at a time.
        going_on: Names of those that are there already, and are gone on with.
        others_matter: Asked after each end whether there is a point in the others.

    Returns:
        How the runs ended that were started, in the order of their ends.

    Raises:
        StorageError: A recipe cannot be written.
        OSError: A process cannot be started.
    """
    left, ends = list(reversed(plans)), list[RunEnd]()
    with _Pool() as pool:
        while True:
            while left and len(pool.running) < jobs and not has_signal():
                plan = left.pop()
                config = _write_config(directory, base, plan)
                progress = watcher.start(plan)
                out = directory / plan.name
                is_crowded = exceeds_cores(min(jobs, len(plans)) * plan.config.threads)
                pool.start(
                    plan,
                    config,
                    out,
                    progress,
                    goes_on=plan.name in going_on,
                    is_crowded=is_crowded,
                )
            if not pool.running:
                return ends
            for plan, end in pool.wait():
                watcher.end(plan, end)
                ends.append(end)
                if not others_matter(end):
                    left.clear()
                    pool.send(signal.SIGTERM)


def _write_config(directory: Path, base: RunConfig, plan: RunPlan) -> Path:
    """Return the file with a run's recipe, written first unless it is the series' own."""
    if plan.config == base:
        return directory / CONFIG
    make_directory(directory / CONFIGS)
    path = directory / CONFIGS / f"{plan.name}.yaml"
    write_text(path, dump_config(plan.config, path.parent))
    return path


class _Pool:
    """The processes under way, which get the signals that come here; none outlives the block."""

    def __init__(self) -> None:
        self.running: list[RunProcess] = []
        self._progress: dict[str, Progress] = {}
        self._selector = selectors.DefaultSelector()
        self._signals = 0

    def __enter__(self) -> Self:
        pass_on(self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs, as it does only where something failed here."""
        self.send(signal.SIGTERM)
        for run in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.process.wait(_GRACE_S)
        self.send(signal.SIGKILL)
        for run in self.running:
            run.process.wait()
            run.close()
        self._selector.close()
        pass_on(None)

    def start(
        self,
        plan: RunPlan,
        config: Path,
        out: Path,
        progress: Progress,
        *,
        goes_on: bool,
        is_crowded: bool,
    ) -> None:
        """Start a run; a signal that comes meanwhile waits for it."""
        self._progress[plan.name] = progress
        with blocked():
            run = start_run(plan, config, out, goes_on=goes_on, is_crowded=is_crowded)
            self.running.append(run)
        for pipe in (run.progress, run.words):
            self._selector.register(pipe, selectors.EVENT_READ, run)

    def wait(self) -> Iterator[tuple[RunPlan, RunEnd]]:
        """Wait a moment for what the runs say; yield those that have ended."""
        for key, _ in self._selector.select(_TICK_S):
            run: RunProcess = key.data
            if not run.hear(key.fd, self._progress[run.plan.name]):
                # Nobody writes to it any more: it would be ready for ever.
                self._selector.unregister(key.fd)
        for run in list(self.running):
            code = run.process.poll()
            if code is not None:
                yield run.plan, self._take_leave(run, code)

    def _take_leave(self, run: RunProcess, code: int) -> RunEnd:
        run.hear_rest(self._progress[run.plan.name])
        for pipe in (run.progress, run.words):
            with contextlib.suppress(KeyError):
                self._selector.unregister(pipe)
        run.close()
        self.running.remove(run)
        words = run.last_words.decode("utf-8", "backslashreplace")
        return RunEnd(name=run.plan.name, code=code, last_words=words)

    def send(self, number: int) -> None:
        """Send a signal to all that run."""
        for run in self.running:
            run.process.send_signal(number)

    def _pass_on(self, number: int) -> None:
        self._signals += 1
        self.send(number if self._signals <= _PATIENCE else signal.SIGKILL)
