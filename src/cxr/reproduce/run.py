"""Running a recorded run again and comparing what comes out."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cxr.atomic import storage_errors, write_bytes
from cxr.child_process import run_cxr
from cxr.compare.diff import diff_manifests, diff_runs
from cxr.compare.report import DiffReport
from cxr.digests.canonical import canonical_json
from cxr.errors import CxrError, ExitCode
from cxr.interruption import obey
from cxr.records.free_place import create_directory, create_named
from cxr.records.manifest import REPRODUCTION_SCHEMA, load_sealed_run, seal_manifest
from cxr.records.run_directory import REPRODUCED_RECORD, REPRODUCED_RUN, REPRODUCTION, name_run
from cxr.reproduce.plan import Plan
from cxr.reproduce.prepare import Prepared

Verdict = Literal["identical", "equivalent", "different", "blocked", "possible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """The answer of ``cxr reproduce``.

    Attributes:
        verdict: ``blocked`` where nothing was run because something is in the way, and ``possible``
            where nothing was run because only the plan was asked for.
        plan: What differs here from what was recorded.
        directory: What was written; None where nothing was.
        report: The recorded run against the new one; None where nothing was run.
    """

    verdict: Verdict
    plan: Plan
    directory: Path | None = None
    report: DiffReport | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain JSON values."""
        return {
            "verdict": self.verdict,
            "directory": str(self.directory) if self.directory is not None else None,
            "plan": self.plan.to_json(),
            "diff": self.report.to_json() if self.report is not None else None,
        }


class ReproductionFailedError(CxrError):
    """The new run did not come to its end; what it said itself was printed."""

    def __init__(self, code: int, *, where: Path) -> None:
        ended = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        super().__init__(
            f"the process that trained was ended {ended}",
            where=str(where),
            hint="mend what its error above says; if there is none, memory may have run out",
        )


def run_reproduction(
    prepared: Prepared, *, out: Path | None, tolerances: dict[str, float], quiet: bool
) -> Reproduction:
    """Train what was prepared in a process of its own, and compare.

    Args:
        prepared: What `prepare_reproduction` found.
        out: The directory to write; by default one below ``runs/``.
        tolerances: Largest absolute difference allowed, by metric.
        quiet: Whether the new run shows no progress.

    Raises:
        ReproductionFailedError: The new run did not complete.
        Interrupted: A signal came.
        CxrError: A record cannot be written or read.
    """
    manifest = prepared.record.manifest
    if out is None:
        name = f"reproduce-{prepared.config.name}"
        out = create_named(name_run(name, manifest["recipe_digest"], datetime.now(UTC)))
    else:
        create_directory(out, what="reproduction")
    prepared = _keep_record(prepared, out)
    code = _train(prepared, out / REPRODUCED_RUN, quiet=quiet)
    obey(f"reproducing into {out}")
    if code != ExitCode.OK:
        if not any(out.iterdir()):
            out.rmdir()
        raise ReproductionFailedError(code, where=out)
    report = _compare(prepared, out / REPRODUCED_RUN, tolerances)
    reproduction = Reproduction(
        verdict=report.verdict, plan=prepared.plan, directory=out, report=report
    )
    _write(reproduction, manifest, out)
    return reproduction


def _keep_record(prepared: Prepared, out: Path) -> Prepared:
    """Move a record that was unpacked beside the new run, which then names its weights there."""
    unpacked = prepared.record.directory
    if not prepared.record.is_unpacked or unpacked is None:
        return prepared
    kept = out / REPRODUCED_RECORD
    with storage_errors(kept):
        shutil.move(unpacked, kept)
    places = [json.dumps(str(place.resolve()))[1:-1] for place in (unpacked, kept)]
    return replace(
        prepared,
        record=replace(prepared.record, directory=kept),
        overrides=[text.replace(places[0], places[1]) for text in prepared.overrides],
    )


def _train(prepared: Prepared, out: Path, *, quiet: bool) -> int:
    """Run ``cxr train`` with the recorded sources, packages and variables."""
    changed = [text for override in prepared.overrides for text in ("--set", override)]
    options = ["--config", str(prepared.config_file), *changed, "--out", str(out)]
    return run_cxr(
        ["train", *options, *(["--quiet"] if quiet else [])],
        variables=prepared.variables,
        python=prepared.python,
    )


def _compare(prepared: Prepared, run: Path, tolerances: dict[str, float]) -> DiffReport:
    """Compare the recorded run with the new one, as far as the record goes."""
    if prepared.record.directory is not None:
        return diff_runs(prepared.record.directory, run, tolerances)
    return diff_manifests(prepared.record.manifest, load_sealed_run(run), tolerances)


def _write(reproduction: Reproduction, manifest: dict[str, Any], out: Path) -> None:
    """Write ``reproduction.json``, which names the run that was reproduced."""
    report = reproduction.report
    content = {
        "schema": REPRODUCTION_SCHEMA,
        "verdict": reproduction.verdict,
        "of": {
            name: manifest[name]
            for name in ("manifest_digest", "recipe_digest", "outcome_digest", "trace_digest")
        },
        "run": REPRODUCED_RUN,
        "run_manifest_digest": load_sealed_run(out / REPRODUCED_RUN)["manifest_digest"],
        "plan": reproduction.plan.to_json(),
        "diff": report.to_json() if report is not None else None,
    }
    write_bytes(out / REPRODUCTION, canonical_json(seal_manifest(content)) + b"\n")
