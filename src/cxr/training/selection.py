"""Choosing weights by a validation figure, and stopping when it no longer improves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cxr.config.schema import TrainConfig
from cxr.records.figures import LOWER_IS_BETTER


@dataclass(slots=True)
class Selection:
    """The best epoch so far.

    Attributes:
        epoch: Zero-based; -1 before the first figure.
        figure: Its monitored figure; None before the first.
        epochs_since: Epochs without a better one.
    """

    epoch: int = -1
    figure: float | None = None
    epochs_since: int = 0

    def consider(self, epoch: int, figure: float | None, config: TrainConfig) -> bool:
        """Take an epoch's figure; return whether it is the best. Equal figures keep the earlier.

        An undefined figure is never the best, but stands in where there is no other.
        """
        if self.epoch < 0 or is_better(figure, self.figure, config.monitor):
            self.epoch, self.figure, self.epochs_since = epoch, figure, 0
            return True
        self.epochs_since += 1
        return False

    def is_exhausted(self, config: TrainConfig) -> bool:
        """Say whether training stops early."""
        return config.patience is not None and self.epochs_since >= config.patience

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def is_better(figure: float | None, best: float | None, monitor: str) -> bool:
    """Say whether ``figure`` beats ``best`` in the direction of ``monitor``."""
    if figure is None:
        return False
    if best is None:
        return True
    return figure < best if monitor in LOWER_IS_BETTER else figure > best
