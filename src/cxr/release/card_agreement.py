"""How far an export agrees with its run, in the words of the card and of the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.plain_text import count


def describe_timm(found: Mapping[str, Any], config: RunConfig, split: str) -> str:
    """Return a sentence on the logits that timm gives, measured at export.

    Args:
        found: `Agreement` as JSON.
        config: The run's config.
        split: The split that was measured.
    """
    num, size = found["num_images"], config.evaluate.batch_size
    how = f"{count(config.threads, 'thread')}, batches of {size}"
    if found["num_same"] == num:
        said = f"the logits of the run, bit for bit, on all {num:,} images of the {split} split"
        return f"Measured: {said} ({how})."
    changed = found["changed_decisions"]
    said = (
        f"the largest difference of a logit is {found['largest_difference']:.3g}, and "
        f"{changed:,} of {num:,} decisions changed ({split} split, {how})"
    )
    why = (
        "The run computed in cxr's portable arithmetic; torch's own kernels round otherwise."
        if config.determinism is Level.PORTABLE
        else "The machine or the libraries of this measurement are not the run's: its own code "
        "gives other bits here as well."
    )
    return f"Measured: {said}. {why}"


def describe_onnx(found: Mapping[str, Any]) -> str:
    """Return what is to be known of ``model.onnx``.

    Args:
        found: What the record of the export says of it.
    """
    channels = found["input"]["shape"][2]
    colours = "grey, shape (height, width, 1)" if channels == 1 else "RGB, shape (height, width, 3)"
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return (
        f"`model.onnx` (opset {found['opset']}, {found['producer']}; {versions}) takes one upright "
        f"8-bit picture of any size as `{found['input']['name']}`: uint8, {colours}. Conversion to "
        "8-bit grey or RGB and turning by EXIF come before it; resizing, to the bit as Pillow's, "
        f"and normalisation are inside. {measure_in_words(found)}"
    )


def measure_in_words(found: Mapping[str, Any]) -> str:
    """Return how far ``model.onnx`` agrees with torch, in one sentence or two."""
    agreement = found["agreement"]
    return (
        "Measured: the largest difference of a logit from torch is "
        f"{agreement['largest_difference']:.3g} (more than {agreement['bound']:.3g} is refused), "
        f"and {agreement['changed_decisions']:,} of {agreement['num_images']:,} decisions changed."
    )
