"""Samples in one npz file, as MedMNIST publishes them: arrays of images and labels, by split.

Source: Yang et al., "MedMNIST v2", Scientific Data 2023: ``train_images``, ``train_labels`` and so
on for ``val`` and ``test``; images (N, H, W) or (N, H, W, 3) of uint8, labels (N, 1), or (N, L) of
zeros and ones where an image may have any number of L labels.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxr.config.data_section import DataConfig
from cxr.data.decoding.decode import DecodePlan, fit_picture
from cxr.data.decoding.open_picture import MAX_PIXELS
from cxr.data.inspection.inspect_file import InspectFiles, inspect_files
from cxr.data.inspection.inspect_pixels import inspect_pixels
from cxr.data.inspection.look import Look
from cxr.data.sources.npz_arrays import ArrayHeader, load_array, map_array, read_headers
from cxr.data.sources.source import SPLITS, FoundImage, Stray
from cxr.errors import DataError
from cxr.label_text import UNKNOWN, format_labels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DIGITS: Final = 7
_WHOLE_NUMBERS: Final = "iub"  # numpy's kinds of signed, unsigned and truth values
_NUM_AXES: Final = (3, 4)
_CHANNELS: Final = (1, 3)
_MAX_NUMBERED: Final = 1000
"""As many classes as a config can name; a larger label is a mistake."""


class NpzSource:
    """Rows of the arrays of an npz file."""

    def __init__(self, config: DataConfig) -> None:
        self.root = Path(config.root or "")
        self.classes = config.classes
        if not self.root.is_file():
            raise DataError(
                "the data set is not a file" if self.root.exists() else "no such data set",
                where=str(self.root),
                hint="set data.root to the npz file",
            )
        names = tuple(f"{split}_{part}" for split in SPLITS for part in ("images", "labels"))
        self._headers = read_headers(self.root, names)
        self._require_pairs()
        self._mapped: dict[str, NDArray[np.uint8]] = {}
        self._mapping = threading.Lock()

    def find(self) -> list[FoundImage]:
        """Label every row, without reading images.

        The label of a row that names no class holds a ``?``, which no class's name does. Where a
        config names no classes they are called by their numbers: ``0``, ``1`` and so on.

        Raises:
            DataError: Labels are damaged, or do not have the shape that images and classes ask for.
        """
        found: list[FoundImage] = []
        loaded = {
            split: self._load_labels(split)
            for split in sorted(SPLITS)
            if f"{split}_labels" in self._headers
        }
        if not self.classes:
            self.classes = _number_classes(list(loaded.values()))
        for split, labels in loaded.items():
            self._require_width(split, labels)
            digits = max(_DIGITS, len(str(len(labels))))
            for row, label in enumerate(_describe_labels(labels, self.classes)):
                path = f"{split}/{row:0{digits}d}"
                found.append(FoundImage(self.root, path, label, path, split))
        return found

    def find_strays(self) -> list[Stray]:
        """Return nothing: samples are those that are listed, whatever else there may be."""
        return []

    def read(self, image: FoundImage) -> bytes:
        """Return a row's shape and dtype, as one line of text, and its values, row by row.

        Without that line the same values in another shape, another picture, would be the same data.

        Raises:
            DataError: The array is damaged.
        """
        split, _, row = image.path.partition("/")
        with self._mapping:
            if split not in self._mapped:
                self._mapped[split] = map_array(self._headers[f"{split}_images"])
        return _dump_row(self._mapped[split][int(row)])

    def inspect(
        self,
        samples: Sequence[tuple[FoundImage, bytes]],
        by: InspectFiles = inspect_files,  # noqa: ARG002 - the protocol's
    ) -> list[Look]:
        """Inspect rows; see `inspect_pixels`."""
        return [inspect_pixels(_parse_row(content), content=content) for _, content in samples]

    def decode(
        self,
        image: FoundImage,  # noqa: ARG002 - the protocol's
        content: bytes,
        plan: DecodePlan,
    ) -> NDArray[np.uint8]:
        """Convert and resize a row, as `decode_image` does with a file's picture."""
        from PIL import Image

        return fit_picture(Image.fromarray(_parse_row(content)), plan)

    def _load_labels(self, split: str) -> NDArray[Any]:
        """Return labels of shape (N, 1), or (N, L)."""
        labels = load_array(self._headers[f"{split}_labels"])
        return labels.reshape(len(labels), -1) if labels.size else labels.reshape(0, 1)

    def _require_width(self, split: str, labels: NDArray[Any]) -> None:
        """Refuse labels of another shape than (N, 1) or (N, classes)."""
        num = labels.shape[1]
        if num not in (1, len(self.classes)):
            raise self._refuse(
                f"{split}_labels has {num} labels for each image, "
                f"data.classes names {len(self.classes)}",
                "name every label in data.classes, in the order of the columns",
            )

    def _require_pairs(self) -> None:
        """Refuse arrays that are missing or of another kind, before anything is read."""
        if not {"train_images", "train_labels"} <= self._headers.keys():
            raise self._refuse(
                "the npz file has no train_images and train_labels",
                "name a file in the layout of MedMNIST",
            )
        for split in SPLITS:
            images, labels = (self._headers.get(f"{split}_{n}") for n in ("images", "labels"))
            if images is None and labels is None:
                continue
            if images is None or labels is None:
                missing = "images" if images is None else "labels"
                raise self._refuse(f"the npz file lacks {split}_{missing}", "restore the array")
            problem = _find_problem(images, labels)
            if problem:
                hint = "images are uint8 (N, H, W) or (N, H, W, 3), labels whole numbers (N, L)"
                raise self._refuse(problem, hint)

    def _refuse(self, problem: str, hint: str) -> DataError:
        return DataError(problem, where=str(self.root), hint=hint)


