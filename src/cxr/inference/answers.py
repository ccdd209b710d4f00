"""What is said of one image: a prediction, or why there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from cxr.data.checks.kinds import DataProblem
from cxr.records.predictions import Prediction

UNREADABLE: Final = "unreadable"
NO_IMAGES: Final = "no-images"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An image that training would have refused, in the words of ``cxr data verify``.

    Attributes:
        path: What the answer calls it.
        kind: A key of `cxr.data.checks.kinds.KINDS`.
        detail: What was found, in one line.
    """

    path: str
    kind: str
    detail: str

    @property
    def is_unread(self) -> bool:
        """Whether there was nothing to look at, rather than something wrong with it."""
        return self.kind in (UNREADABLE, NO_IMAGES)

    def to_json(self) -> dict[str, str]:
        """Return the refusal as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model says of an image.

    Attributes:
        prediction: Logits, probabilities and decision; nobody told its label.
        remarks: What is odd about the image, though it is not refused.
    """

    prediction: Prediction
    remarks: tuple[DataProblem, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain JSON values; each number reads back to the same bits.

        A logit is the shortest text that reads back to its float32, as in ``predictions.csv``.
        """
        said = self.prediction
        return {
            "path": said.path,
            "logits": [float(text) for text in said.logits],
            "probabilities": list(said.probabilities),
            "decision": said.decision,
        }

    def list_warnings(self) -> list[DataProblem]:
        """Return the remarks that are worth a note."""
        return [one for one in self.remarks if one.severity == "warning"]
