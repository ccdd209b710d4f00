"""Asking for predictions, and what a run's own record says of the same images."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from support.program import read_answer, run_cxr
from support.runs import Run

Row = tuple[str, list[float], list[float]]
"""Decision, logits, probabilities."""


def predict(run: Path, *images: Path | str, code: int = 0, **options: Any) -> dict[str, Any]:
    """Return the JSON answer of ``cxr predict``, once its exit code is right."""
    finished = run_cxr("predict", run, *images, "--json", "-q", **options)
    assert finished.returncode == code, finished.stderr
    answer: dict[str, Any] = read_answer(finished)
    return answer


def take_rows(answer: dict[str, Any]) -> list[Row]:
    """Return what an answer says of each image, in order."""
    return [(one["decision"], one["logits"], one["probabilities"]) for one in answer["images"]]


def read_own_rows(run: Run) -> dict[str, Row]:
    """Return what a run's ``predictions.csv`` says, by path: each number read by Python's float."""
    with (run.directory / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        head, *rows = csv.reader(stream)
    places = [place for place, name in enumerate(head) if name.startswith("logit:")]
    first, number = places[0], len(places)
    return {
        row[0]: (
            row[2],
            [float(text) for text in row[first : first + number]],
            [float(text) for text in row[first + number :]],
        )
        for row in rows
    }