def _dump_row(row: NDArray[np.uint8]) -> bytes:
    """Return a picture as bytes that say its shape: ``28 28 3 |u1``, a line's end, its values.

    Args:
        row: Shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8. A last axis of 1 is not told: the
            picture is the same without it.
    """
    shape = row.shape[:2] if row.shape[2:] == (1,) else row.shape
    head = " ".join([*map(str, shape), row.dtype.str])
    return head.encode() + b"\n" + row.tobytes()


def _parse_row(content: bytes) -> NDArray[np.uint8]:
    """Return the picture that `_dump_row` wrote: shape (H, W) or (H, W, 3), dtype uint8."""
    import numpy as np

    head, _, values = content.partition(b"\n")
    *shape, _ = head.decode().split(" ")
    return np.frombuffer(values, dtype=np.uint8).reshape([int(side) for side in shape])


def _find_problem(images: ArrayHeader, labels: ArrayHeader) -> str | None:
    """Say in what a pair of arrays is not what it should be."""
    shown = f"{images.name} is {images.dtype} of shape {images.shape}"
    fits = images.dtype.str == "|u1" and len(images.shape) in _NUM_AXES
    if not fits or images.shape[3:] not in ((), *((num,) for num in _CHANNELS)):
        return shown
    if images.is_column_major:
        return f"{images.name} is in column-major order: save numpy.ascontiguousarray of it"
    height, width = images.shape[1:3]
    if not 0 < height * width <= MAX_PIXELS:
        return f"{shown}: an image has from 1 to {MAX_PIXELS:,} pixels"
    if labels.dtype.kind not in _WHOLE_NUMBERS or len(labels.shape) not in (1, 2):
        return f"{labels.name} is {labels.dtype} of shape {labels.shape}"
    if labels.shape[0] != images.shape[0]:
        return f"{images.shape[0]:,} rows of {images.name}, {labels.shape[0]:,} of {labels.name}"
    return None


def _number_classes(labels: Sequence[NDArray[Any]]) -> tuple[str, ...]:
    """Return numbers as the names of the classes that labels speak of.

    Args:
        labels: Of each split, shape (N, 1), an index each; or (N, L), zeros and ones.
    """
    num = max(rows.shape[1] for rows in labels)
    if num == 1:
        num = max((int(rows.max()) + 1 for rows in labels if rows.size), default=0)
    return tuple(map(str, range(min(num, _MAX_NUMBERED))))


def _describe_labels(labels: NDArray[Any], classes: Sequence[str]) -> Iterator[str]:
    """Yield the text of each row's labels.

    Args:
        labels: Shape (N, 1), an index each; or (N, classes), zeros and ones.
        classes: Class names in label order.
    """
    for row in labels.tolist():
        if len(row) == 1:
            is_class = 0 <= row[0] < len(classes)
            yield classes[int(row[0])] if is_class else f"{int(row[0])} ({UNKNOWN})"
        elif strange := [value for value in row if value not in (0, 1)]:
            yield f"{strange[0]} ({UNKNOWN})"
        else:
            yield format_labels(classes, tuple(value == 1 for value in row))
