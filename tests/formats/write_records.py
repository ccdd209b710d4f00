"""Writes a small record of every kind with this version of cxr, to be read by all later ones.

Once for a release, and never again over what is there:

    uv run python tests/formats/write_records.py tests/formats/v0.1.0
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cxr.config.load import load_config
from cxr.data.dataset import load_dataset
from cxr.progress import SILENCE
from cxr.records.data_lock import write_data_lock

ROOT = Path(__file__).parents[2]
RECIPE = {
    "name": "small",
    "seed": 1,
    "threads": 1,
    "data": {
        "source": "synthetic",
        "image_size": 28,
        "synthetic": {"train": 20, "val": 10, "test": 10},
    },
    "model": {"name": "mlp", "hidden": [1]},
    "train": {
        "epochs": 2,
        "batch_size": 10,
        "optimizer": "sgd",
        "double_every": 2,
        "keep_checkpoints": 1,
    },
}
"""804 parameters: nothing that is stored is large."""

# What a record says of the machine's kernel is nobody's business here. Python runs a module of this
# name when it starts, in the processes too that cxr starts.
STARTED_FIRST = "sitecustomize.py"
PATCH = "import platform\nplatform.release = lambda: '6.0'\n"


def main() -> None:
    """Write all records below the directory that is named."""
    place = Path(sys.argv[1])
    place.mkdir(parents=True)
    config = place / "recipe.json"
    config.write_text(json.dumps(RECIPE, indent=2) + "\n", encoding="utf-8")
    train = ["train", "--config", config]
    no_checkpoint = ["--set", "train.checkpoint_every=9"]
    short = [*no_checkpoint, "--set", "train.epochs=1"]
    run_cxr(*train, "--out", place / "run")
    run_cxr("evaluate", place / "run", "--split", "val")
    run_cxr(*train, "--set", "train.lr=0.002", *no_checkpoint, "--out", place / "other")
    run_cxr("repeat", "-n", "2", "--config", config, *short, "--out", place / "repeat")
    sample = load_config(ROOT / "configs" / "sample.yaml", [])
    write_data_lock(place / "data.lock.json", load_dataset(sample.data, progress=SILENCE).lock)


def run_cxr(*arguments: str | Path) -> None:
    """Run ``cxr`` to its end."""
    command = [sys.executable, "-m", "cxr", *map(str, arguments), "--quiet"]
    with tempfile.TemporaryDirectory() as patches:
        (Path(patches) / STARTED_FIRST).write_text(PATCH, encoding="utf-8")
        subprocess.run(command, env={**os.environ, "PYTHONPATH": patches}, check=True)


if __name__ == "__main__":
    main()
