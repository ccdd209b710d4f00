"""The predictions of a run's outcome, read once they are known to be those."""

from __future__ import annotations

from pathlib import Path

from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.records.manifest import Manifest
from cxr.records.predictions import Prediction, load_predictions
from cxr.records.run_directory import PREDICTIONS


def load_outcome_predictions(
    run: Path, manifest: Manifest
) -> tuple[tuple[str, ...], list[Prediction]]:
    """Read a run's class names and predictions.

    The manifest of a run that did not complete names no outcome to hold them against.

    Raises:
        RecordError: The file is missing, no predictions, or others than the manifest names.
    """
    path = run / PREDICTIONS
    found = load_predictions(path)
    wanted = manifest.get("outcome", {}).get("predictions_digest")
    if wanted is not None and digest_file(path) != wanted:
        raise RecordError(
            "the predictions are not those of the run's outcome",
            where=str(path),
            hint="they were edited; restore them; cxr verify says more",
        )
    return found
