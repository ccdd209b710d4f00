"""Checking a reproduction: its answer against its own digest and its run, and that run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cxr.compare.verify_findings import EDITED, Finding, Verification, take
from cxr.compare.verify_run import verify_run
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.manifest import (
    REPRODUCTION_SCHEMA,
    Manifest,
    is_sealed,
    load_manifest,
)
from cxr.records.run_directory import REPRODUCED_RECORD, REPRODUCED_RUN, REPRODUCTION


def verify_reproduction(directory: Path) -> Verification:
    """Check a reproduction and its run.

    Raises:
        RecordError: ``reproduction.json`` is no reproduction's, or its run never ended.
    """
    answer = load_json_object(directory / REPRODUCTION)
    if answer.get("schema") != REPRODUCTION_SCHEMA:
        raise RecordError(
            "not a reproduction that this version reads",
            where=str(directory / REPRODUCTION),
            hint=f"it reads {REPRODUCTION_SCHEMA}",
        )
    run = directory / REPRODUCED_RUN
    found, manifest = verify_run(run), load_manifest(run)
    findings = [] if is_sealed(answer) else [Finding(REPRODUCTION, EDITED)]
    findings += _check_answer(answer, manifest)
    findings += [replace(one, path=f"{REPRODUCED_RUN}/{one.path}") for one in found.findings]
    record = directory / REPRODUCED_RECORD
    if record.is_dir() and load_manifest(record).get("manifest_digest") != take(answer, "of").get(
        "manifest_digest"
    ):
        findings.append(Finding(REPRODUCED_RECORD, "is not the record that was reproduced"))
    expected = {REPRODUCTION, REPRODUCED_RUN, REPRODUCED_RECORD}
    beside = sorted({entry.name for entry in directory.iterdir()} - expected)
    findings += [Finding(name, "was added: the reproduction does not name it") for name in beside]
    return Verification(str(answer.get("verdict")), found.num_files + 1, 0, findings)


def _check_answer(answer: dict[str, Any], manifest: Manifest) -> Iterator[Finding]:
    """Check the verdict against the digests of both runs."""
    if answer.get("run_manifest_digest") != manifest.get("manifest_digest"):
        yield Finding(REPRODUCTION, "names another run than the one beside it")
    of = take(answer, "of")
    equal = all(of.get(name) == manifest.get(name) for name in ("outcome_digest", "trace_digest"))
    if (answer.get("verdict") == "identical") != equal:
        yield Finding(REPRODUCTION, "its verdict is not what the digests of both runs say")
