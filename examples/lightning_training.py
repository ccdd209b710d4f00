"""A training of Lightning that cxr records: ``python examples/lightning_training.py --out runs/a``.

It needs the extra: ``uv sync --extra lightning``. The images are drawn here, and shifted at random
by whoever loads them, with that process's own generator. So another number of workers gives other
weights, although nothing else differs, and ``cxr diff`` says where the two trainings part.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from pathlib import Path

import lightning
import torch
from lightning.pytorch.utilities.warnings import PossibleUserWarning
from torch import nn
from torch.utils.data import DataLoader, Dataset

from cxr.integrations.lightning import CxrCallback

NUM_IMAGES, SIDE_PX, LARGEST_SHIFT_PX = 64, 16, 2


class Shadows(Dataset):
    """Drawn images of one channel: noise, and in every other one a bright disc."""

    def __len__(self) -> int:
        """Return the number of images."""
        return NUM_IMAGES

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """Return one image, shifted at random, and its class."""
        noise = torch.rand(SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(index))
        row, column = torch.meshgrid(torch.arange(SIDE_PX), torch.arange(SIDE_PX), indexing="ij")
        disc = ((row - SIDE_PX // 2) ** 2 + (column - SIDE_PX // 2) ** 2 < SIDE_PX).float()
        label = index % 2
        # Drawn from the global generator of the process that loads: this is what goes wrong.
        shift = torch.randint(-LARGEST_SHIFT_PX, LARGEST_SHIFT_PX + 1, (2,)).tolist()
        image = torch.roll(noise + label * disc, shift, dims=(0, 1))
        return image.unsqueeze(0), label


class Classifier(lightning.LightningModule):
    """A small convolutional network."""

    def __init__(self, *, width: int = 8, lr: float = 1e-2, fault_at: int = -1) -> None:
        super().__init__()
        self.save_hyperparameters("width", "lr")
        self.lr, self.fault_at = lr, fault_at
        self.network = nn.Sequential(
            nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)
        )
        self.network(torch.zeros(2, 1, SIDE_PX, SIDE_PX))

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        """Return the loss of a batch."""
        images_BCHW, labels = batch  # noqa: N806 - the suffix names the axes
        loss = nn.functional.cross_entropy(self.network(images_BCHW), labels)
        self.log("train_loss", loss)
        return loss

    def on_after_backward(self) -> None:
        """Plant the fault that was asked for: one element of one gradient, a little off."""
        if self.global_step == self.fault_at:
            self.network[0].weight.grad.view(-1)[0] += 1e-6

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def main() -> None:
    """Train, and leave a record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory of the record")
    parser.add_argument("--workers", type=int, default=0, help="processes that load images")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--accumulate", type=int, default=1, help="batches of one step")
    parser.add_argument("--fault-at", type=int, default=-1, help="step of the planted fault")
    options = parser.parse_args()
    # What Lightning says of speed, and of the machine, is not what this is about.
    warnings.filterwarnings("ignore", category=PossibleUserWarning)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    torch.use_deterministic_algorithms(mode=True)
    callback = CxrCallback(options.out, name="shadows", seed=42)
    trainer = lightning.Trainer(
        max_epochs=options.epochs,
        accumulate_grad_batches=options.accumulate,
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader(Shadows(), batch_size=8, shuffle=True, num_workers=options.workers)
    trainer.fit(Classifier(fault_at=options.fault_at), loader)
    print(f"recorded: {options.out}")


if __name__ == "__main__":
    main()
