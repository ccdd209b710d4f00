"""Comparing two records of whatever kind they are, as long as it is one kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cxr.compare.commands import diff_commands
from cxr.compare.diff import diff_runs, require_known
from cxr.compare.loops import diff_loops
from cxr.compare.report import DiffReport
from cxr.errors import RecordError
from cxr.records.foreign_manifest import find_schema, is_foreign
from cxr.records.manifest import COMMAND_SCHEMA, FOREIGN, LOOP_SCHEMA


def diff_records(a: Path, b: Path, tolerances: Mapping[str, float]) -> DiffReport:
    """Compare two runs of cxr, two trainings of others, or two commands.

    Args:
        a: The first record's directory.
        b: The second's.
        tolerances: Largest absolute difference allowed, by metric; asked for, never assumed.

    Raises:
        RecordError: A record is missing or was edited, or they are of two kinds.
        UsageError: A tolerance names no figure of these records.
    """
    kinds = [find_schema(run) for run in (a, b)]
    if kinds[0] == kinds[1] == LOOP_SCHEMA:
        return diff_loops(a, b, tolerances)
    if kinds[0] == kinds[1] == COMMAND_SCHEMA:
        require_known({}, tolerances)
        return diff_commands(a, b)
    if is_foreign(a) or is_foreign(b):
        told = [FOREIGN.get(str(kind), "a run of cxr train") for kind in kinds]
        raise RecordError(
            f"records of two kinds are not compared: {told[0]}, and {told[1]}",
            where=f"{a} and {b}",
            hint="name two records of one kind",
        )
    return diff_runs(a, b, tolerances)
