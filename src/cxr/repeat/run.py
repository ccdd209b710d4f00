"""Running one recipe several times, each in a fresh process, and comparing what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cxr.atomic import write_bytes, write_text
from cxr.child_process import run_cxr
from cxr.config.fields import digest_config
from cxr.config.load import dump_config
from cxr.config.schema import RunConfig
from cxr.digests.canonical import canonical_json
from cxr.errors import CxrError, ExitCode
from cxr.interruption import has_signal
from cxr.records.manifest import REPEAT_SCHEMA, seal_manifest
from cxr.records.run_directory import CONFIG, REPEAT, create_directory, create_named, name_run
from cxr.repeat.against import (
    Wanted,
    compare_with,
    require_same_recipe,
)
from cxr.repeat.report import RepeatReport, load_completed, summarise_runs


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
    against: Wanted | None = None,
) -> tuple[Path, RepeatReport]:
    """Train a recipe ``num_runs`` times and compare.

    Args:
        config: The recipe.
        num_runs: Two or more, or one that is compared with another run.
        out: Directory for the runs and ``repeat.json``; by default one below ``runs/``.
        quiet: Whether the runs show no progress.
        announce: Told which run begins.
        against: What every run must equal, if anything; it is known to be comparable.

    Returns:
        The directory and the report. ``repeat.json`` is written after each run, so that what is
        done is kept when a later run is stopped.

    Raises:
        CxrError: The directory cannot be written, the first run could not even begin, or it
            has other data or weights than what it was to equal.
    """
    if out is None:
        name = name_run(f"repeat-{config.name}", digest_config(config), datetime.now(UTC))
        out = create_named(name)
    else:
        create_directory(out, what="repeat")
    write_text(out / CONFIG, dump_config(config, out))
    report = _record(out, [], num_runs, against)
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
        report = _record(out, runs, num_runs, against)
        if code == ExitCode.INTERRUPTED:
            break
    return out, report


def _train_in_fresh_process(config: Path, out: Path, *, quiet: bool) -> int:
    """Run ``cxr train`` in an interpreter of its own; its progress goes to this one's stderr."""
    options = ["--config", str(config), "--out", str(out), *(["--quiet"] if quiet else [])]
    return run_cxr(["train", *options])


def _record(out: Path, runs: Sequence[Path], num_runs: int, against: Wanted | None) -> RepeatReport:
    """Write ``repeat.json`` as far as the runs have come."""
    report = summarise_runs(runs, num_runs)
    completed = load_completed(runs)
    if against is not None:
        for manifest in completed.values():
            require_same_recipe(against, manifest)
        report = replace(report, against=compare_with(against, completed, num_runs))
    content = {**report.to_json(), "runs": [_name(out, run) for run in report.runs]}
    if report.against is not None:
        # A record holds no path outside of it: whose run it was is told by the digests.
        differing = report.against.differing
        content["against"] |= {
            "run": Path(report.against.run).name,
            "differing": None if differing is None else _name(out, differing),
        }
    sealed = seal_manifest({**content, "schema": REPEAT_SCHEMA})
    write_bytes(out / REPEAT, canonical_json(sealed) + b"\n")
    return report


def _name(out: Path, run: str) -> str:
    return Path(run).relative_to(out).as_posix()


def _remove_empty(out: Path) -> None:
    """Remove a directory that holds nothing but what this module wrote."""
    for name in (CONFIG, REPEAT):
        (out / name).unlink(missing_ok=True)
    out.rmdir()
