"""A training of the Hugging Face Trainer that cxr records, on images that are drawn here.

``python examples/transformers_training.py --out runs/a``; it needs the extra:
``uv sync --extra transformers``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from torch.utils.data import Dataset
from transformers import (
    Trainer,
    TrainerCallback,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
    set_seed,
)

from cxr.integrations.transformers import CxrCallback

NUM_IMAGES, SIDE_PX = 64, 16


class Shadows(Dataset):
    """Drawn images of one channel: noise, and in every other one a bright disc."""

    def __len__(self) -> int:
        """Return the number of images."""
        return NUM_IMAGES

    def __getitem__(self, index: int) -> dict[str, torch.Tensor | int]:
        """Return one image and its class."""
        noise = torch.rand(SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(index))
        row, column = torch.meshgrid(torch.arange(SIDE_PX), torch.arange(SIDE_PX), indexing="ij")
        disc = ((row - SIDE_PX // 2) ** 2 + (column - SIDE_PX // 2) ** 2 < SIDE_PX).float()
        label = index % 2
        return {"pixel_values": (noise + label * disc).unsqueeze(0), "labels": label}


class PlantedFault(TrainerCallback):
    """Puts one element of one gradient a little off, at one step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs) -> None:  # noqa: ANN001, ANN003
        """Plant it, before the callbacks behind this one look."""
        del args, control, kwargs
        if state.global_step == self.step:
            model.classifier.weight.grad.view(-1)[0] += 1e-6


def main() -> None:
    """Train, and leave a record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory of the record")
    parser.add_argument("--workers", type=int, default=0, help="processes that load images")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--accumulate", type=int, default=1, help="batches of one step")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--fault-at", type=int, default=-1, help="step of the planted fault")
    options = parser.parse_args()

    # Before the network is built: the Trainer seeds too late for its first weights.
    set_seed(42)
    network = ViTForImageClassification(
        ViTConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=SIDE_PX,
            patch_size=4,
            num_channels=1,
            num_labels=2,
        )
    )
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            num_train_epochs=options.epochs,
            per_device_train_batch_size=8,
            gradient_accumulation_steps=options.accumulate,
            dataloader_num_workers=options.workers,
            learning_rate=options.lr,
            seed=42,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="epoch",
        )
        with CxrCallback(options.out, name="shadows") as callback:
            Trainer(
                model=network,
                args=arguments,
                train_dataset=Shadows(),
                callbacks=[PlantedFault(options.fault_at), callback],
            ).train()
    print(f"recorded: {options.out}")


if __name__ == "__main__":
    main()
