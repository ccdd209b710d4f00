"""The bench: a temporary directory, two tiny recipes, their sound runs, and faulty ones beside."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from PIL import Image

from cxr.compare.diff import diff_runs
from cxr.config.load import load_config
from cxr.data.drawing.radiographs import SynthPlan, write_dataset
from cxr.digests.files import digest_file
from cxr.errors import DeterminismError
from cxr.interruption import InterruptibleProgress
from cxr.progress import SILENCE
from cxr.records.manifest import Manifest, load_manifest
from cxr.records.run_directory import WEIGHTS
from cxr.repeat.verify_record import verify_record
from cxr.selftest.faults import Fault
from cxr.training.run import train

Found = dict[str, Any]
"""What the evidence says, by name: verdict, step, part, tensor, fields, findings…"""

VECTORS: Final = "vectors"
IMAGES: Final = "images"

_RECIPES: Final[dict[str, dict[str, Any]]] = {
    # Six steps, three an epoch, of a perceptron with dropout.
    VECTORS: {
        "seed": 1,
        "threads": 1,
        "workers": 1,
        "data": {
            "source": "synthetic",
            "image_size": 28,
            "synthetic": {"train": 60, "val": 20, "test": 20},
        },
        "model": {"name": "mlp", "hidden": [16], "drop_rate": 0.2},
        "train": {"epochs": 2, "batch_size": 20},
    },
    # Six steps, three an epoch, of a small residual network on twelve drawn radiographs.
    IMAGES: {
        "seed": 1,
        "threads": 1,
        "workers": 1,
        "data": {
            "source": "folder",
            "root": "radiographs",
            "cache_dir": "cache",
            "classes": ["NORMAL", "PNEUMONIA"],
            "image_size": 32,
        },
        "model": {"name": "test_resnet", "drop_rate": 0.2},
        "train": {"epochs": 2, "batch_size": 4, "augment": {"flip": True}},
    },
}
_DRAWN: Final = SynthPlan(seed=7, size_px=32, train=12, val=8, test=8)


@dataclass
class Bench:
    """Where runs are trained and compared; nothing outside its directory is written.

    Attributes:
        directory: Empty at first.
    """

    directory: Path
    _sound: dict[str, Path] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        for name, recipe in _RECIPES.items():
            # JSON is YAML.
            self._config(name).write_text(json.dumps({"name": name, **recipe}), encoding="utf-8")

    def train(self, recipe: str, changes: Sequence[str] = (), fault: Fault | None = None) -> Path:
        """Train a recipe, with fields changed as ``--set`` does and with a fault planted.

        Raises:
            CxrError: The run ended early.
        """
        out = self._new_directory()
        self._train(out, recipe, changes, fault)
        return out

    def attempt(self, recipe: str, changes: Sequence[str], fault: Fault) -> Manifest:
        """Train likewise and return the manifest, also of a run that ``strict`` ended early.

        Raises:
            CxrError: The run never began, or ended early for another reason.
        """
        out = self._new_directory()
        with contextlib.suppress(DeterminismError):
            self._train(out, recipe, changes, fault)
        return load_manifest(out)

    def sound(self, recipe: str) -> Path:
        """Return a run of a recipe with nothing changed and nothing planted."""
        if recipe not in self._sound:
            if recipe == IMAGES:
                self._draw()
            self._sound[recipe] = self.train(recipe)
        return self._sound[recipe]

    def compare(
        self, recipe: str, changes: Sequence[str] = (), fault: Fault | None = None
    ) -> Found:
        """Train a recipe again, changed or with a fault, and compare it with its sound run."""
        sound = self.sound(recipe)
        return read_diff(sound, self.train(recipe, changes, fault))

    def compare_images(self, edit: Callable[[Path], None]) -> Found:
        """Train on a copy of the drawn images that was edited, and compare."""
        sound = self.sound(IMAGES)
        copy = self._new_directory()
        shutil.copytree(self.directory / "radiographs", copy)
        edit(copy)
        return read_diff(sound, self.train(IMAGES, [_set("data.root", copy)]))

    def compare_weights(self, edit: Callable[[Path], None]) -> Found:
        """Start from the weights of the sound run and from a copy that was edited, and compare."""
        files = [self.directory / "a.safetensors", self.directory / "b.safetensors"]
        for file in files:
            shutil.copyfile(self.sound(VECTORS) / WEIGHTS, file)
        edit(files[1])
        a, b = (self.train(VECTORS, _start_from(file)) for file in files)
        return read_diff(a, b)

    def verify(self, edit: Callable[[Path], None]) -> Found:
        """Edit a copy of the sound run and check it."""
        copy = self._new_directory()
        shutil.copytree(self.sound(VECTORS), copy)
        edit(copy)
        findings = verify_record(copy).findings
        return {
            "verdict": "differs" if findings else "consistent",
            "findings": [f"{finding.path}: {finding.problem}" for finding in findings],
        }

    def _train(self, out: Path, recipe: str, changes: Sequence[str], fault: Fault | None) -> None:
        config = load_config(self._config(recipe), changes)
        with fault or contextlib.nullcontext():
            train(config, out=out, progress=InterruptibleProgress(SILENCE))

    def _new_directory(self) -> Path:
        return self.directory / str(next(self._numbers))

    def _config(self, recipe: str) -> Path:
        return self.directory / f"{recipe}.yaml"

    def _draw(self) -> None:
        """Draw the images, and store them so that one pixel can be changed without the others."""
        root = self.directory / "radiographs"
        write_dataset(root, _DRAWN)
        for file in sorted(root.rglob("*.jpeg")):
            with Image.open(file) as image:
                image.save(file.with_suffix(".png"))
            file.unlink()


def read_diff(a: Path, b: Path) -> Found:
    """Return what a comparison of two runs says: where they part, and in which fields."""
    report = diff_runs(a, b)
    parted = report.first_divergence
    return {
        "verdict": report.verdict,
        "step": parted.step if parted else None,
        "part": parted.what if parted else None,
        "tensor": parted.tensor if parted else None,
        "fields": [difference.field for difference in report.differences],
    }


def _start_from(file: Path) -> list[str]:
    return [
        _set("model.weights.source", "file"),
        _set("model.weights.path", file),
        _set("model.weights.sha256", digest_file(file)),
    ]


def _set(name: str, value: Path | str) -> str:
    """Return a change of one field, quoted: a path may hold what YAML has a meaning for."""
    return f"{name}={json.dumps(str(value))}"
