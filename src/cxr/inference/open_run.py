"""Opening a run to be predicted with: its manifest and its config, before torch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cxr.config.schema import RunConfig
from cxr.errors import UsageError
from cxr.records.manifest import Manifest, load_sealed_run
from cxr.records.run_config import load_recorded_recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRun:
    """A completed run that agrees with itself so far.

    Attributes:
        directory: The run directory.
        manifest: Its manifest.
        config: Its recipe.
    """

    directory: Path
    manifest: Manifest
    config: RunConfig


def open_run(run: Path) -> OpenedRun:
    """Read manifest and config of a completed run that was trained on images.

    Raises:
        ConfigError: The config was edited beyond reading.
        RecordError: The run is not complete, or was edited.
        UsageError: It was trained on vectors that are drawn.
    """
    manifest = load_sealed_run(run, completed=True)
    config = load_recorded_recipe(run, manifest)
    if config.data.source == "synthetic":
        raise UsageError(
            "the run was trained on drawn vectors: no image becomes one",
            where=str(run),
            hint="name a run whose data.source is folder, npz or csv",
        )
    return OpenedRun(directory=run, manifest=manifest, config=config)
