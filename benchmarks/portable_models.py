"""Models that a chest X-ray user would pick, at the least size that each computes at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from torch import nn

from cxr.models.mlp import Mlp


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of timm's, or the mlp.

    Attributes:
        name: As in a recipe.
        image_size: Side of the images in px.
        options: What `timm.create_model` is told beside it.
    """

    name: str
    image_size: int = 64
    options: dict[str, Any]


def _model(name: str, image_size: int = 64, **options: Any) -> Model:
    return Model(name=name, image_size=image_size, options=options)


MODELS: Final = (
    _model("mlp", 8),
    _model("test_resnet", 32),
    _model("resnet18", 32),
    _model("densenet121", 32),
    _model("efficientnet_b0", 32),
    _model("convnext_atto", 32),
    _model("convnextv2_atto", 32),
    _model("vit_tiny_patch16_224", 32, img_size=32),
    _model("vit_small_patch14_dinov2", 28, img_size=28),
    _model("resnext50_32x4d", 32),
    _model("mobilenetv3_large_100", 32),
    _model("regnety_004", 32),
    _model("vgg11_bn", 32),
    _model("deit_tiny_patch16_224", 32, img_size=32),
    _model("swin_tiny_patch4_window7_224", 56, img_size=56),
    _model("maxvit_tiny_tf_224", 64, img_size=64),
)
"""First what the README names, then their kin."""


def build(model: Model, *, num_classes: int) -> nn.Module:
    """Build a model with drawn weights; timm must be imported before a dispatch mode is entered."""
    import timm

    if model.name == "mlp":
        features = 3 * model.image_size**2
        return Mlp(num_features=features, hidden=(16,), num_classes=num_classes, drop_rate=0.1)
    built: nn.Module = timm.create_model(model.name, num_classes=num_classes, **model.options)
    return built
