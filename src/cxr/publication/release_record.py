"""``RUN.release.json``: where a run was published, and as which commit. It lies beside the run.

Its format is written down in ``docs/formats/release.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cxr.atomic import atomic_writer
from cxr.digests.canonical import canonical_json, digest_json
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.publication.plan import Plan
from cxr.release.export_record import EXPORT_DIGEST, ExportRecord

SCHEMA: Final = "cxr.release/1"
SUFFIX: Final = ".release.json"

_DIGEST: Final = "release_digest"
_IDENTITY: Final = ("endpoint", "repo", "tag", "commit")

Release = dict[str, Any]


def describe_release(plan: Plan, commit: str, record: ExportRecord) -> Release:
    """Return one entry of the record, without its time.

    Args:
        plan: What was published.
        commit: The hub's commit, which the tag names.
        record: ``export.json``.
    """
    return {
        "endpoint": plan.endpoint,
        "repo": plan.repo,
        "tag": plan.tag,
        "commit": commit,
        EXPORT_DIGEST: record[EXPORT_DIGEST],
        "run": record["run"],
        "files": {one.name: {"size": one.size_bytes, "sha256": one.digest} for one in plan.files},
    }


def load_releases(path: Path) -> list[Release]:
    """Return what a record says, in the order in which it was published; nothing if there is none.

    Raises:
        RecordError: It cannot be read, was edited, or is something else.
    """
    if not path.exists() and not path.is_symlink():
        return []
    record = load_json_object(path)
    body = {name: value for name, value in record.items() if name != _DIGEST}
    releases = record.get("releases")
    is_whole = isinstance(releases, list) and all(isinstance(one, dict) for one in releases)
    if record.get("schema") != SCHEMA or not is_whole or record.get(_DIGEST) != digest_json(body):
        raise RecordError(
            "the record of releases was edited, or is something else",
            where=str(path),
            hint="restore it, or move it aside: publishing again writes it anew",
        )
    found: list[Release] = record["releases"]
    return found


def add_release(path: Path, release: Mapping[str, Any]) -> None:
    """Add an entry to a record, unless it says so already.

    Raises:
        RecordError: What stands there is no such record.
        StorageError: It cannot be written.
    """
    releases = load_releases(path)
    wanted = [release[name] for name in _IDENTITY]
    if any([one.get(name) for name in _IDENTITY] == wanted for one in releases):
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    body = {"schema": SCHEMA, "releases": [*releases, {**release, "published": now}]}
    with atomic_writer(path, option="--record") as stream:
        stream.write(canonical_json({**body, _DIGEST: digest_json(body)}) + b"\n")
