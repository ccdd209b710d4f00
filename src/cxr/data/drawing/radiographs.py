"""Chest-like radiographs drawn from a seed, so that everybody can train without patient data.

Every bit of a drawn array is the same on every machine and NumPy version, by construction:

- Randomness comes only from the stream ``(seed, "radiograph", split, kind, number)``, which is
  integer arithmetic.
- Pictures are float64, and only pass through operations that IEEE 754 rounds correctly or that are
  exact: ``+ - * /``, square root, comparison, floor, clip, absolute value. Each is one elementwise
  NumPy call, so no compiler can fuse a multiplication with an addition.
- No exponential, sine or power, whose last bit belongs to the mathematics library. No sum, mean or
  matrix product of floats, whose order of addition belongs to the processor's vector length.

So soft edges are the polynomial smoothstep, curves are quadratics, and smooth noise is a lattice of
random integers with smoothstep interpolation. The JPEG files are these arrays through Pillow's
encoder; another build of libjpeg may write other bytes for the same array.

The layout and the names are those of the Kaggle pneumonia data set. In each split the images of a
kind are numbered from 1 and belong to patients in a cycle of four images: the first two show the
same patient, the third and the fourth one each. The second image of a patient repeats the anatomy
of the first, so a split that tears patients apart leaks.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxr.atomic import make_directory, storage_errors
from cxr.data.drawing.anatomy import (
    Anatomy,
    Frame,
    Picture,
    between,
    bump,
    ellipse,
    grain,
    healthy_chest,
    hilum_radius,
    lung_fields,
    rise,
    toward,
    value_noise,
)
from cxr.determinism.streams import MAX_SEED, Stream, derive_stream
from cxr.errors import UsageError

Kind = Literal["normal", "bacteria", "virus"]
"""What an image shows: nothing, focal consolidation, or diffuse haze on both sides."""

KINDS: Final[tuple[Kind, ...]] = ("normal", "bacteria", "virus")
SPLITS: Final = ("train", "val", "test")
LABELS_NAME: Final = "labels.csv"
LABELS_HEADER: Final = "path,label,kind,patient,split"
JPEG_QUALITY: Final = 90
MIN_IMAGES: Final = 4
"""Fewest images in a split that is not empty: two normal and one of each pneumonia."""
MIN_SIZE_PX: Final = 16
MAX_SIZE_PX: Final = 2048

_CYCLE: Final = 4
"""Images after which the assignment of images to patients repeats."""
_SECOND: Final = 2
"""Place in the cycle of the image that shows the same patient as the one before."""
_CONSOLIDATED: Final = 0.72
"""Attenuation of lung that is full of fluid: about that of soft tissue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthPlan:
    """What `write_dataset` is to write.

    Half of the images of a split are normal, rounded down; half of the others are bacterial,
    rounded up; the rest are viral. A split may have 0 images or at least `MIN_IMAGES`.
    """

    seed: int = 7
    size_px: int = 96
    train: int = 48
    val: int = 16
    test: int = 16

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            UsageError: The seed, the size or a number of images is out of range.
        """
        _require_range("seed", self.seed, 0, MAX_SEED)
        _require_range("size_px", self.size_px, MIN_SIZE_PX, MAX_SIZE_PX)
        for split in SPLITS:
            num = getattr(self, split)
            if num and num < MIN_IMAGES:
                raise UsageError(
                    f"{num} is not a number of images that a split can have",
                    where=f"images of {split}",
                    hint=f"ask for 0, or for {MIN_IMAGES} or more",
                )
        if not self.num_images:
            raise UsageError(
                "there is nothing to draw",
                where="images of train, val and test",
                hint=f"ask for {MIN_IMAGES} or more images in one of them",
            )

    @property
    def num_images(self) -> int:
        """Images in all splits together."""
        return self.train + self.val + self.test

    def num_of(self, split: str, kind: Kind) -> int:
        """Return how many images of ``kind`` belong into ``split``."""
        num: int = getattr(self, split)
        num_normal = num // 2
        num_bacteria = (num - num_normal + 1) // 2
        counts = {"normal": num_normal, "bacteria": num_bacteria}
        return counts.get(kind, num - num_normal - num_bacteria)


def _require_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UsageError(
            f"{value} is out of range", where=name, hint=f"give a number from {low} to {high}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One image of the data set: what is drawn and under which name."""

    split: str
    kind: Kind
    number: int
    label: str
    patient: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.split}/{self.label}/{self.name}"

    @property
    def row(self) -> str:
        return f"{self.path},{self.label},{self.kind},{self.patient},{self.split}"


