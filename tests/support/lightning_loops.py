"""Trainings of Lightning that are unlike the example: ``python lightning_loops.py DIRECTORY``."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from pathlib import Path

import pytorch_lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from cxr.errors import CxrError
from cxr.integrations.lightning import CxrCallback

warnings.filterwarnings("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


class Plain(pytorch_lightning.LightningModule):
    """One layer; it may fail at a batch."""

    def __init__(self, *, fails_at: int = -1, api_token: str = "secret") -> None:  # noqa: S107, ARG002 - saved
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(4, 2)
        self.fails_at = fails_at

    def training_step(self, batch, batch_idx):
        if batch_idx == self.fails_at:
            raise RuntimeError("of somebody, in /home/somebody")
        return self.layer(batch["x"]).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Pair(pytorch_lightning.LightningModule):
    """Two layers with an optimizer each, stepped by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.one, self.two = nn.Linear(4, 2), nn.Linear(2, 1)

    def training_step(self, batch):
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(self.two(self.one(batch["x"])).square().mean())
            optimizer.step()

    def configure_optimizers(self):
        return [
            torch.optim.SGD(self.one.parameters(), lr=0.1),
            torch.optim.Adam(self.two.parameters(), lr=0.2),
        ]


def collate(rows: list) -> dict[str, torch.Tensor]:
    return {"x": torch.stack([row[0] for row in rows])}


def fit(out: Path, module: pytorch_lightning.LightningModule, **settings: object) -> None:
    data = TensorDataset(torch.arange(40.0).reshape(10, 4) / 40)
    loader = DataLoader(data, batch_size=2, shuffle=True, collate_fn=collate)
    trainer = pytorch_lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        callbacks=[CxrCallback(out, config={"note": "extra"})],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.fit(module, loader)


def main(place: Path) -> None:
    fit(place / "accumulated", Plain(), accumulate_grad_batches=2)
    fit(place / "mixed", Plain(), precision="bf16-mixed")
    fit(place / "pair", Pair())
    with contextlib.suppress(RuntimeError):
        fit(place / "failed", Plain(fails_at=3))
    try:
        fit(place / "pair", Pair())
    except CxrError as error:
        (place / "refused.txt").write_text(str(error), encoding="utf-8")
    callback = CxrCallback(place / "parallel")
    try:
        callback.setup(pytorch_lightning.Trainer(accelerator="cpu", devices=2), Plain(), "fit")
    except CxrError as error:
        (place / "parallel.txt").write_text(str(error), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
