"""One run of a series in a process of its own, and what it says while it runs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cxr.determinism.streams import derive_key
from cxr.progress import Progress
from cxr.progress_pipe import tell_progress
from cxr.repeat.load import end_load, start_load
from cxr.repeat.plan import RunPlan

_READ_BYTES: Final = 2**16
_LAST_WORDS_BYTES: Final = 4096

_SLEEPING: Final = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Has threads that wait for each other sleep. Source: OpenMP 5.2, "OMP_WAIT_POLICY"."""


@dataclass(slots=True, kw_only=True)
class RunProcess:
    """A run under way.

    Attributes:
        plan: What it is to be.
        process: Its process.
        progress: The end of a pipe that its progress comes from.
        load: What is busy beside it.
        words: The end of a pipe, or a terminal's, that what it writes to stderr comes from.
        unread: A line of progress that is not whole yet.
        last_words: The last that it wrote to stderr.
    """

    plan: RunPlan
    process: subprocess.Popen[bytes]
    progress: int
    words: int
    load: Sequence[subprocess.Popen[bytes]]
    unread: bytes = field(default=b"")
    last_words: bytes = field(default=b"")

    def hear(self, pipe: int, progress: Progress) -> bool:
        """Take what there is to read; say whether the pipe may have more.

        Args:
            pipe: Which of both.
            progress: Told what comes from that of its progress.
        """
        try:
            found = os.read(pipe, _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            # A terminal that its last process has closed.
            return False
        if pipe == self.words:
            self.last_words = (self.last_words + found)[-_LAST_WORDS_BYTES:]
        else:
            *lines, self.unread = (self.unread + found).split(b"\n")
            for line in lines:
                tell_progress(line, progress)
        return bool(found)

    def hear_rest(self, progress: Progress) -> None:
        """Take all that an ended process left to read."""
        for pipe in (self.progress, self.words):
            while self.hear(pipe, progress):
                pass

    def close(self) -> None:
        """Close the pipes, and end what is busy beside it."""
        end_load(self.load)
        for pipe in (self.progress, self.words):
            os.close(pipe)


def start_run(
    plan: RunPlan, config: Path, out: Path, *, goes_on: bool, is_crowded: bool
) -> RunProcess:
    """Start ``cxr train`` in an interpreter of its own.

    ``-P`` keeps modules of the working directory out. The process has a group of its own, so that
    Ctrl-C does not reach it from the terminal too. It stops where this process ends: see
    `cxr.progress_pipe`.

    Args:
        plan: What it is to be.
        config: A file that holds its recipe.
        out: Its directory.
        goes_on: Whether it is there already, and is to be gone on with.
        is_crowded: Whether it is to share its cores with others.

    Raises:
        OSError: It cannot be started.
    """
    place = os.path.realpath(plan.working_directory or Path.cwd())
    given = [os.path.realpath(path) for path in (config, out)]
    if plan.surroundings.relative_paths:
        given = [os.path.relpath(path, place) for path in given]
    what = ["--resume", given[1]] if goes_on else ["--config", given[0], "--out", given[1]]
    around = plan.surroundings
    with contextlib.ExitStack() as opened, contextlib.ExitStack() as undo:
        progress, progress_end = os.pipe()
        opened.callback(os.close, progress_end)
        words, words_end = os.openpty() if around.on_terminal else os.pipe()
        opened.callback(os.close, words_end)
        streams = words_end if around.on_terminal else subprocess.DEVNULL
        for pipe in (progress, words):
            os.set_blocking(pipe, False)
        load = start_load(around.load)
        undo.callback(end_load, load)
        process = subprocess.Popen(  # noqa: S603 - this very program
            [
                *(sys.executable, "-P", "-m", "cxr", "train"),
                *(*what, "--progress-to", str(progress_end)),
            ],
            env=derive_variables(plan, os.environ, is_crowded=is_crowded),
            cwd=plan.working_directory,
            umask=-1 if around.umask is None else around.umask,
            stdin=streams,
            stdout=streams,
            stderr=words_end,
            pass_fds=[progress_end],
            process_group=0,
        )
        undo.pop_all()
    return RunProcess(
        plan=plan,
        process=process,
        progress=progress,
        words=words,
        load=load,
    )


def derive_variables(
    plan: RunPlan, here: Mapping[str, str], *, is_crowded: bool = False
) -> dict[str, str]:
    """Return a run's environment variables, in their order.

    Args:
        plan: What it is to be.
        here: Those of this process.
        is_crowded: Whether the run is to share its cores with others. Its threads then sleep while
            they wait, unless a variable says otherwise: one that spins keeps the others from work.
    """
    changed = {**(_SLEEPING if is_crowded else {}), **here, **plan.variables}
    names: Sequence[str] = list(changed)
    seed = plan.surroundings.order_seed
    if seed is not None:
        # By a key of each name, so that no variable shifts the others.
        names = sorted(names, key=lambda name: derive_key(seed, "stress", "variable", name))
    return {name: value for name in names if (value := changed[name]) is not None}
