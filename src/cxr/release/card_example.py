"""The card's example: the run's logits with Pillow, NumPy and timm alone."""

from __future__ import annotations

from typing import Final

from cxr.config.schema import RunConfig

_EXAMPLE: Final = """\
import sys

import numpy as np
import timm
import torch
from PIL import Image, ImageOps

torch.set_num_threads({threads})
directory, *paths = sys.argv[1:]
model = timm.create_model(f"local-dir:{{directory}}", pretrained=True){device}.eval()
cfg = model.pretrained_cfg
channels, height, width = cfg["input_size"]
table = np.array([(v / 255 - cfg["mean"][0]) / cfg["std"][0] for v in range(256)], np.float32)


def load(path):
    picture = ImageOps.exif_transpose(Image.open(path)).convert("{mode}")
    picture = picture.resize((width, height), Image.Resampling.{resample})
    return np.asarray(picture).reshape(height, width, channels)


values = np.take(table, np.stack([load(path) for path in paths]))
images = torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))
with torch.inference_mode(){autocast}:
    logits = torch.cat([model(batch{to}).float().cpu() for batch in images.split({batch_size})])
for path, row in zip(paths, logits.numpy()):
    print(path, *map(str, row))
"""


def render_example(config: RunConfig) -> str:
    """Return a Python program that prints the logits of images, given the directory and them.

    Under ``strict`` bits depend on the number of threads and on which images share a batch: both
    are the run's, as long as the images are those of its split in their order. They depend on the
    strides too: values of one channel stay as they lie when they are transposed, as in
    `normalise_images`, and torch then takes another kernel than for a fresh array.

    Args:
        config: The run's config.
    """
    reduced = config.train.precision == "bfloat16"
    on_gpu = config.device != "cpu"
    return _EXAMPLE.format(
        threads=config.threads,
        device=f'.to("{config.device}")' if on_gpu else "",
        to=f'.to("{config.device}")' if on_gpu else "",
        mode="L" if config.data.channels == 1 else "RGB",
        resample=config.data.resample.upper(),
        autocast=f', torch.autocast("{config.device}", torch.bfloat16)' if reduced else "",
        batch_size=config.evaluate.batch_size,
    )
