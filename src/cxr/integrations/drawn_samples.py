"""Which samples each batch of a data loader holds, found where they are drawn.

A sampler draws in the main process, whoever loads the images afterwards, and batches come in the
order in which their samples were drawn. So the samples of the next batch are the next ones drawn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from numbers import Integral
from typing import Any

from torch.utils.data import BatchSampler, IterableDataset


class _TellingSampler:
    """A sampler that tells what it draws, and is in all else the one that it stands for."""

    def __init__(self, sampler: Any) -> None:
        self.inner = sampler
        self.drawn: deque[Any] = deque()

    def __iter__(self) -> Iterator[Any]:
        # Of an epoch that was left early, samples were drawn that no batch was made of.
        drawn: deque[Any] = deque()
        self.drawn = drawn
        for sample in self.inner:
            drawn.append(sample)
            yield sample

    def __len__(self) -> int:
        return len(self.inner)

    def __getattr__(self, name: str) -> Any:
        # Frameworks ask for set_epoch, generator and the like.
        return getattr(self.inner, name)


def name_sampler(loader: Any) -> str | None:
    """Return the class of what draws a loader's samples, one by one; None where there is none."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    sampler = getattr(batch_sampler, "sampler", getattr(loader, "sampler", None))
    if isinstance(sampler, _TellingSampler):
        sampler = sampler.inner
    return None if sampler is None else type(sampler).__name__


class DrawnSamples:
    """The samples of a loader's batches, one batch after another.

    Args:
        loader: A `torch.utils.data.DataLoader`, before it is iterated over.

    Attributes:
        reason: Why nothing is known of its samples; None where they are known.
    """

    def __init__(self, loader: Any) -> None:
        self.reason: str | None = None
        self._sampler: _TellingSampler | None = None
        if isinstance(getattr(loader, "dataset", None), IterableDataset):
            self.reason = "the data set is a stream"
            return
        batch_sampler = getattr(loader, "batch_sampler", None)
        if type(batch_sampler) is not BatchSampler:
            self.reason = "the data loader draws by no batch sampler of torch's own"
            return
        self._batch_size = batch_sampler.batch_size
        inner: Any = batch_sampler.sampler
        if not isinstance(inner, _TellingSampler):
            inner = _TellingSampler(inner)
            batch_sampler.sampler = inner
        self._sampler = inner

    def take_batch(self) -> list[int] | None:
        """Return the indices of the next batch; None where they are not known."""
        if self._sampler is None:
            return None
        drawn = self._sampler.drawn
        taken = [drawn.popleft() for _ in range(min(self._batch_size, len(drawn)))]
        # NumPy's whole numbers are some too.
        known = bool(taken) and all(isinstance(sample, Integral) for sample in taken)
        return [int(sample) for sample in taken] if known else None
