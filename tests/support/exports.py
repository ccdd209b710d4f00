"""Exported directories, and using them as somebody does who has no cxr."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cxr.records.predictions import load_predictions
from support.program import DEADLINE_S, build_environment
from support.runs import Run

Logits = list[tuple[str, ...]]


def run_example(export: Path, root: Path, run: Run) -> Logits:
    """Run the card's example over the images that a run evaluated; cxr cannot be imported there.

    Returns:
        The logits of each image, as text that reads back to the same float32.
    """
    card = (export / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    paths = [str(root / row.path) for row in load_predictions(run.directory / "predictions.csv")[1]]
    finished = subprocess.run(
        [sys.executable, "-c", code, str(export), *paths],
        capture_output=True,
        text=True,
        env=build_environment(blocked=["cxr"]),
        timeout=DEADLINE_S,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, ""), finished.stderr
    lines = [line.removeprefix(path) for line, path in zip(_lines(finished), paths, strict=True)]
    return [tuple(line.split()) for line in lines]


def read_recorded(run: Run) -> Logits:
    """Return the logits that a run recorded, likewise."""
    return [row.logits for row in load_predictions(run.directory / "predictions.csv")[1]]


def find_other_files(a: Path, b: Path) -> set[str]:
    """Return the files of two directories that are not the same bytes in both."""
    contents = [{path.name: path.read_bytes() for path in place.iterdir()} for place in (a, b)]
    names = contents[0].keys() | contents[1].keys()
    return {name for name in names if contents[0].get(name) != contents[1].get(name)}


def _lines(finished: subprocess.CompletedProcess[str]) -> list[str]:
    return finished.stdout.splitlines()
