"""Which model answers: what ``/version`` says, and what is printed when the service is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cxr
from cxr.determinism.levels import PROMISES

if TYPE_CHECKING:
    from cxr.inference.predictor import Predictor


def describe_version(predictor: Predictor) -> dict[str, Any]:
    """Return the version of cxr and the digests of the run, as plain JSON values.

    The environment is that which the run was trained in.
    """
    manifest = predictor.opened.manifest
    level = predictor.config.determinism
    return {
        "cxr": cxr.__version__,
        "name": manifest["name"],
        "manifest_digest": manifest["manifest_digest"],
        "outcome_digest": manifest["outcome_digest"],
        "recipe_digest": manifest["recipe_digest"],
        "weights_digest": manifest["outcome"]["weights_digest"],
        "preprocessing_digest": predictor.preprocessing.digest,
        "environment_digest": manifest["environment_digest"],
        "determinism": str(level),
        "promise": PROMISES[level],
        "threads": predictor.config.threads,
        "classes": list(predictor.classes),
        "asks_each_label": predictor.config.train.asks_each_label,
    }