def draw_radiograph(
    seed: int, split: str, kind: Kind, number: int, size_px: int
) -> NDArray[np.uint8]:
    """Draw one chest-like radiograph; the arguments decide every bit of it.

    Args:
        seed: The data set's seed, from 0 to 2^64 - 1.
        split: Name of the split: the same number in another split is another patient.
        kind: What the image shows.
        number: The image's number within its split and kind, from 1. It also decides which
            images show the same patient.
        size_px: Width and height in pixels.

    Returns:
        Shape (size_px, size_px), dtype uint8: 0 is black, air; 255 is white.
    """
    stream = derive_stream(seed, "radiograph", split, kind, number)
    anatomy = Anatomy.draw(stream)
    first = _first_of_patient(number)
    if first != number:
        anatomy = Anatomy.draw(derive_stream(seed, "radiograph", split, kind, first))
    frame = Frame.draw(stream, size_px)
    level = healthy_chest(frame, anatomy)
    if kind == "bacteria":
        level = _consolidate(stream, frame, anatomy, level)
    elif kind == "virus":
        level = _haze(stream, frame, anatomy, level)
    return _expose(stream, frame, level)


def _first_of_patient(number: int) -> int:
    """Return the number of the first image that shows the same patient."""
    return number - 1 if number % _CYCLE == _SECOND else number


def _consolidate(stream: Stream, frame: Frame, anatomy: Anatomy, level: Picture) -> Picture:
    """Return ``level`` with one or two lobes partly filled: bright blobs with soft edges."""
    size_px = len(level)
    lungs = lung_fields(frame, anatomy)
    for _ in range(1 + (stream.below(3) == 0)):
        is_left = stream.below(2)
        aside = between(stream, 0.15, 0.27) + 0.05 * is_left
        down = between(stream, 0.30, 0.66)
        half, height = between(stream, 0.08, 0.14), between(stream, 0.07, 0.13)
        radius = ellipse(frame, aside if is_left else -aside, down, half, height)
        ragged = radius * (0.55 + 0.9 * value_noise(stream, size_px, 14))
        blob = 1.0 - rise(ragged, 0.15, 1.25)
        cloud = 0.65 + 0.35 * value_noise(stream, size_px, 20)
        opacity = between(stream, 0.28, 0.80) * blob * cloud * lungs
        level = toward(level, _CONSOLIDATED, opacity)
    return level


def _haze(stream: Stream, frame: Frame, anatomy: Anatomy, level: Picture) -> Picture:
    """Return ``level`` with both lungs patchily veiled and their network of septa thickened."""
    size_px = len(level)
    lungs = lung_fields(frame, anatomy)
    contrast = between(stream, 0.18, 0.48)
    patches = rise(value_noise(stream, size_px, 9), 0.25, 0.80)
    # A crest wherever the noise crosses its middle: thin closed lines, like thick septa.
    crests = bump(value_noise(stream, size_px, 24) - 0.5, 0.16)
    finer = bump(value_noise(stream, size_px, 40) - 0.5, 0.18)
    # Viral pneumonia is densest about the hila.
    central = 0.55 + 0.45 * (1.0 - rise(hilum_radius(frame, anatomy), 0.5, 9.0))
    veil = 0.30 + 0.40 * patches + (0.35 + 0.35 * patches) * np.maximum(crests, 0.8 * finer)
    opacity = np.minimum(contrast * central * veil, 1.0) * lungs
    return toward(level, _CONSOLIDATED, opacity)


