"""What an exported directory keeps of its run: recipe and class names, held against the manifest.

An export has no config and no list of samples, so that no path and no patient leaves with it. What
somebody needs to predict is in it for all that, and follows from the run's manifest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.manifest import Manifest
from cxr.records.run_directory import CONFIG

EXPORT: Final = "export.json"
"""The record of the export: it names every other file with its digest, and is written last."""
RECIPE: Final = "recipe.yaml"
"""A config that trains the model again, without the paths of whoever trained it."""
LABELS: Final = "labels.json"
"""Class names in the order of the logits, and how they are decided for."""

_NOWHERE: Final = "no-data-set"
_HINT: Final = "name the run; cxr verify and cxr predict take an export as well"


def is_export(directory: Path) -> bool:
    """Say whether a directory is that of an export rather than of a run, by what it holds."""
    return (directory / EXPORT).is_file() and not (directory / CONFIG).exists()


def require_no_export(
    directory: Path,
    *,
    hint: str = _HINT,
) -> None:
    """Refuse an export where a run was asked for: most of a run's records are not in it.

    Args:
        directory: What was named.
        hint: What to do instead.

    Raises:
        RecordError: It is one.
    """
    if is_export(directory):
        raise RecordError(
            "that is the export of a run, not the run", where=str(directory), hint=hint
        )


def load_exported_recipe(directory: Path) -> RunConfig:
    """Return the config of ``recipe.yaml``; there is no data set where it says.

    Raises:
        ConfigError: It was edited beyond reading.
    """
    # Sources ask for these fields; no digest has them.
    places = [f"{name}={_NOWHERE}" for name in ("data.root", "data.csv.file")]
    # It may have come from elsewhere, and would have another file read here.
    return load_config(directory / RECIPE, places, alone=True)


def load_exported_classes(
    directory: Path, manifest: Manifest, config: RunConfig
) -> tuple[str, ...]:
    """Return the class names in the order of the logits, once they are known to be the run's.

    Raises:
        RecordError: ``labels.json`` is missing, or names others than the manifest.
    """
    labels = load_json_object(directory / LABELS).get("labels")
    classes = derive_classes(manifest, config)
    if labels != list(classes):
        raise RecordError(
            "the class names, or their order, are not those of the run",
            where=str(directory / LABELS),
            hint="it was edited; cxr verify says more; fetch or export the model again",
        )
    return classes


def derive_classes(manifest: Manifest, config: RunConfig) -> tuple[str, ...]:
    """Return the class names in the order of the logits, from a completed run's manifest.

    A recipe that names no classes leaves it to its source: numbers in an npz file, and otherwise
    names in their order.
    """
    if config.data.classes:
        return tuple(config.data.classes)
    names = sorted(manifest["metrics"].get("per_class", {}))
    return tuple(sorted(names, key=int) if all(map(str.isdecimal, names)) else names)
