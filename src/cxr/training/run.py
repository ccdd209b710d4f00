"""A run from its beginning to its end, or from where it was stopped.

What can be wrong with a name or with the data is said first: torch takes seconds to load.
"""

from __future__ import annotations

from pathlib import Path

from cxr.config.schema import RunConfig
from cxr.interruption import name_command, obey
from cxr.progress import Progress
from cxr.records.free_place import require_free, require_writable
from cxr.records.manifest import Manifest, load_sealed_run
from cxr.records.run_directory import RUNS, hold_lock
from cxr.training.inputs import find_inputs
from cxr.training.recorded_inputs import find_recorded_inputs


def train(config: RunConfig, *, out: Path | None, progress: Progress) -> tuple[Path, Manifest]:
    """Train a recipe and leave a run directory.

    Args:
        config: The recipe.
        out: The run directory; by default one below ``runs/`` named after the recipe.
        progress: Told how far it is.

    Returns:
        The run directory and its manifest.

    Raises:
        CxrError: Before the first step nothing is left behind; after it the manifest says how the
            run ended.
    """
    if out is not None:
        require_free(out)
    require_writable(out or RUNS)
    inputs = find_inputs(config, progress)
    from cxr.training.recorded_run import run_inputs

    obey(name_command())
    return run_inputs(config, inputs, out=out, progress=progress)


def resume(
    directory: Path, *, root: Path | None = None, progress: Progress
) -> tuple[Path, Manifest]:
    """Go on with a run that was stopped; a completed one is left as it is.

    Args:
        directory: The run directory.
        root: The data set's root here; by default the one that the run used.
        progress: Told how far it is.

    Returns:
        The run directory and its manifest.

    Raises:
        CxrError: The inputs are not those that it began with, or a step that is run again gives
            other bits than before.
    """
    if load_sealed_run(directory)["status"] != "completed":
        with hold_lock(directory):
            # Read again: another process may have gone on with it before this one had the lock.
            manifest = load_sealed_run(directory)
            if manifest["status"] != "completed":
                config, inputs = find_recorded_inputs(
                    directory, manifest, root=root, progress=progress
                )
                from cxr.training.recorded_run import go_on

                obey(name_command())
                return directory, go_on(directory, manifest, config, inputs, progress)
    progress.note("the run is complete; nothing to do")
    return directory, load_sealed_run(directory)
