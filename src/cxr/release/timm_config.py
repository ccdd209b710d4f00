"""``config.json``: what timm builds an exported model from, in the layout of its hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from cxr.config.schema import RunConfig
from cxr.errors import WeightsError
from cxr.models.build import MLP

_DROPPED: Final = (
    # Of the published weights, not of these.
    "url",
    "file",
    "state_dict",
    "source",
    "hf_hub_id",
    "hf_hub_filename",
    "license",
    "origin_url",
    "paper_ids",
    "paper_name",
    "notes",
    "tag",
    "label_offset",
    "label_names",
    "label_descriptions",
    "test_input_size",
    "test_crop_pct",
    "test_pool_size",
    "min_input_size",
    "pool_size",
)


def require_timm_model(config: RunConfig) -> None:
    """Refuse a model that only cxr can build.

    Raises:
        WeightsError: It is none of timm's.
    """
    if config.model.name == MLP:
        raise WeightsError(
            "the model is cxr's own multilayer perceptron, which timm cannot build",
            where=f"model.name: {config.model.name}",
            hint="export a run of a timm model, such as test_resnet or resnet18",
        )


def describe_timm_config(config: RunConfig, classes: Sequence[str]) -> dict[str, Any]:
    """Return the content of ``config.json``.

    What timm knows of the architecture stays; what it says of the published weights and of their
    preprocessing is replaced by what this run did.

    Args:
        config: The run's config, of a timm model.
        classes: Class names in the order of the logits.

    Returns:
        ``architecture``, ``num_classes``, ``label_names``, ``model_args`` and ``pretrained_cfg``.
        Source: timm's ``models/_hub.py``, ``save_config_for_hf`` and ``_parse_model_cfg``.
    """
    import timm
    from timm.models import split_model_name_tag

    architecture, _ = split_model_name_tag(config.model.name)
    published = timm.models.get_pretrained_cfg(config.model.name)
    known: dict[str, Any] = {} if published is None else asdict(published)
    fixed = bool(known.get("fixed_input_size"))
    data = config.data
    size, channels = data.image_size, data.channels
    return {
        "architecture": architecture,
        "num_classes": len(classes),
        "label_names": list(classes),
        "model_args": {"in_chans": channels, **({"img_size": size} if fixed else {})},
        "pretrained_cfg": {
            **{
                name: value
                for name, value in known.items()
                # Older versions of timm adapt the first layer by it, also where it fits.
                if value is not None
                and name not in _DROPPED
                and not (name == "first_conv" and channels == 1)
            },
            "architecture": architecture,
            "custom_load": False,
            "fixed_input_size": fixed,
            "num_classes": len(classes),
            "input_size": [channels, size, size],
            "mean": [data.mean] * channels,
            "std": [data.std] * channels,
            "interpolation": data.resample,
            "crop_pct": 1.0,
            "crop_mode": "squash",
        },
    }
