"""``model.onnx`` held against torch: every picture of a split, at its own size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from cxr.data.dataset import Dataset, Split
from cxr.errors import WeightsError
from cxr.evaluation.predict import predict_split
from cxr.interruption import obey
from cxr.progress import SILENCE, Progress
from cxr.records.predictions import Prediction
from cxr.release.agreement import Agreement, compare_logits, read_logits
from cxr.release.exported_network import Loaded
from cxr.release.layout import ONNX
from cxr.release.onnx_model import INPUT, OUTPUT, import_onnx
from cxr.release.pictures import decode_whole
from cxr.release.pillow_resize import PillowResize

BOUND: Final = 1e-3
"""Largest difference of a logit from torch, as a share of the largest logit, or of 1 where all are
smaller: float32 sums of some thousand products differ by less, another computation by more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxAgreement:
    """What onnxruntime made of a split.

    Attributes:
        agreement: Against torch's logits in float32, in batches as the run's.
        bound: What the largest difference must not exceed.
    """

    agreement: Agreement
    bound: float

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**self.agreement.to_json(), "bound": self.bound}


def measure_onnx(
    directory: Path,
    loaded: Loaded,
    dataset: Dataset,
    split: Split,
    *,
    vertical_pass_first: bool,
    progress: Progress = SILENCE,
) -> OnnxAgreement:
    """Run the graph over the pictures of a split, from their own size, and compare with torch.

    Args:
        directory: The export.
        loaded: The exported model.
        dataset: The run's data.
        split: The split that the run evaluated.
        vertical_pass_first: How the graph resizes tall pictures.
        progress: Told how far it is.

    Raises:
        WeightsError: Pillow resizes a picture otherwise, or a logit differs by more than the bound.
        DataError: An image is not that of the lock any more.
    """
    data, threads = loaded.config.data, loaded.config.threads
    resize = PillowResize(data.image_size, data.resample, tall_first=vertical_pass_first)
    session = _open(directory / ONNX, threads)
    rows: list[NDArray[np.float32]] = []
    for picture, wanted in zip(
        decode_whole(data, dataset, split.name), split.images_NHWC, strict=True
    ):
        obey("the check of ONNX")
        resized = resize(torch.tensor(picture)).numpy()
        if not np.array_equal(resized, wanted):
            raise _refuse("the graph resizes a picture otherwise than this version of Pillow")
        (logits,) = session.run([OUTPUT], {INPUT: np.ascontiguousarray(picture)})
        rows.append(logits[0])
        progress.advance("checking ONNX", len(rows), len(split))
    return _compare(np.stack(rows), _predict_plainly(loaded, split))


def _open(path: Path, threads: int) -> Any:
    _, onnxruntime = import_onnx()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )


def _predict_plainly(loaded: Loaded, split: Split) -> Sequence[Prediction]:
    """Predict in float32, whatever the run's precision: the graph knows no other."""
    train = loaded.config.train.model_copy(update={"precision": "float32"})
    plain = loaded.config.model_copy(update={"train": train})
    return predict_split(loaded.network, split, loaded.classes, plain)


def _compare(found: NDArray[np.float32], predictions: Sequence[Prediction]) -> OnnxAgreement:
    wanted = read_logits(predictions)
    each = any(row.asks_each_label for row in predictions)
    changed = _decide(found, each=each) != _decide(wanted, each=each)
    agreement = compare_logits(
        found, wanted, changed_decisions=int(changed.reshape(len(wanted), -1).any(axis=1).sum())
    )
    bound = BOUND * max(1.0, float(np.abs(wanted).max()))
    if not agreement.largest_difference <= bound:
        raise _refuse(
            f"a logit of model.onnx differs from torch's by {agreement.largest_difference:.3g}, "
            f"more than {bound:.3g}"
        )
    return OnnxAgreement(agreement=agreement, bound=bound)


def _decide(logits: NDArray[np.float32], *, each: bool) -> NDArray[Any]:
    """Return class indices, shape (N,), or which labels are decided for, shape (N, classes)."""
    # A probability of one half is a logit of 0.
    return logits >= 0 if each else np.argmax(logits, axis=1)


def _refuse(problem: str) -> WeightsError:
    return WeightsError(
        problem,
        where="cxr export --onnx",
        hint="nothing was exported; export without --onnx, or with other versions of the libraries",
    )
