"""An exported directory as somebody without cxr loads it, held against the run that it is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from torch import nn

from cxr.config.schema import RunConfig
from cxr.data.dataset import Split
from cxr.determinism.levels import Level
from cxr.digests.tensors import digest_weights
from cxr.errors import WeightsError
from cxr.evaluation.predict import predict_split
from cxr.models.build import build_network
from cxr.models.weights import load_tensors
from cxr.progress import SILENCE, Progress
from cxr.records.predictions import Prediction
from cxr.release.agreement import Agreement, compare_predictions
from cxr.release.layout import TIMM_CONFIG, WEIGHTS

_LOAD_ERRORS: Final = (
    AssertionError,
    AttributeError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What timm raises for a directory that it cannot build a model from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """An exported model as timm loads it.

    Attributes:
        network: In evaluation mode.
        classes: Class names in the order of its logits.
        config: The run's config with the preprocessing that the directory names.
    """

    network: nn.Module
    classes: tuple[str, ...]
    config: RunConfig


def load_exported(directory: Path, config: RunConfig, weights_digest: str) -> Loaded:
    """Let timm load an exported directory, with nothing but what the directory says.

    Args:
        directory: The export.
        config: The run's config.
        weights_digest: Of the weights that it must hold.

    Raises:
        WeightsError: timm cannot load it, or loads something else.
    """
    import timm

    try:
        network = timm.create_model(f"local-dir:{directory}", pretrained=True)
    except _LOAD_ERRORS as error:
        said = " ".join(str(error).split())[:200]
        raise _refuse(f"timm cannot load the exported model: {said}", config) from error
    if digest_weights(network.state_dict()) != weights_digest:
        raise _refuse("timm loads other weights than those of the run", config)
    described: Any = network.pretrained_cfg
    data = config.data
    if list(described["input_size"]) != [data.channels, data.image_size, data.image_size]:
        raise _refuse("timm reads another input size than the run's", config)
    seen = {"mean": described["mean"][0], "std": described["std"][0]}
    as_exported = config.model_copy(update={"data": data.model_copy(update=seen)})
    network.to(config.device)
    return Loaded(
        network=network.eval(), classes=tuple(described["label_names"]), config=as_exported
    )


def measure_exported(
    loaded: Loaded,
    split: Split,
    recorded: Sequence[Prediction],
    config: RunConfig,
    directory: Path,
    *,
    progress: Progress = SILENCE,
) -> Agreement:
    """Predict a split with an exported model, and compare with what the run recorded.

    Where they differ, the arithmetic must be all that does: the run's own network on this machine,
    under torch's own kernels, must give what the exported one gives, bit for bit.

    Args:
        loaded: The exported model.
        split: The split that the run evaluated.
        recorded: The run's predictions of it.
        config: The run's config.
        directory: The export, for its weights.
        progress: Told how far it is.

    Raises:
        WeightsError: The exported model is another one than the run's.
    """
    found = predict_split(loaded.network, split, loaded.classes, loaded.config, progress=progress)
    agreement = compare_predictions(found, recorded)
    if not agreement.is_exact:
        native = config.model_copy(update={"determinism": Level.STRICT})
        network = build_network(native, num_classes=len(split.classes))
        network.load_state_dict(load_tensors(directory / WEIGHTS))
        network.to(config.device)
        own = predict_split(network, split, split.classes, native, progress=progress)
        if not compare_predictions(found, own).is_exact:
            raise _refuse("the exported model does not give what the run's own model gives", config)
    return agreement


def _refuse(problem: str, config: RunConfig) -> WeightsError:
    return WeightsError(
        problem,
        where=f"{TIMM_CONFIG} of the export, model.name: {config.model.name}",
        hint="nothing was exported; use the version of timm that the run was trained with",
    )