def _expose(stream: Stream, frame: Frame, level: Picture) -> NDArray[np.uint8]:
    """Return the film: exposure, uneven beam, contrast, texture and noise, then 8 bits."""
    size_px = len(level)
    gain, offset = between(stream, 0.88, 1.10), between(stream, -0.04, 0.06)
    beam_across, beam_down = between(stream, -0.10, 0.10), between(stream, -0.08, 0.08)
    contrast = between(stream, 0.0, 0.7)
    noise = between(stream, 0.010, 0.035)
    texture = value_noise(stream, size_px, 6) + 0.6 * value_noise(stream, size_px, 28) - 0.8
    level = level * (1.0 + 0.07 * texture)
    level = level * (gain + beam_across * frame.across + beam_down * (frame.down - 0.5)) + offset
    level = np.clip(level, 0.0, 1.0)
    curved = level * level * (3.0 - 2.0 * level)
    level = level + contrast * (curved - level) + noise * grain(stream, size_px)
    return np.floor(np.clip(level, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def write_dataset(
    directory: Path, plan: SynthPlan, *, report: Callable[[int, int], None] | None = None
) -> list[str]:
    """Draw the images of ``plan`` and write them in the Kaggle pneumonia layout.

    Beside the images it writes `LABELS_NAME`: one row for each image, in the order of the paths.

    Args:
        directory: Where to write; it is made, or must be empty.
        plan: How many images, how large, from which seed.
        report: Called after each image with the number of images done and of all images.

    Returns:
        The paths of the images relative to ``directory``, with slashes, sorted.

    Raises:
        UsageError: ``directory`` holds something already, or is no directory.
        StorageError: A file cannot be written.
    """
    _require_empty(directory)
    # Drawn beside its place, so that it appears whole or not at all; or inside a directory that is
    # there already, because that may be a file system of its own, or where somebody stands.
    home = directory if directory.is_dir() else directory.parent
    make_directory(home)
    with (
        storage_errors(directory),
        tempfile.TemporaryDirectory(dir=home, prefix=".cxr-drawing-") as temporary,
    ):
        drawing = Path(temporary) / "set"
        paths = _write_images(drawing, plan, report)
        if home == directory:
            for part in sorted(drawing.iterdir()):
                part.rename(directory / part.name)
        else:
            drawing.rename(directory)
    return paths


def _require_empty(directory: Path) -> None:
    with storage_errors(directory):
        taken = directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
    if taken:
        raise UsageError(
            "images are only written into a new or empty directory",
            where=str(directory),
            hint="name another directory, or remove this one",
        )


def _write_images(
    directory: Path, plan: SynthPlan, report: Callable[[int, int], None] | None
) -> list[str]:
    """Draw and write every image and `LABELS_NAME`, and return the paths of the images."""
    entries = sorted(_entries(plan), key=lambda entry: entry.path)
    for done, entry in enumerate(entries, start=1):
        file = directory / entry.path
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = draw_radiograph(plan.seed, entry.split, entry.kind, entry.number, plan.size_px)
        file.write_bytes(_encode_jpeg(pixels))
        if report is not None:
            report(done, len(entries))
    rows = [LABELS_HEADER, *(entry.row for entry in entries)]
    (directory / LABELS_NAME).write_bytes(("\n".join(rows) + "\n").encode("ascii"))
    return [entry.path for entry in entries]


def _encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Return ``pixels`` as a greyscale JPEG file without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _entries(plan: SynthPlan) -> Iterator[_Entry]:
    """Yield every image of ``plan``; patients and images are numbered on through the splits."""
    study = person = film = 0
    for split in SPLITS:
        for kind in KINDS:
            for number in range(1, plan.num_of(split, kind) + 1):
                is_new = _first_of_patient(number) == number
                if kind == "normal":
                    study += is_new
                    patient, label = f"IM-{study:04d}", "NORMAL"
                    name = f"{patient}-{1 if is_new else 2:04d}.jpeg"
                else:
                    person, film = person + is_new, film + 1
                    patient, label = f"person{person}", "PNEUMONIA"
                    name = f"{patient}_{kind}_{film}.jpeg"
                yield _Entry(
                    split=split, kind=kind, number=number, label=label, patient=patient, name=name
                )
