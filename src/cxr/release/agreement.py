"""How far an exported model agrees with the run: its logits and its decisions, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cxr.records.predictions import Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What became of the logits of a split.

    Attributes:
        num_images: Images of the split.
        num_same: Images whose logits are the same, bit for bit.
        largest_difference: Of a logit; 0 where all are the same.
        changed_decisions: Images that are decided otherwise.
    """

    num_images: int
    num_same: int
    largest_difference: float
    changed_decisions: int

    @property
    def is_exact(self) -> bool:
        """Whether every logit and every decision is the same."""
        return self.num_same == self.num_images and not self.changed_decisions

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def compare_predictions(found: Sequence[Prediction], wanted: Sequence[Prediction]) -> Agreement:
    """Compare predictions of the same images in the same order; decisions by their names."""
    return compare_logits(
        read_logits(found),
        read_logits(wanted),
        changed_decisions=sum(a.decision != b.decision for a, b in zip(found, wanted, strict=True)),
    )


def compare_logits(
    found: NDArray[np.float32], wanted: NDArray[np.float32], *, changed_decisions: int
) -> Agreement:
    """Compare logits of the same images.

    Args:
        found: Shape (N, classes), dtype float32.
        wanted: Likewise.
        changed_decisions: Images that are decided otherwise.
    """
    import numpy as np

    same = (found.view(np.uint32) == wanted.view(np.uint32)).all(axis=1)
    apart = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
    return Agreement(
        num_images=len(wanted),
        num_same=int(same.sum()),
        largest_difference=float(apart.max(initial=0.0)),
        changed_decisions=changed_decisions,
    )


def read_logits(predictions: Sequence[Prediction]) -> NDArray[np.float32]:
    """Return the logits of predictions: shape (N, classes), dtype float32, bit for bit."""
    import numpy as np

    return np.array([row.logits for row in predictions], dtype=np.float32)
