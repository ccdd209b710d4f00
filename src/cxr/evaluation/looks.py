"""How often somebody looked at a split of a run: at its end, and with each later evaluation.

A test split that is looked at again and again, and chosen by, is no test any more. Each look leaves
a record; one whose record was removed cannot be counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cxr.records.manifest import EVALUATION_SCHEMA, load_manifest, load_sealed_run
from cxr.records.run_directory import EVALUATIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One record of predictions of a split.

    Attributes:
        record: The record's directory below the run's; ``.`` is the run's own.
        finished: When it was made, in ISO 8601, UTC.
        predictions_digest: Of its predictions.
    """

    record: str
    finished: str
    predictions_digest: str


def list_looks(run: Path, split: str = "test") -> list[Look]:
    """Return the looks at a split of a completed run, the oldest first.

    Args:
        run: The run directory.
        split: ``train``, ``val`` or ``test``. What training itself did with it is not counted.

    Raises:
        RecordError: The run is not complete, or a record of it cannot be read.
    """
    manifest = load_sealed_run(run, completed=True)
    looks: list[Look] = []
    if manifest["metrics"]["split"] == split:
        digest = manifest["outcome"]["predictions_digest"]
        finished = str(manifest["volatile"].get("finished"))
        looks.append(Look(record=".", finished=finished, predictions_digest=digest))
    place = run / EVALUATIONS
    # What begins with a dot was left by a process that was killed before it showed a figure.
    names = sorted(entry.name for entry in place.iterdir()) if place.is_dir() else []
    for name in names:
        if name.startswith(".") or not (place / name).is_dir():
            continue
        found = load_manifest(place / name)
        if found["schema"] == EVALUATION_SCHEMA and found.get("split") == split:
            looks.append(
                Look(
                    record=f"{EVALUATIONS}/{name}",
                    finished=str(found.get("volatile", {}).get("finished")),
                    predictions_digest=str(found.get("predictions_digest")),
                )
            )
    return sorted(looks, key=lambda look: look.finished)
