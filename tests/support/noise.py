"""Small sets of images of noise: sound, and no two of them alike."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def draw_noise(number: int) -> bytes:
    """Return a PNG file, another one for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (40, 40), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def make_noise_set(root: Path, names: Sequence[str]) -> Path:
    """Draw a set with these files."""
    for number, name in enumerate(names):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(draw_noise(number))
    return root


def write_set_config(path: Path, root: Path, **data: Any) -> Path:
    """Write a config over a set with the classes A and B."""
    tree = {
        "seed": 0,
        "threads": 1,
        "data": {"source": "folder", "root": str(root), "classes": ["A", "B"], **data},
        "model": {"name": "test_resnet"},
        "train": {"epochs": 1, "batch_size": 1},
    }
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path
