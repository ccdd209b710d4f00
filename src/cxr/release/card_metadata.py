"""The model card's front matter: what a model hub reads of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from cxr.records.manifest import Manifest

TYPES: Final = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "macro_f1": "f1",
    "auroc": "roc_auc",
    "average_precision": "average_precision",
    "loss": "loss",
    "brier_score": "brier_score",
    "expected_calibration_error": "expected_calibration_error",
}
"""The hub's name of each figure. Source: the names of Hugging Face's ``evaluate`` library, where it
has the figure; ours else."""

_HEADLINES: Final = ("accuracy", "roc_auc", "f1")


def render_metadata(
    manifest: Manifest, intervals: Mapping[str, Any] | None, license_name: str | None
) -> str:
    """Return the front matter as YAML between two lines of dashes.

    Source: Hugging Face's model card metadata, ``modelcard.md`` of its hub documentation.

    Args:
        manifest: Of the run.
        intervals: As `derive_intervals` returns them.
        license_name: What the user named; None: nothing is said of a licence.
    """
    content = {
        **({"license": license_name} if license_name is not None else {}),
        "library_name": "timm",
        "pipeline_tag": "image-classification",
        "tags": ["timm", "image-classification", "radiology", "chest-x-ray", "cxr"],
        "metrics": list(_HEADLINES),
        "model-index": [{"name": manifest["name"], "results": [_describe(manifest, intervals)]}],
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---\n"


def _describe(manifest: Manifest, intervals: Mapping[str, Any] | None) -> dict[str, Any]:
    figures = manifest["metrics"]
    digest = manifest["recipe"]["data_digest"]
    return {
        "task": {"type": "image-classification"},
        "dataset": {
            "name": f"data set {digest[:19]}",
            "type": "chest-x-ray",
            "split": figures["split"],
            "revision": digest,
        },
        "metrics": [
            {
                "type": kind,
                "name": name.replace("_", " "),
                "value": figures[name],
                **_describe_interval(name, intervals),
            }
            for name, kind in TYPES.items()
            if figures.get(name) is not None
        ],
    }


def _describe_interval(name: str, intervals: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a figure's interval where the metadata has room for it; nothing where it has none."""
    found = intervals["whole"].get(name) if intervals is not None else None
    if intervals is None or found is None or found["low"] is None:
        return {}
    return {
        "args": {
            "confidence": intervals["level"],
            "low": found["low"],
            "high": found["high"],
            "method": found["method"],
        }
    }
