"""Every kind of problem that a data set can have, how much it matters, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning", "note"]

SEVERITY_RANK: Final[dict[Severity, int]] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem.

    Attributes:
        severity: Only errors make a data set differ; ``--strict`` makes warnings do so as well.
        meaning: What it is, in a sentence for the reader of a report.
    """

    severity: Severity
    meaning: str


KINDS: Final[dict[str, Kind]] = {
    # A file, by itself.
    "unreadable": Kind("error", "the file cannot be opened, or is no regular file"),
    "empty": Kind("error", "the file has no bytes"),
    "not-an-image": Kind("error", "the content is no image of a known format"),
    "lfs-pointer": Kind("error", "a Git LFS pointer stands where the image should be"),
    "truncated": Kind("error", "the image ends too early"),
    "damaged": Kind("error", "the content breaks the rules of its format, decodable or not"),
    "bomb": Kind("error", "the image claims more pixels, or scans of them, than are decoded"),
    "multi-frame": Kind("error", "the file holds several pictures"),
    "alpha": Kind("error", "some pixels may be transparent"),
    "palette": Kind("error", "pixels are numbers of colours in a table"),
    "cmyk": Kind("error", "the colours are those of print"),
    "colour-space": Kind("error", "the colours are neither grey nor RGB"),
    "16-bit": Kind("error", "pixels have more than 8 bits, and no window is declared"),
    "32-bit": Kind("error", "pixels have 32 bits, and no window is declared"),
    "unsupported-window": Kind("error", "a DICOM file's own window is of a kind that is not read"),
    "unsupported-transfer-syntax": Kind("error", "a DICOM file is compressed in a way not read"),
    "no-decoder": Kind("error", "what decodes this DICOM file is not installed"),
    "nan-pixels": Kind("error", "some pixels are not finite numbers"),
    "wrong-suffix": Kind("warning", "the name's suffix is not that of the content's format"),
    "unsupported-format": Kind("warning", "an image of a format that training passes over"),
    "bad-metadata": Kind("warning", "metadata cannot be read, so a turn may go unseen"),
    "colour": Kind(
        "warning", "some pixels have a colour, which data.channels: 1 turns into a grey"
    ),
    "constant": Kind("warning", "all pixels are equal"),
    "too-small": Kind("warning", "a side is shorter than 32 px"),
    "odd-aspect": Kind("warning", "one side is more than three times the other"),
    "own-window": Kind("note", "a DICOM file names a window of its own; none is declared"),
    "burned-in": Kind("warning", "a DICOM file says that text stands in its pixels"),
    "exif-rotated": Kind("note", "the picture is stored turned; it is turned back on reading"),
    "appledouble": Kind("note", "a resource fork that macOS left; it is passed over"),
    "os-file": Kind("note", "a file that the operating system left; it is passed over"),
    "hidden": Kind("note", "a hidden file; it is passed over"),
    "link-outside": Kind("warning", "a link leads out of the data set, or into another split"),
    "linked-twice": Kind("warning", "a folder that was looked at under another name already"),
    "beside-splits": Kind("warning", "images that are in no split are passed over"),
    # The set.
    "no-images": Kind("error", "there is no image at all"),
    "duplicate-across-splits": Kind("error", "the same bytes in two splits"),
    "duplicate-labels-differ": Kind("error", "the same bytes under two labels"),
    "duplicate-in-split": Kind("warning", "the same bytes twice"),
    "same-pixels-across-splits": Kind("error", "the same pixels in two splits, in other bytes"),
    "same-pixels-labels-differ": Kind("error", "the same pixels under two labels, in other bytes"),
    "same-pixels-in-split": Kind("warning", "the same pixels twice, in other bytes"),
    "near-duplicate-across-splits": Kind("warning", "almost the same picture in two splits"),
    "near-duplicate-labels-differ": Kind("warning", "almost the same picture under two labels"),
    "near-duplicate-in-split": Kind("note", "almost the same picture twice"),
    "names-alike": Kind("warning", "names that some file systems take for one"),
    "group-in-two-splits": Kind("error", "a patient is in two splits"),
    "group-ambiguous": Kind("note", "one number seems to stand for several patients"),
    # What the config declares.
    "too-few-samples": Kind("error", "fewer samples than the config declares"),
    "counts-differ": Kind("error", "other class counts than the config declares"),
    "label-out-of-range": Kind("error", "a label that names no class"),
    "size-differs": Kind("error", "another size than the config declares"),
    "features-differ": Kind("error", "another number of values than the config declares"),
    # Against a lock.
    "missing": Kind("error", "in the lock, not in the data set"),
    "extra": Kind("error", "in the data set, not in the lock"),
    "renamed": Kind("error", "in the lock under another path, with the same bytes"),
    "changed": Kind("error", "other bytes than in the lock"),
    "pixels-changed": Kind("error", "the lock's bytes, decoded to other pixels"),
    "label-changed": Kind("error", "another label than in the lock"),
    "group-changed": Kind("error", "another patient than in the lock"),
    "split-changed": Kind("error", "another split than in the lock"),
    "rules-changed": Kind("error", "another rule for splits or classes than the lock was made by"),
    # The decoder.
    "decoder-differs": Kind("warning", "this machine's decoder gives other pixels than cxr knows"),
}
"""In the order of the documentation; see docs/data.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProblem:
    """One thing that is wrong with a group of files.

    Attributes:
        kind: A key of `KINDS`.
        severity: How much it matters here; an accepted error is a note.
        paths: The files, as records call them, sorted.
        detail: What was found, in one line.
    """

    kind: str
    severity: Severity
    paths: tuple[str, ...]
    detail: str


def describe_problem(kind: str, paths: Sequence[str], detail: str) -> DataProblem:
    """Return a problem of a known kind, its detail on one line."""
    return DataProblem(
        kind=kind,
        severity=KINDS[kind].severity,
        paths=tuple(paths),
        detail=" ".join(detail.split()),
    )
