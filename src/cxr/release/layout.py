"""What an exported directory holds: the name of each file, and what it is for.

Three more stand in `cxr.records.exported`, because predicting with an export reads them.
"""

from __future__ import annotations

from typing import Any, Final

from cxr.records.exported import EXPORT, LABELS, RECIPE
from cxr.records.manifest import Manifest

EXPORT_SCHEMA: Final = "cxr.export/1"
PREPROCESSING_SCHEMA: Final = "cxr.preprocessing/1"
LEDGER_HEAD_SCHEMA: Final = "cxr.ledger-head/1"

WEIGHTS: Final = "model.safetensors"
"""The run's weights, byte for byte: the run's manifest has the same digest of them."""
TIMM_CONFIG: Final = "config.json"
"""What timm builds the model from; the layout of its models on the hub."""
PREPROCESSING: Final = "preprocessing.json"
"""How an image becomes the model's input, in words and numbers."""
MANIFEST: Final = "manifest.json"
"""The run's manifest, byte for byte."""
LEDGER_HEAD: Final = "ledger-head.json"
"""Where the chain of the run's ledger ends."""
CARD: Final = "README.md"
"""The model card."""
ONNX: Final = "model.onnx"
"""The model with its preprocessing inside; only where it was asked for."""

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

ATTESTATION: Final = "attestation.json"
"""Who signed the run: beside a run in its file, with a published export in the directory."""
EXPORT_ATTESTATION: Final = "export.attestation.json"
"""Who signed the export: every file of it but the next."""
MODEL_SIGNATURE: Final = "model.sig"
"""Who signed the export, in the format of OpenSSF model-signing and under the name that its users
expect: every other file, the two before among them. So it is always the last that is made.
"""

COMPANIONS: Final = (ATTESTATION, EXPORT_ATTESTATION, MODEL_SIGNATURE)
"""What may lie beside an export's own files once it is published, and its record does not name."""

RELEASED: Final = (*ALWAYS, *SOMETIMES, *COMPANIONS)
"""Files that a release on a hub may have: what is sent, and what is fetched."""


def describe_ledger_head(manifest: Manifest) -> dict[str, Any]:
    """Return what `LEDGER_HEAD` holds."""
    trace = manifest["trace"]
    return {
        "schema": LEDGER_HEAD_SCHEMA,
        "ledger_head": trace["ledger_head"],
        "steps": trace["steps"],
        "trace_digest": manifest["trace_digest"],
    }
