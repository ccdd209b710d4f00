"""Which models train at the level ``portable``: two steps and an evaluation of each, and the page.

The models are those that a chest X-ray user would pick, at the least size that each computes at:
that is about the ops that they call, not about what they learn. With ``--digest`` it prints the
digest of everything that one of them ends with, to be compared between processes.

    uv run python benchmarks/portable_models.py --write docs/portable-models.md
    uv run python benchmarks/portable_models.py --digest resnet18
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import timm
import torch
from torch import nn
from torch.nn import functional

from cxr.determinism.portable.mode import portable_arithmetic
from cxr.determinism.portable.optimizers import PortableAdamW
from cxr.determinism.portable.random.drawing import drawing
from cxr.determinism.portable.random.initialisation import build_portably
from cxr.determinism.portable.version import ARITHMETIC_VERSION
from cxr.determinism.threefry import threefry2x32
from cxr.digests.tensors import digest_weights
from cxr.errors import CxrError
from cxr.models.mlp import Mlp

_SEED: Final = 7
_BATCH: Final = 4
_CLASSES: Final = 3
_STEPS: Final = 2
_SHOWN_DIGITS: Final = 12

_HEADER: Final = """\
# Models that train at `portable`

<!-- Written by benchmarks/portable_models.py: do not edit by hand. -->

Two steps with AdamW, cross-entropy with label smoothing and class weights, dropout where the model
has it, and an evaluation, at a small size, by version {version} of the arithmetic. The digest is of
all weights, buffers and logits.

| model | px | | digest, or the op that is missing |
| --- | --- | --- | --- |
"""


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
    """Build a model with drawn weights."""
    if model.name == "mlp":
        features = 3 * model.image_size**2
        return Mlp(num_features=features, hidden=(16,), num_classes=num_classes, drop_rate=0.1)
    built: nn.Module = timm.create_model(model.name, num_classes=num_classes, **model.options)
    return built


def make_images(model: Model) -> torch.Tensor:
    """Return float32 images in [-1, 1), from integers: the same on every machine."""
    side = model.image_size
    places = torch.arange(_BATCH * 3 * side * side)
    words, _ = threefry2x32((_SEED, 0), (places, torch.zeros_like(places)))
    return ((words >> 8).to(torch.float32) * 2.0**-23 - 1.0).reshape(_BATCH, 3, side, side)


def train(model: Model) -> str:
    """Train and evaluate portably; return the digest of what comes out.

    Raises:
        CxrError: An op has no portable form.
    """
    with portable_arithmetic(f"initialisation of {model.name}"):
        network = build_portably(lambda: build(model, num_classes=_CLASSES), _SEED)
    optimizer = PortableAdamW(
        [{"params": list(network.parameters()), "weight_decay": 0.05}],
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
    )
    images, labels = make_images(model), torch.tensor([0, 2, 1, 0])
    weights = torch.tensor([1.0, 2.0, 0.5])
    network.train()
    for step in range(_STEPS):
        with portable_arithmetic(f"step {step}"), drawing(_SEED, "draw", step, 0):
            optimizer.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(
                network(images), labels, weight=weights, label_smoothing=0.1, reduction="sum"
            )
            (loss / weights[labels].sum()).backward()
            optimizer.step()
    network.eval()
    with portable_arithmetic("evaluation"), torch.inference_mode():
        logits = network(images)
    return digest_weights({**network.state_dict(), "logits": logits.clone()})


def describe(model: Model) -> str:
    """Return a model's row of the page."""
    try:
        said, digest = "trains", f"`{train(model).removeprefix('sha256:')[:_SHOWN_DIGITS]}`"
    except CxrError as error:
        said, digest = "refused", f"{error.problem} ({error.where})"
    return f"| `{model.name}` | {model.image_size} | {said} | {digest} |"


def main() -> None:
    """Train every model, or the one that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the page")
    parser.add_argument("--digest", metavar="MODEL", nargs="+", help="print digests of models")
    options = parser.parse_args()
    if options.digest:
        for model in MODELS:
            if model.name in options.digest:
                print(model.name, train(model))
        return
    rows = []
    for model in MODELS:
        started = time.monotonic()
        rows.append(describe(model))
        seconds = time.monotonic() - started
        print(f"{rows[-1]} {seconds:.0f} s", file=sys.stderr, flush=True)
    if options.write:
        header = _HEADER.format(version=ARITHMETIC_VERSION)
        options.write.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
