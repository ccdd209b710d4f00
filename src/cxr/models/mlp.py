"""A small multilayer perceptron for vectors, with the same face as timm's models."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Mlp(nn.Module):
    """Flatten, hidden layers with ReLU, and a linear classifier.

    Args:
        num_features: Values of a flattened input.
        hidden: Widths of the hidden layers.
        num_classes: Logits.
        drop_rate: Dropout before the classifier.
    """

    def __init__(
        self, *, num_features: int, hidden: Sequence[int], num_classes: int, drop_rate: float
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        width = num_features
        for following in hidden:
            layers += [nn.Linear(width, following), nn.ReLU()]
            width = following
        self.backbone = nn.Sequential(*layers)
        self.drop = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:  # noqa: N803
        """Return logits of shape (B, num_classes) for images of shape (B, C, H, W)."""
        logits: torch.Tensor = self.classifier(self.drop(self.backbone(images_BCHW)))
        return logits

    def get_classifier(self) -> nn.Module:
        """Return the last layer, as timm's models do."""
        return self.classifier
