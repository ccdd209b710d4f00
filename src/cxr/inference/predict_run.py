"""Predicting the images that somebody names with a completed run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cxr.data.checks.kinds import DataProblem
from cxr.data.inspection.inspectors import Inspectors
from cxr.data.prefetch import count_workers, prefetch
from cxr.determinism.levels import PROMISES
from cxr.errors import ExitCode
from cxr.inference.answers import Answer, Refusal
from cxr.inference.inputs import Inputs, find_inputs, require_no_input
from cxr.inference.open_run import open_run
from cxr.progress import SILENCE, Progress
from cxr.records.predictions import open_unlabelled_rows

if TYPE_CHECKING:
    from cxr.inference.predictor import Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedImages:
    """What was said of all images.

    Attributes:
        run: The run directory.
        predictor: What answered.
        inputs: What was found behind the names.
        num_predicted: Images that were answered for.
        answers: Of each of them, where they are kept.
        warnings: What is odd about images that were answered for.
        refused: The others.
    """

    run: Path
    predictor: Predictor
    inputs: Inputs
    num_predicted: int
    answers: list[Answer]
    warnings: list[DataProblem]
    refused: list[Refusal]

    @property
    def exit_code(self) -> ExitCode:
        """3 where an image could not be read, 1 where one was refused, else 0."""
        if any(one.is_unread for one in self.refused):
            return ExitCode.UNCHECKED
        return ExitCode.DIFFERS if self.refused else ExitCode.OK

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``cxr predict`` as plain JSON values."""
        predictor, manifest = self.predictor, self.predictor.opened.manifest
        return {
            "run": str(self.run),
            "name": manifest["name"],
            "outcome_digest": manifest["outcome_digest"],
            "determinism": str(predictor.config.determinism),
            "promise": PROMISES[predictor.config.determinism],
            "preprocessing_digest": predictor.preprocessing.digest,
            "classes": list(predictor.classes),
            "asks_each_label": predictor.config.train.asks_each_label,
            "images": [one.to_json() for one in self.answers],
            "refused": [one.to_json() for one in self.refused],
            "warnings": [
                {"path": path, "kind": one.kind, "detail": one.detail}
                for one in self.warnings
                for path in one.paths
            ],
            "passed_over": [
                {"path": path, "kind": kind, "detail": detail}
                for path, kind, detail in self.inputs.passed_over
            ],
            "repeated": self.inputs.num_repeated,
            "controls_untaken": list(predictor.controls_untaken),
            "ops_without_deterministic_kernel": dict(predictor.ops_without_kernel),
        }


def predict_run(
    run: Path,
    names: Sequence[Path],
    *,
    table: IO[bytes] | None = None,
    table_path: Path | None = None,
    is_kept: bool = True,
    progress: Progress = SILENCE,
) -> PredictedImages:
    """Predict images with a completed run, each as a batch of its own.

    Args:
        run: The run directory.
        names: Files and folders; see `find_inputs`.
        table: Where each answer is written as a line of CSV, besides.
        table_path: The file that this becomes, if it becomes one.
        is_kept: Whether answers are kept; of very many, a table alone takes no memory.
        progress: Told how far it is, and what is worth a note.

    Raises:
        DataError: There is no image behind any name.
        UsageError: The table would be written over an image.
        CxrError: The run cannot be predicted with; see `open_run` and `load_predictor`.
    """
    opened = open_run(run)
    inputs = find_inputs(names, opened.config.data)
    if table_path is not None:
        require_no_input(table_path, names, inputs)
    # Only now: a name that is wrong need not wait for torch.
    from cxr.inference.predictor import load_predictor

    predictor = load_predictor(opened)
    note_preprocessing(predictor, progress.note)
    write = None
    if table is not None:
        each = predictor.config.train.asks_each_label
        write = open_unlabelled_rows(table, predictor.classes, asks_each_label=each)
    answers, remarks, refused, num_predicted = [], [], list(inputs.refused), 0
    with contextlib.closing(iterate_answers(predictor, inputs, progress=progress)) as said:
        for one in said:
            if isinstance(one, Refusal):
                refused.append(one)
                continue
            num_predicted += 1
            remarks += one.list_warnings()
            if write is not None:
                write(one.prediction)
            if is_kept:
                answers.append(one)
    return PredictedImages(
        run=run,
        predictor=predictor,
        inputs=inputs,
        num_predicted=num_predicted,
        answers=answers,
        warnings=remarks,
        refused=refused,
    )


def iterate_answers(
    predictor: Predictor, inputs: Inputs, *, progress: Progress = SILENCE
) -> Generator[Answer | Refusal]:
    """Yield what is said of each image, in order; few wait in memory, however many there are.

    Images are read, inspected and decoded ahead on threads, and computed one at a time.
    """
    total = len(inputs.images)
    inspectors = Inspectors()
    inspectors.expect(total)
    ahead = prefetch(
        lambda wanted: predictor.prepare(wanted, by=inspectors.inspect),
        inputs.images,
        workers=count_workers(),
    )
    # Closed last: threads that wait for a process are freed by its end.
    with contextlib.closing(ahead) as prepared, inspectors:
        for done, one in enumerate(prepared, start=1):
            yield one if isinstance(one, Refusal) else predictor.answer(one)
            progress.advance("predicting images", done, total)


def note_preprocessing(predictor: Predictor, note: Callable[[str], None]) -> None:
    """Note what a reader should know of how images are prepared here."""
    checked = predictor.preprocessing
    if checked.digest is None:
        note("the run did not record its preprocessing: it was not checked here")
    for line in checked.other_decoders:
        note(f"another decoder, which makes the same of the canaries: {line}")
