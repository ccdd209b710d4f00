"""``cxr predict``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import typer

from cxr.cli import options
from cxr.cli.console import (
    count_columns,
    print_json,
    print_line,
    print_note,
    print_table,
    shorten,
    shown_progress,
)
from cxr.determinism.levels import PROMISES
from cxr.errors import UsageError
from cxr.label_text import NONE, parse_labels
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.inference.predict_run import PredictedImages
    from cxr.records.predictions import Prediction

_PATH: Final = 40
_NAME: Final = 22
_SAID: Final = 40
"""Columns that a kind, or a decision, and what stands beside it take."""
_STDOUT: Final = "-"


def predict(
    run: options.Run,
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help="Image files, DICOM among them, or folders of such.",
            show_default=False,
        ),
    ],
    show_all: Annotated[
        bool, typer.Option("--all", help="Show every class, not only what is decided.")
    ] = False,
    csv: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write a table with all numbers; - is stdout."),
    ] = None,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Predict images with a completed run.

    An image is read, judged and prepared as the run's training did; what training would have
    refused is refused here in the same words. Nothing is written into the run.

    Not a medical device: made for research and teaching, validated for no clinical decision.

    Example: cxr predict runs/sample-20261121T120000Z-0123abcd image.png folder
    """
    if json and csv == _STDOUT:
        raise UsageError(
            "--json and --csv - would both be printed",
            where="cxr predict",
            hint="leave one of them out, or name a file with --csv FILE",
        )
    if "" in images:
        # As a path it would be the working directory, and every image below it.
        raise UsageError(
            "the name of an image is empty",
            where="cxr predict",
            hint="name image files, or folders that hold some; a variable may be unset",
        )
    from cxr.inference.predict_run import predict_run

    with shown_progress(quiet=quiet) as progress, _opened(csv) as table:
        # With a file alone no answer is kept: of a million images there is nothing to show.
        is_kept = table is None or json
        found = predict_run(
            run,
            list(map(Path, images)),
            table=table,
            table_path=None if csv in (None, _STDOUT) else Path(csv),
            is_kept=is_kept,
            progress=progress,
        )
    _note(found)
    if json:
        print_json(found.to_json())
    elif csv != _STDOUT:
        _show(found, csv=csv, show_all=show_all)
    else:
        for one in found.refused:
            print_note(f"refused: {one.path}: {one.kind}: {one.detail}")
    raise typer.Exit(found.exit_code)


@contextmanager
def _opened(csv: str | None) -> Iterator[IO[bytes] | None]:
    """Open the table's file, written whole or not at all, or stdout; None where none is asked.

    Raises:
        StorageError: The file cannot be written.
        UsageError: A directory stands there.
    """
    if csv is None:
        yield None
    elif csv == _STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        from cxr.atomic import output_writer
        from cxr.records.free_place import require_outside_records

        require_outside_records(Path(csv), what="table", option="--csv")
        if Path(csv).is_dir():
            raise UsageError(
                "a directory stands where the table would be written",
                where=csv,
                hint="name a file with --csv",
            )
        with output_writer(Path(csv), option="--csv") as stream:
            yield stream


def _note(found: PredictedImages) -> None:
    """Tell on stderr what is no answer and no refusal."""
    passed_over = Counter(kind for _, kind, _ in found.inputs.passed_over)
    warned = Counter(one.kind for one in found.warnings)
    for said, counts in (("passed over", passed_over), ("warnings about the images", warned)):
        if counts:
            listed = ", ".join(f"{kind} ({num:,})" for kind, num in sorted(counts.items()))
            print_note(f"{said}: {listed}; --json names each")
    if found.inputs.num_repeated:
        print_note(f"named more than once, answered once: {found.inputs.num_repeated:,}")
    for line in found.predictor.controls_untaken:
        print_note(f"a switch did not take: {line}")


def _show(found: PredictedImages, *, csv: str | None, show_all: bool) -> None:
    """Print tables of what was predicted and of what was refused, and what the bits are worth."""
    plural = "" if found.num_predicted == 1 else "s"
    said = f"{found.num_predicted:,} image{plural} predicted"
    if csv is not None:
        print_line(f"{said}: {show_plainly(csv)}")
    elif found.answers:
        header, rows = _list_all(found) if show_all else _list_decisions(found)
        print_table(said, header, rows)
    else:
        print_line("no image was predicted")
    if found.refused:
        print_table(
            f"{len(found.refused):,} refused",
            ["image", "kind", "what is wrong"],
            [[_fit(one.path), one.kind, one.detail] for one in found.refused],
        )
    opened = found.predictor.opened
    level = opened.config.determinism
    print_line(f"outcome  {opened.manifest['outcome_digest']}")
    print_line(f"promise  {level}: {PROMISES[level]}")


def _list_decisions(found: PredictedImages) -> tuple[list[str], list[list[str | list[str]]]]:
    """Return a row an image: what is decided, and its probability."""
    head = "decisions" if found.predictor.config.train.asks_each_label else "decision"
    rows = []
    for one in found.answers:
        decided = _find_decided(found, one.prediction)
        shown = [f"{one.prediction.probabilities[place]:.4f}" for place in decided]
        names = [shorten(found.predictor.classes[place], _NAME) for place in decided]
        rows.append([_fit(one.prediction.path), names or NONE, shown])
    return ["image", head, "probability"], rows


def _list_all(found: PredictedImages) -> tuple[list[str], list[list[str]]]:
    """Return a row for each image and class."""
    rows = []
    for one in found.answers:
        decided = _find_decided(found, one.prediction)
        for place, name in enumerate(found.predictor.classes):
            shown = _fit(one.prediction.path) if not place else ""
            probability = f"{one.prediction.probabilities[place]:.4f}"
            mark = "yes" if place in decided else ""
            rows.append([shown, shorten(name, _NAME), probability, mark])
    return ["image", "class", "probability", "decided"], rows


def _find_decided(found: PredictedImages, said: Prediction) -> list[int]:
    """Return the places of the classes that are decided for."""
    answers = parse_labels(found.predictor.classes, said.decision)
    return [place for place, answer in enumerate(answers) if answer]


def _fit(path: str) -> str:
    """Return a path in few columns; what is left out is its middle, as its end tells more."""
    plain = show_plainly(path)
    # So that there is room for what is said of it, in a narrow terminal too.
    columns = count_columns()
    most = min(_PATH, max(columns - _SAID, columns // 3))
    if len(plain) <= most:
        return plain
    head = most // 3
    return f"{plain[:head]}…{plain[len(plain) - (most - head - 1) :]}"
