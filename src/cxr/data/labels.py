"""Labels as numbers: the index of one class, or an answer for each where there may be several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cxr.data.sources.source import FoundImage
from cxr.errors import DataError
from cxr.label_text import parse_labels
from cxr.plain_text import list_first

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAX_NAMED: Final = 5


def find_unknown_labels(found: Sequence[FoundImage], classes: Sequence[str]) -> list[FoundImage]:
    """Return the samples whose label names what is no class, in their order."""
    is_known = {text: _is_known(text, classes) for text in {image.label for image in found}}
    return [image for image in found if not is_known[image.label]]


def require_known_labels(found: Sequence[FoundImage], classes: Sequence[str]) -> None:
    """Refuse labels that name no class.

    Raises:
        DataError: There are such; it names the first few.
    """
    if unknown := find_unknown_labels(found, classes):
        places = list_first([f"{image.path}: {image.label}" for image in unknown], _MAX_NAMED)
        raise DataError(
            f"the labels of {len(unknown)} samples name none of the {len(classes)} classes",
            where="\n         ".join(places),
            hint="name every class in data.classes, in label order, or correct the labels",
        )


def _is_known(text: str, classes: Sequence[str]) -> bool:
    try:
        parse_labels(classes, text)
    except ValueError:
        return False
    return True


def have_one_each(texts: Sequence[str], classes: Sequence[str]) -> bool:
    """Say whether every image has exactly one class, and it is known which."""
    return set(texts) <= set(classes)


def derive_indices(texts: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return class indices, shape (N,), dtype int64, of images that have one class each.

    Raises:
        KeyError: One has not.
    """
    import numpy as np

    numbers = {name: index for index, name in enumerate(classes)}
    return np.array([numbers[text] for text in texts], dtype=np.int64)


def derive_answers(
    texts: Sequence[str], classes: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what is known of every label of every image.

    Args:
        texts: Labels as `cxr.label_text` writes them.
        classes: Class names in label order.

    Returns:
        Targets, shape (N, classes), dtype float32: 1 where an image has the label, else 0. And
        which of them are known, likewise shaped, dtype bool; a target that is not is 0.

    Raises:
        ValueError: A text names no class.
    """
    import numpy as np

    parsed = {text: parse_labels(classes, text) for text in set(texts)}
    shape = (len(texts), len(classes))
    targets, known = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.bool_)
    for row, text in enumerate(texts):
        targets[row] = [answer is True for answer in parsed[text]]
        known[row] = [answer is not None for answer in parsed[text]]
    return targets, known
