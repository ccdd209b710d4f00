"""Writing the record of a later look at a run: a directory of its own below the run's."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cxr.atomic import flush_directory, make_directory, storage_errors, write_bytes
from cxr.determinism.levels import Level
from cxr.digests.canonical import canonical_json
from cxr.environment.facts import Capture, digest_environment
from cxr.records.manifest import EVALUATION_SCHEMA, Manifest, digest_files, write_manifest
from cxr.records.predictions import Prediction, write_predictions
from cxr.records.run_directory import ENVIRONMENT, PREDICTIONS


def write_evaluation(
    place: Path,
    described: dict[str, Any],
    classes: tuple[str, ...],
    predictions: list[Prediction],
    environment: Capture,
    level: Level,
) -> tuple[Path, Manifest]:
    """Write an evaluation's directory, which has its name only when all of it is there.

    Args:
        place: Where evaluations of the run are kept.
        described: What its manifest says of itself, ``split`` and ``metrics`` included.
        classes: Class names in label order.
        predictions: One an image.
        environment: As it was when they were made.
        level: The promise.

    Returns:
        The directory and its manifest.

    Raises:
        StorageError: It cannot be written.
    """
    now = datetime.now(UTC)
    directory = place / f"{described['split']}-{now:%Y%m%dT%H%M%S%fZ}"
    make_directory(place)
    with storage_errors(place), tempfile.TemporaryDirectory(prefix=".", dir=place) as temporary:
        growing = Path(temporary) / directory.name
        make_directory(growing)
        digest = write_predictions(growing / PREDICTIONS, classes, predictions)
        write_bytes(growing / ENVIRONMENT, canonical_json(environment) + b"\n")
        written = write_manifest(
            growing,
            {
                "schema": EVALUATION_SCHEMA,
                "status": "completed",
                **described,
                "predictions_digest": digest,
                "environment_digest": digest_environment(environment, level),
                "libraries": environment["packages"],
                "files": digest_files(growing),
                "volatile": {"finished": now.isoformat(timespec="milliseconds")},
            },
        )
        growing.rename(directory)
        flush_directory(place)
    return directory, written
