"""Trainings of the Trainer that are unlike the example: ``python transformers_loops.py DIRECTORY``.

The last one fails, and nobody closes its record.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn
from transformers import Trainer, TrainingArguments

from cxr.integrations.transformers import CxrCallback


class Network(nn.Module):
    """One layer; its loss is the Trainer's own affair. It may fail at a call."""

    def __init__(self, *, fails_at: int = -1) -> None:
        super().__init__()
        self.layer, self.fails_at, self.calls = nn.Linear(4, 2), fails_at, 0

    def forward(self, x):
        self.calls += 1
        if self.calls == self.fails_at:
            raise RuntimeError("of somebody")
        return (self.layer(x),)


class Own(Trainer):
    """Computes the loss outside of the network, which it calls twice."""

    def compute_loss(self, model, inputs, **_):
        return (model(**inputs)[0] - model(**inputs)[0] * 2).square().mean()


class Streamed(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield from ({"x": torch.full((4,), float(number))} for number in range(8))


def train(out: Path, scratch: Path, *, fails_at: int = -1) -> None:
    arguments = TrainingArguments(
        output_dir=str(scratch),
        max_steps=2,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    Own(
        model=Network(fails_at=fails_at),
        args=arguments,
        train_dataset=Streamed(),
        callbacks=[CxrCallback(out)],
    ).train()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    train(place / "streamed", place / "scratch")
    train(place / "failed", place / "scratch", fails_at=6)
