"""A completed run's model, loaded once, that answers for one image at a time.

Every image is a batch of its own, so its bits never depend on what was asked before, beside or
after it. Nothing here prints, writes a record, or keeps a path.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from cxr.config.control_plan import derive_control_plan
from cxr.config.schema import RunConfig
from cxr.data.inspection.inspect_file import InspectFiles, inspect_files
from cxr.data.normalise import derive_pixel_table
from cxr.data.preprocessing import CheckedPreprocessing, require_same_preprocessing
from cxr.determinism.arithmetic import arithmetic
from cxr.determinism.controls import find_untaken, require_device, set_controls
from cxr.determinism.levels import Level
from cxr.determinism.seeding import seed_global_generators
from cxr.determinism.streams import derive_seed
from cxr.evaluation.predict import compute_logits, describe_logits, require_finite
from cxr.evaluation.trained_network import build_trained_network, load_outcome_weights
from cxr.inference.answers import Answer, Refusal
from cxr.inference.inputs import Input, describe_file
from cxr.inference.open_run import OpenedRun
from cxr.inference.prepare_image import PreparedImage, decode_input
from cxr.models.build import require_known_model
from cxr.records.exported import is_export, load_exported_classes
from cxr.records.named_files import load_named_lock

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """A model that is ready to answer, from whichever thread asks.

    Attributes:
        opened: The run that it is of.
        classes: Class names in label order.
        network: In evaluation mode, on the config's device.
        table: See `cxr.data.normalise.derive_pixel_table`.
        preprocessing: How that of the run was checked.
        controls_untaken: A line for each switch that did not take; always empty at ``strict``.
        ops_without_kernel: Calls of ops that have no deterministic kernel, at ``warn``.
        guard: Held while it computes: generators and warnings are the whole process's.
    """

    opened: OpenedRun
    classes: tuple[str, ...]
    network: nn.Module
    table: NDArray[np.float32]
    preprocessing: CheckedPreprocessing
    controls_untaken: tuple[str, ...]
    ops_without_kernel: Counter[str]
    guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def config(self) -> RunConfig:
        """The recipe of the run."""
        return self.opened.config

    def predict(self, image: Path | bytes, *, name: str = "image") -> Answer | Refusal:
        """Answer for one image.

        Args:
            image: Its file, or the bytes of one.
            name: What bytes are called; its suffix is held against the content.

        Raises:
            DeterminismError: An op of the model cannot be computed at the run's level.
            TrainingError: The model cannot compute the image, or gives no finite number.
        """
        file = image if isinstance(image, Path) else Path(name)
        content = None if isinstance(image, Path) else image
        prepared = self.prepare(describe_file(file), content=content)
        return prepared if isinstance(prepared, Refusal) else self.answer(prepared)

    def prepare(
        self, wanted: Input, *, content: bytes | None = None, by: InspectFiles = inspect_files
    ) -> PreparedImage | Refusal:
        """Make of an image what the model takes; see `decode_input`. Threads may work ahead."""
        with self._guard_warnings():
            decoded = decode_input(wanted, self.config.data, content=content, by=by)
        return decoded if isinstance(decoded, Refusal) else decoded.normalise(self.table)

    def answer(self, prepared: PreparedImage) -> Answer:
        """Compute what the model says of one image.

        Raises:
            DeterminismError: An op of the model cannot be computed at the run's level.
            TrainingError: The model cannot compute the image, or gives no finite number.
        """
        config, where = self.config, f"prediction of {prepared.path}"
        slices, ops = config.portable.slices, self.ops_without_kernel
        computing = arithmetic(
            config.determinism, slices=slices, ops_without_kernel=ops, where=where
        )
        with self.guard, computing:
            # For each image anew: no answer depends on how many there were before.
            seed_global_generators(derive_seed(config.seed, "evaluation"))
            images = torch.from_numpy(prepared.images_BCHW)
            logits = compute_logits(self.network, images, config, where=where)
        require_finite(logits, where=where)
        said = describe_logits(prepared.path, "", logits[0], self.classes, config)
        return Answer(prediction=said, remarks=prepared.remarks)

    def _guard_warnings(self) -> AbstractContextManager[object]:
        """Return what keeps Python's warnings, which are counted at ``warn``, to one thread."""
        return self.guard if self.config.determinism is Level.WARN else nullcontext()


def load_predictor(opened: OpenedRun) -> Predictor:
    """Load a completed run's model, once everything that it needs is known to be the run's.

    It sets the switches of the whole process as the run's level asks for them: call it before
    anything is computed.

    Args:
        opened: The run; the data that it was trained on need not be there.

    Raises:
        DeterminismError: A switch did not take, or the device is not there.
        PreprocessingError: Images become other tensors here than those of the run.
        RecordError: The run was edited, or its weights are others.
    """
    config = opened.config
    classes = _load_classes(opened)
    preprocessing = require_same_preprocessing(opened.manifest, config.data)
    level = config.determinism
    plan = derive_control_plan(config)
    controls = set_controls(plan)
    require_device(config.device)
    tensors = load_outcome_weights(opened.directory, opened.manifest)
    ops: Counter[str] = Counter()
    # Ahead of the block: timm registers ops of its own when it is imported.
    require_known_model(config.model.name)
    slices, where = config.portable.slices, "the network of the run"
    with arithmetic(level, slices=slices, ops_without_kernel=ops, where=where):
        network = build_trained_network(config, tensors, num_classes=len(classes))
    return Predictor(
        opened=opened,
        classes=classes,
        network=network.eval(),
        table=derive_pixel_table(config.data.mean, config.data.std),
        preprocessing=preprocessing,
        controls_untaken=tuple(find_untaken(plan, controls)),
        ops_without_kernel=ops,
    )


def _load_classes(opened: OpenedRun) -> tuple[str, ...]:
    """Return the class names in the order of the logits.

    Raises:
        RecordError: The run's lock is not the one that its manifest names, nor an export's labels.
    """
    if is_export(opened.directory):
        return load_exported_classes(opened.directory, opened.manifest, opened.config)
    return load_named_lock(opened.directory, opened.manifest).classes
