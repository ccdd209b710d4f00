"""Checking a reproduction: its answer against its own digest and its run, and that run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cxr.compare.verify_findings import EDITED, Finding, Verification, take
from cxr.compare.verify_run import verify_run
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.manifest import (
    REPRODUCTION_SCHEMA,
    Manifest,
    is_sealed,
    load_manifest,
)
from cxr.records.run_directory import (
    CONFIG,
    PACK_INDEX,
    REPRODUCED_RECORD,
    REPRODUCED_RUN,
    REPRODUCTION,
    walk_record,
)

_VERDICTS: Final = ("identical", "equivalent", "different")


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
    if record.exists():
        findings += _check_record(record, answer)
    expected = {REPRODUCTION, REPRODUCED_RUN, REPRODUCED_RECORD}
    beside = sorted({entry.name for entry in directory.iterdir()} - expected)
    findings += [Finding(name, "was added: the reproduction does not name it") for name in beside]
    unchecked = [replace(one, path=f"{REPRODUCED_RUN}/{one.path}") for one in found.unchecked]
    return Verification(str(answer.get("verdict")), found.num_files + 1, 0, findings, unchecked)


def _check_answer(answer: dict[str, Any], manifest: Manifest) -> Iterator[Finding]:
    """Check the verdict against the digests of both runs."""
    if answer.get("run_manifest_digest") != manifest.get("manifest_digest"):
        yield Finding(REPRODUCTION, "names another run than the one beside it")
    of, verdict = take(answer, "of"), answer.get("verdict")
    equal = all(of.get(name) == manifest.get(name) for name in ("outcome_digest", "trace_digest"))
    if verdict not in _VERDICTS or (verdict == "identical") != equal:
        yield Finding(REPRODUCTION, "its verdict is not what the digests of both runs say")
    if take(answer, "diff").get("verdict") != verdict:
        yield Finding(REPRODUCTION, "its verdict is not that of its comparison")


def _check_record(record: Path, answer: dict[str, Any]) -> Iterator[Finding]:
    """Check a record that came packed against its own index, and that it is the one compared."""
    try:
        manifest, index = load_manifest(record), load_json_object(record / PACK_INDEX)
    except RecordError as error:
        yield Finding(REPRODUCED_RECORD, error.problem)
        return
    of = take(answer, "of")
    if not is_sealed(manifest) or any(manifest.get(name) != of[name] for name in of):
        yield Finding(REPRODUCED_RECORD, "is not the record that was reproduced")
    named, files = take(index, "entries"), take(manifest, "files")
    present = {entry.path for entry in walk_record(record)} - {PACK_INDEX}
    for name, entry in sorted(named.items()):
        path = record / name
        wanted = entry.get("sha256") if isinstance(entry, dict) else None
        place = f"{REPRODUCED_RECORD}/{name}"
        if not path.is_file():
            yield Finding(place, "is missing")
        # Of the config a packed run has a copy without paths.
        elif digest_file(path) != (wanted if name == CONFIG else files.get(name, wanted)):
            yield Finding(place, "was changed: its bytes have another digest")
    for name in sorted(present - named.keys()):
        yield Finding(f"{REPRODUCED_RECORD}/{name}", "was added: the packed run did not have it")
