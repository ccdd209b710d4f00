"""Comparing two recorded commands: what they were given, and the files that they left."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from cxr.compare.inputs import compare_environments, sort_differences
from cxr.compare.loops import compare_code
from cxr.compare.report import CommandDiffReport, Difference, OutputDifference, Verdict
from cxr.errors import RecordError
from cxr.records.foreign_manifest import load_sealed_foreign
from cxr.records.foreign_record import NATIVE
from cxr.records.manifest import Manifest


def diff_commands(a: Path, b: Path) -> CommandDiffReport:
    """Compare two commands by exit status and declared outputs.

    Args:
        a: The first record's directory.
        b: The second's.

    Raises:
        RecordError: A record is missing or was edited, or a command did not complete.
    """
    one, other = load_sealed_foreign(a), load_sealed_foreign(b)
    for run, manifest in ((a, one), (b, other)):
        if "outcome" not in manifest:
            # Only what is still called running was never sealed.
            ending = {"running": "it never ended", "interrupted": "it was interrupted"}
            why = ending.get(manifest["status"], "it failed before its outputs were recorded")
            raise RecordError(
                f"the command has no outcome: {why}",
                where=f"{run}, status {manifest['status']}",
                hint="run it again, into another directory",
            )
    if not (one["declared"]["out"] or other["declared"]["out"]):
        raise RecordError(
            "there is nothing to compare: no command declared what it writes",
            where=f"{a} and {b}",
            hint="run them again with --out GLOB",
        )
    outputs = list(_compare_outputs(one["outputs"], other["outputs"]))
    equal = one["outcome_digest"] == other["outcome_digest"]
    verdict: Verdict = "identical" if equal else "different"
    differences = [
        *_compare_words(one, other),
        *_compare_inputs(one["inputs"], other["inputs"]),
        *_compare_outputs_before(one, other),
        *compare_code(one, other),
        *compare_environments((a, one), (b, other), NATIVE),
    ]
    return CommandDiffReport(
        verdict=verdict,
        first_divergence=None,
        differences=sort_differences(differences),
        metrics={},
        predictions=None,
        exit_status={"a": one["outcome"]["exit_status"], "b": other["outcome"]["exit_status"]},
        outputs=outputs,
    )


def _compare_outputs(a: dict[str, Any], b: dict[str, Any]) -> Iterator[OutputDifference]:
    for path in sorted({*a, *b}):
        left, right = (_find_digest(files, path) for files in (a, b))
        if left != right:
            yield OutputDifference(path=path, a=left, b=right)


def _compare_words(a: Manifest, b: Manifest) -> Iterator[Difference]:
    """Compare the command word by word, and the program's own file."""
    words = a["command"]["arguments"], b["command"]["arguments"]
    for place, (left, right) in enumerate(zip_longest(*words)):
        if left != right:
            yield Difference(
                part="config", field=f"command[{place}]", a=left, b=right, affects_bits="unknown"
            )
    programs = [one["command"]["program"].get("digest") for one in (a, b)]
    if programs[0] != programs[1]:
        yield Difference(
            part="code", field="program", a=programs[0], b=programs[1], affects_bits="unknown"
        )


def _compare_inputs(a: dict[str, Any], b: dict[str, Any]) -> Iterator[Difference]:
    """Compare the files that the commands were given."""
    for path in sorted({*a, *b}):
        left, right = (_find_digest(files, path) for files in (a, b))
        if left != right:
            yield Difference(part="data", field=path, a=left, b=right, affects_bits="yes")


def _compare_outputs_before(a: Manifest, b: Manifest) -> Iterator[Difference]:
    """Compare what the commands were to write as they found it: they may have read it first."""
    before = [one["outputs_before"] for one in (a, b)]
    for path in sorted({*before[0], *before[1]}):
        left, right = (_find_digest(files, path) for files in before)
        if left != right:
            yield Difference(
                part="data", field=f"before: {path}", a=left, b=right, affects_bits="unknown"
            )


def _find_digest(files: dict[str, Any], path: str) -> str | None:
    found = files.get(path)
    digest = found.get("sha256") if isinstance(found, dict) else None
    return digest if isinstance(digest, str) else None
