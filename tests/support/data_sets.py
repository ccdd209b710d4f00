"""Reading data sets as a run does, step by step."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from cxr.config.data_section import DataConfig
from cxr.data.caches.decoded import open_decoded
from cxr.data.sources.folder import FolderSource
from cxr.data.sources.open import open_source
from cxr.data.sources.scan import hash_samples
from cxr.data.sources.source import FoundImage
from cxr.progress import SILENCE


def scan(config, *, progress=SILENCE):
    """Find and hash every sample of a data section."""
    source = open_source(config)
    return hash_samples(source, source.find(), progress=progress)


def open_folder(root, lock, plan, directory, **options):
    """Decode the files of a lock below ``root``, through a cache."""
    source = FolderSource(DataConfig(source="folder", root=str(root), classes=lock.classes))
    found = [
        FoundImage(Path(root, one.path), one.path, one.label, one.group, one.split)
        for one in lock.samples
    ]
    return open_decoded(source, found, lock, plan, directory, **options)


LABELS = ("Edema", "Effusion")


def write_table(directory):
    """Write a table of 40 images that have none, one or both of two labels, and the images.

    The lower half of a picture is brighter with Edema, its right half with Effusion. Of every
    seventh image nobody knows whether it has Effusion.
    """
    generator = np.random.default_rng(0)
    rows = [["path", *LABELS, "patient", "split"]]
    for number in range(40):
        has = number % 2, number // 2 % 2
        pixels = generator.integers(0, 100, (32, 32)).astype(np.uint8)
        pixels[16:] += np.uint8(100 * has[0])
        pixels[:, 16:] += np.uint8(50 * has[1])
        path = f"images/{number:02d}.png"
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(directory / path)
        split = "train" if number < 20 else "valid" if number < 30 else "test"
        other = "-1.0" if number % 7 == 0 else "1.0" if has[1] else ""
        rows.append([path, f"{has[0]}.0", other, f"p{number}", split])
    with (directory / "table.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


def write_npz(file):
    """Write 24 images of 28 px in MedMNIST's layout; those of the second class are brighter."""
    generator = np.random.default_rng(0)
    arrays = {}
    for split, num in (("train", 12), ("val", 6), ("test", 6)):
        labels = np.arange(num, dtype=np.uint8)[:, None] % 2
        images = generator.integers(0, 100, (num, 28, 28)).astype(np.uint8)
        images += labels[..., None] * np.uint8(100)
        arrays |= {f"{split}_images": images, f"{split}_labels": labels}
    np.savez(file, **arrays)
