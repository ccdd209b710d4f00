"""What an exported directory holds: the name of each file, and what it is for."""

from __future__ import annotations

from typing import Final

EXPORT_SCHEMA: Final = "cxr.export/1"
PREPROCESSING_SCHEMA: Final = "cxr.preprocessing/1"
LEDGER_HEAD_SCHEMA: Final = "cxr.ledger-head/1"

WEIGHTS: Final = "model.safetensors"
"""The run's weights, byte for byte: the run's manifest has the same digest of them."""
TIMM_CONFIG: Final = "config.json"
"""What timm builds the model from; the layout of its models on the hub."""
LABELS: Final = "labels.json"
"""Class names in the order of the logits, and how they are decided for."""
PREPROCESSING: Final = "preprocessing.json"
"""How an image becomes the model's input, in words and numbers."""
MANIFEST: Final = "manifest.json"
"""The run's manifest, byte for byte."""
LEDGER_HEAD: Final = "ledger-head.json"
"""Where the chain of the run's ledger ends."""
RECIPE: Final = "recipe.yaml"
"""A config that trains the model again, without the paths of whoever trained it."""
CARD: Final = "README.md"
"""The model card."""
ONNX: Final = "model.onnx"
"""The model with its preprocessing inside; only where it was asked for."""
EXPORT: Final = "export.json"
"""The record of the export: it names every other file with its digest, and is written last."""

ALWAYS: Final = (
    CARD,
    TIMM_CONFIG,
    EXPORT,
    LABELS,
    LEDGER_HEAD,
    MANIFEST,
    WEIGHTS,
    PREPROCESSING,
    RECIPE,
)
"""Files of every export."""

SOMETIMES: Final = (ONNX,)
"""Files of some."""
