"""Small run directories, written through the same functions as real ones and trained by nobody."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from cxr.config.schema import RunConfig
from cxr.determinism.controls import ControlPlan, derive_wanted
from cxr.determinism.levels import Level
from cxr.digests.canonical import canonical_json
from cxr.digests.tensors import digest_weights
from cxr.environment.kept import Kept
from cxr.evaluation.metrics import compute_metrics
from cxr.records.data_lock import DataLock, Sample
from cxr.records.ledger import INITIAL_STEP, LedgerWriter
from cxr.records.manifest import write_manifest
from cxr.records.predictions import Prediction, load_predictions, write_predictions
from cxr.records.recipe import derive_recipe
from cxr.records.run_directory import MANIFEST, PREDICTIONS, WEIGHTS
from cxr.records.run_record import RunRecord

CONFIG: dict[str, Any] = {
    "name": "fabricated",
    "seed": 1,
    "threads": 1,
    "data": {"source": "folder", "root": "/data", "classes": ["A", "B"]},
    "model": {"name": "test_resnet"},
    "train": {"epochs": 2, "batch_size": 2},
}
ENVIRONMENT: dict[str, Any] = {
    "schema": "cxr.environment/1",
    "python": {"version": "3.13.0", "hash_randomization": False},
    "os": {"system": "Linux", "release": "6.1"},
    "cpu": {"model": "A", "machine": "x86_64", "cores": 2},
    "numerics": {"cpu_capability": "AVX2"},
    "variables": {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "ATEN_CPU_CAPABILITY": None},
    "packages": {"torch": "2.9", "rich": "14"},
    "code": {"digest": "sha256:0", "commit": "0" * 40, "dirty": False},
    "images": {"canaries": {"png": "x"}, "canaries_changed": []},
}
METRICS: dict[str, Any] = {
    "split": "test",
    "accuracy": 0.5,
    "balanced_accuracy": 0.5,
    "macro_f1": 0.4,
    "auroc": 0.75,
    "loss": 0.7,
}
"""Figures that are easy to compare; none of them was computed."""


def sample(path: str, **changes: str) -> Sample:
    """Describe an image whose place says its split and class."""
    split, label, name = path.split("/")
    sha256 = changes.pop("sha256", f"sha256:bytes of {name}")
    values = {"label": label, "group": name, "split": split, **changes}
    return Sample(path=path, bytes=7, sha256=sha256, **values)


SAMPLES = (
    sample("test/A/5.png"),
    sample("test/B/6.png"),
    sample("train/A/1.png"),
    sample("train/B/2.png"),
    sample("train/A/3.png"),
    sample("train/B/4.png"),
)


def digest_of(*what: object) -> bytes:
    """Make up the digest of a tensor."""
    return hashlib.sha256(repr(what).encode()).digest()[:16]


@dataclass
class Fabricated:
    """What a run that nobody trained did.

    Attributes:
        config: Changes of the config, by dotted name.
        samples: The images.
        num_steps: Steps of each of the two epochs.
        upset: What has other digests from where on: ``{(step, part, tensor)}``.
        weight: The one weight that it ended with.
        logits: Of each test image, two.
        computed: Whether its figures are those of its predictions, or made up.
        metrics: Changes of the figures.
        environment: Changes of the capture, by ``group.name``.
        controls: Changes of the switches as read back.
        weights_in: Digest of the weights that it was given.
        code: Digest of the sources that ran.
        arithmetic: The version of the portable arithmetic; only at that level is it in the recipe.
        status: How it ended.
    """

    config: dict[str, Any] = field(default_factory=dict)
    samples: tuple[Sample, ...] = SAMPLES
    num_steps: int = 2
    upset: frozenset[tuple[int, str, str]] = frozenset()
    weight: float = 0.5
    logits: tuple[tuple[float, float], ...] = ((0.25, 0.75), (0.5, 0.5))
    computed: bool = False
    metrics: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    controls: dict[str, Any] = field(default_factory=dict)
    weights_in: str | None = None
    code: str = "sha256:sources"
    arithmetic: int = 1
    status: str = "completed"

    def write(self, directory: Path) -> Path:
        """Write the run's directory."""
        directory.mkdir(parents=True)
        config = self.build_config()
        lock = DataLock(classes=config.data.classes, samples=self.samples)
        recipe = derive_recipe(config, lock, self.weights_in) | {"code_digest": self.code}
        if "arithmetic" in recipe:
            recipe["arithmetic"] = self.arithmetic
        record = RunRecord(directory=directory)
        record.begin(
            config=config,
            lock=lock,
            recipe=recipe,
            weights_origin=None,
            environment=self.build_environment(),
            patch=Kept(),
            package_lock=Kept(),
            controls=self.build_controls(config),
            controls_untaken=[],
        )
        every = config.train.tensor_digests_every
        with LedgerWriter(directory, tensors_every=every) as ledger:
            self.write_steps(ledger)
            if self.status != "completed":
                if self.status != "running":
                    trace = ledger.describe_trace()
                    record.stop(self.status, None, trace=trace, tally={})
                return directory
            outcome = self.write_outcome(directory, config.data.classes)
            logits = {"logits": digest_of("logits", *self.logits)}
            ledger.append(ledger.num_steps, 1, {"predictions": logits})
            for epoch in (0, 1):
                record.append_metrics({"epoch": epoch, "train_loss": 0.5, "val": None})
            record.complete(
                outcome=outcome,
                trace=ledger.describe_trace(),
                metrics={**self.build_figures(directory), **self.metrics},
                selection={"epoch": 1},
                tally={},
            )
        return directory

    def build_config(self) -> RunConfig:
        tree = copy.deepcopy(CONFIG)
        for dotted, value in self.config.items():
            *sections, last = dotted.split(".")
            holder = tree
            for section in sections:
                holder = holder.setdefault(section, {})
            holder[last] = value
        return RunConfig.model_validate_json(json.dumps(tree))

    def build_environment(self) -> dict[str, Any]:
        capture = copy.deepcopy(ENVIRONMENT)
        capture["code"]["digest"] = self.code
        for dotted, value in self.environment.items():
            group, _, name = dotted.partition(".")
            capture.setdefault(group, {})[name] = value
        return capture

    def build_controls(self, config: RunConfig) -> dict[str, Any]:
        plan = ControlPlan(
            level=config.determinism, threads=config.threads, fill_memory=config.fill_memory
        )
        found = {**derive_wanted(plan), "torch.cpu_capability": "AVX2", "MKL_CBWR": None}
        return {**found, **self.controls}

    def write_steps(self, ledger: LedgerWriter) -> None:
        def digest(step: int, part: str, tensor: str) -> bytes:
            upset = any(
                step >= since and (part, tensor) == (other, name)
                for since, other, name in self.upset
            )
            return digest_of(tensor, step, part, upset)

        ledger.append(
            INITIAL_STEP,
            INITIAL_STEP,
            {"parameters": {name: digest(-1, "parameters", name) for name in ("w", "b")}},
        )
        for step in range(2 * self.num_steps):
            ledger.append(
                step,
                step // self.num_steps,
                {
                    part: {name: digest(step, part, name) for name in names}
                    for part, names in (
                        ("samples", ("indices",)),
                        ("batch", ("images", "labels")),
                        ("loss", ("loss",)),
                        ("gradients", ("w", "b")),
                        ("parameters", ("w", "b")),
                    )
                },
            )

    def write_outcome(self, directory: Path, classes: tuple[str, ...]) -> dict[str, str]:
        weights = {"w": torch.tensor([self.weight, 2.0]), "b": torch.tensor([0.0])}
        safetensors.torch.save_file(weights, directory / WEIGHTS, metadata={"cxr": "weights"})
        tests = [found for found in self.samples if found.split == "test"]
        rows = [
            Prediction(
                path=image.path,
                label=image.label,
                decision=classes[row.index(max(row))],
                logits=tuple(map(str, row)),
                probabilities=row,
            )
            for image, row in zip(tests, self.logits, strict=False)
        ]
        return {
            "weights_digest": digest_weights(weights),
            "predictions_digest": write_predictions(directory / PREDICTIONS, classes, rows),
        }

    def build_figures(self, directory: Path) -> dict[str, Any]:
        if not self.computed:
            return METRICS
        predicted = load_predictions(directory / PREDICTIONS)
        return {"split": "test", **compute_metrics(*predicted, level=Level.STRICT).to_json()}


@pytest.fixture
def make_run(tmp_path):
    """Write a run that differs from the plain one in what is given; return its directory."""
    made = []

    def make(**changes) -> Path:
        directory = tmp_path / "runs" / f"{len(made)}"
        made.append(directory)
        return Fabricated(**changes).write(directory)

    return make


@pytest.fixture
def describe_image():
    """Describe an image whose place says its split and class."""
    return sample


@pytest.fixture
def plain_samples():
    """The images of a plain run."""
    return SAMPLES


@pytest.fixture
def replace_image():
    """Return the plain images with one described otherwise."""

    def change(before, **changes):
        return tuple(
            replace(found, **changes) if found.path == before else found for found in SAMPLES
        )

    return change


@pytest.fixture
def edit_manifest():
    """Change a run's manifest as someone with an editor would, or seal it anew as well."""

    def edit(directory, change, *, seal=False):
        path = directory / MANIFEST
        content = json.loads(path.read_bytes())
        change(content)
        if seal:
            write_manifest(directory, content)
        else:
            path.write_bytes(canonical_json(content) + b"\n")
        return directory

    return edit
