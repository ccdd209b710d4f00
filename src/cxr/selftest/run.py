"""Running every case on this machine, one after another, in a directory that is removed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cxr
from cxr.determinism.levels import Level
from cxr.environment.capture import capture_environment
from cxr.environment.code import digest_code
from cxr.environment.facts import digest_environment
from cxr.errors import CxrError, Interrupted, StorageError
from cxr.progress import Progress
from cxr.records.growing_record import hide_paths
from cxr.records.manifest import SELFTEST_SCHEMA, Manifest, seal_manifest
from cxr.selftest.bench import IMAGES, VECTORS, Bench, Found
from cxr.selftest.cases import CASES, Case

_WHAT: Final = "self-test"
_OTHER_PLACE: Final = "free space there, or set TMPDIR to a directory that can be written"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case.

    Attributes:
        case: The case.
        found: What the evidence says.
        caught: Whether that is what it must say.
        duration_s: How long it took.
    """

    case: Case
    found: Found
    caught: bool
    duration_s: float


def run_selftest(progress: Progress, cases: Sequence[Case] = CASES) -> Manifest:
    """Plant every fault and return the record of what was found.

    Args:
        progress: Told how far it is.
        cases: The cases.

    Returns:
        The record, sealed; ``docs/formats/json-answers.md`` describes it.

    Raises:
        CxrError: Nothing can be trained here at all, the disk is full, or it was interrupted.
    """
    started = datetime.now(UTC)
    try:
        with _temporary_directory() as directory:
            outcomes = _run_cases(cases, Bench(directory), progress)
    except Interrupted as error:
        raise Interrupted(
            error.problem, where="the self-test", hint="start it again; it has left nothing behind"
        ) from error
    except StorageError as error:
        raise StorageError(error.problem, where=error.where, hint=_OTHER_PLACE) from error
    return _record(outcomes, started)


def _run_cases(cases: Sequence[Case], bench: Bench, progress: Progress) -> list[Outcome]:
    """Train the sound runs, then run each case."""
    progress.advance(_WHAT, 0, len(cases))
    # What stops these stops every case: it is no finding but a reason not to look.
    for recipe in (VECTORS, IMAGES):
        bench.sound(recipe)
    outcomes = []
    for case in cases:
        outcomes.append(_run_case(case, bench))
        progress.advance(_WHAT, len(outcomes), len(cases))
    return outcomes


def _run_case(case: Case, bench: Bench) -> Outcome:
    """Run one case; what ends it with an error is a finding as well."""
    begun = time.monotonic()
    try:
        found = case.look(bench)
    except (Interrupted, StorageError):
        raise
    except CxrError as error:
        problem = hide_paths(error.problem, bench.directory)
        found = {"verdict": "error", "problem": problem}
    except RuntimeError as error:
        # What torch raises: its own words may name a path.
        found = {"verdict": "error", "problem": type(error).__name__}
    return Outcome(case, found, case.is_caught(found), round(time.monotonic() - begun, 3))


def _record(outcomes: Sequence[Outcome], started: datetime) -> Manifest:
    """Return what was found, on which machine and by which code, with the digest of all that."""
    environment = capture_environment()
    finished = datetime.now(UTC)
    content: dict[str, Any] = {
        "schema": SELFTEST_SCHEMA,
        "verdict": "all-caught" if all(one.caught for one in outcomes) else "not-all-caught",
        "cases": [
            {
                "name": one.case.name,
                "planted": one.case.planted,
                "expected": one.case.expected,
                "found": one.found,
                "caught": one.caught,
            }
            for one in outcomes
        ],
        "cxr": {"version": cxr.__version__, "code_digest": digest_code()},
        "determinism": Level.STRICT,
        "environment": environment,
        # That of a strict run's manifest, so that a run can be told to be of this machine.
        "environment_digest": digest_environment(environment, Level.STRICT),
        "volatile": {
            "started": started.isoformat(timespec="milliseconds"),
            "finished": finished.isoformat(timespec="milliseconds"),
            "duration_s": round((finished - started).total_seconds(), 3),
            "cases_s": {one.case.name: one.duration_s for one in outcomes},
        },
    }
    return seal_manifest(content)


@contextlib.contextmanager
def _temporary_directory() -> Iterator[Path]:
    """Make a directory, and remove it however the block ends.

    Raises:
        StorageError: None can be made.
    """
    try:
        directory = Path(tempfile.mkdtemp(prefix="cxr-selftest-"))
    except OSError as error:
        raise StorageError(
            f"no temporary directory can be made: {error.strerror or error}",
            where="TMPDIR",
            hint=_OTHER_PLACE,
        ) from error
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
