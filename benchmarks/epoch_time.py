"""How long an epoch takes over a folder of images: cxr against Lightning.

Compared: one epoch of ResNet-18 through ``cxr.training.run.train`` with a warm decode cache, and
through Lightning's Trainer with torchvision's ImageFolder, Resize and the same kinds of
augmentation; same model, batch size, optimizer, threads and workers. Both clocks run from the start
of the epoch, before the first batch is asked for, to the end of its checkpoint, validation
included. Lightning runs as it comes, and again with ``deterministic=True``; its logger and progress
bar are off. The three take turns, and the fastest round of each counts.

What cxr pays before the epoch is shown beside it: filling the decode cache, once for a data set,
and hashing the images and checking the cache, once a run.

    uv run --group bench python benchmarks/epoch_time.py
    uv run --group bench python benchmarks/epoch_time.py --root chest_xray --json epoch.json

``--root`` holds ``train`` and ``val``, and in each a folder for every class, and ``test`` likewise.
Without it 2,000 radiographs of 224 px are drawn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

from cxr.determinism.variables import reexecute_prepared, set_variables
from result import Result, Table, Target

LIMIT: Final = 1.5

_CXR: Final = "cxr, warm cache"
_LIGHTNING: Final = "Lightning"
_LIGHTNING_DETERMINISTIC: Final = "Lightning, deterministic"
_DRAWN: Final = {"size_px": 224, "train": 1792, "val": 200, "test": 8}

Times = dict[str, list[float]]


def main() -> None:
    """Measure, and judge Lightning as it comes by the target."""
    options = _parse()
    reexecute_prepared(sys.orig_argv)
    set_variables(threads=options.threads)
    settings = {name: value for name, value in vars(options).items() if name != "json"}
    settings["root"] = "given" if options.root else "drawn"
    result = Result(benchmark="epoch_time", settings=settings)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        config = make_config(options, options.root or draw_images(scratch), scratch)
        loading = time_loading(config)
        epochs, calls = time_epochs(config, options.rounds, scratch)
    add_epochs(result, epochs, calls, options.image_size)
    add_loading(result, loading)
    result.show(options.json)


def draw_images(scratch: Path) -> Path:
    """Draw radiographs and return their directory."""
    from cxr.data.drawing.radiographs import SynthPlan, write_dataset

    write_dataset(scratch / "images", SynthPlan(**_DRAWN))
    return scratch / "images"


def make_config(options: argparse.Namespace, root: Path, scratch: Path) -> Any:
    """Return the recipe."""
    from cxr.config.schema import RunConfig

    fields = {
        "seed": 42,
        "threads": options.threads,
        "workers": options.workers,
        "data": {
            "source": "folder",
            "root": str(root.resolve()),
            "cache_dir": str(scratch / "cache"),
            # ImageFolder's order.
            "classes": sorted(path.name for path in (root / "train").iterdir() if path.is_dir()),
            "image_size": options.image_size,
        },
        "model": {"name": "resnet18"},
        "train": {
            "epochs": 1,
            "batch_size": options.batch_size,
            "lr": 1e-3,
            "augment": {"flip": True, "pad": 4, "brightness": 0.1, "contrast": 0.2},
        },
    }
    return RunConfig.model_validate_json(json.dumps(fields))


def time_loading(config: Any) -> dict[str, float]:
    """Return seconds to find and hash the images with the cache to be filled, and when it is."""
    from cxr.data.dataset import load_dataset

    times = {}
    for state in ("cold", "warm"):
        start = time.perf_counter()
        load_dataset(config.data)
        times[state] = time.perf_counter() - start
    return times


def time_epochs(config: Any, rounds: int, scratch: Path) -> tuple[Times, Times]:
    """Let the three take turns; return seconds of each epoch, and of each whole call."""
    from cxr.models.build import build_network
    from lightning_loop import time_epoch

    def run_lightning(*, deterministic: bool) -> tuple[float, float]:
        network = build_network(config, num_classes=len(config.data.classes))
        return time_epoch(config, network, scratch / "lightning", deterministic=deterministic)

    contenders: dict[str, Callable[[int], tuple[float, float]]] = {
        _CXR: lambda number: run_cxr(config, scratch / f"run-{number}"),
        _LIGHTNING: lambda _: run_lightning(deterministic=False),
        _LIGHTNING_DETERMINISTIC: lambda _: run_lightning(deterministic=True),
    }
    epochs: Times = {name: [] for name in contenders}
    calls: Times = {name: [] for name in contenders}
    for number in range(rounds):
        for name, run in contenders.items():
            epoch_s, call_s = run(number)
            epochs[name].append(epoch_s)
            calls[name].append(call_s)
    return epochs, calls


def run_cxr(config: Any, out: Path) -> tuple[float, float]:
    """Train for one epoch; return seconds of the epoch, and of the whole run."""
    from cxr.progress import SILENCE
    from cxr.training.run import train

    with epoch_clock() as marks:
        start = time.perf_counter()
        train(config, out=out, progress=SILENCE)
        call_s = time.perf_counter() - start
    return marks["end"] - marks["start"], call_s


@contextmanager
def epoch_clock() -> Iterator[dict[str, float]]:
    """Note when a run's epoch begins and when its checkpoint is written."""
    from cxr.training import loop

    marks: dict[str, float] = {}
    iterate_batches, write_checkpoint = loop.iterate_batches, loop.write_checkpoint

    def begin(*arguments: Any) -> Any:
        marks["start"] = time.perf_counter()
        return iterate_batches(*arguments)

    def end(*arguments: Any) -> None:
        write_checkpoint(*arguments)
        marks["end"] = time.perf_counter()

    with (
        mock.patch("cxr.training.loop.iterate_batches", begin),
        mock.patch("cxr.training.loop.write_checkpoint", end),
    ):
        yield marks


def add_epochs(result: Result, epochs: Times, calls: Times, size_px: int) -> None:
    """Add the comparison to the result."""
    best = {name: min(found) for name, found in epochs.items()}
    ratios = {name: found / best[_CXR] for name, found in best.items()}
    result.figures |= {"epochs_s": epochs, "calls_s": calls, "ratios": ratios}
    rows = [
        (
            name,
            f"{min(found):.2f} s",
            f"{statistics.median(found):.2f} s",
            f"{ratios[name]:.2f}",
            f"{min(calls[name]):.2f} s",
        )
        for name, found in epochs.items()
    ]
    header = ("loop", "epoch", "median", "ratio", "whole call")
    result.tables.append(Table(title=f"An epoch at {size_px} px", header=header, rows=rows))
    figure = ratios[_LIGHTNING]
    target = Target(name="epoch, Lightning / cxr", figure=figure, limit=LIMIT, at_most=False)
    result.targets.append(target)


def add_loading(result: Result, loading: dict[str, float]) -> None:
    """Add what comes before the epoch to the result."""
    result.figures["loading_s"] = loading
    rows = [
        ("hash the images and check the cache, once a run", f"{loading['warm']:.2f} s"),
        ("fill the cache, once a data set", f"{loading['cold'] - loading['warm']:.2f} s"),
    ]
    title = "Before the epoch, cxr"
    result.tables.append(Table(title=title, header=("part", "time"), rows=rows))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="An epoch of cxr against one of Lightning.")
    parser.add_argument("--root", type=Path, metavar="DIR", help="a folder data set")
    parser.add_argument("--image-size", type=int, default=64, metavar="PX")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="of each loader")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    return parser.parse_args()


if __name__ == "__main__":
    main()
