"""Judging one image by itself, as a check of a whole set does."""

from __future__ import annotations

from collections.abc import Iterator

from cxr.config.data_section import DataConfig
from cxr.data.checks.acceptance import mark_accepted
from cxr.data.checks.expectations import find_other_sizes
from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.data.checks.report import sort_problems
from cxr.data.decoding.window import Window, derive_window
from cxr.data.inspection.look import Look
from cxr.data.inspection.windowed import settle_windows
from cxr.data.sources.source import FoundImage


def judge_image(image: FoundImage, look: Look, config: DataConfig) -> list[DataProblem]:
    """Return what ``cxr data verify`` would say of an image that is looked at alone, errors first.

    What concerns a set is not asked: duplicates, patients, labels and counts.

    Args:
        image: The image.
        look: What was seen of it.
        config: The data section: its window, and what it declares and accepts.
    """
    problems = [
        *find_image_problems(image.path, look, derive_window(config.window), config.channels),
        *find_other_sizes([(image, look)], config.expect),
    ]
    return sort_problems(mark_accepted(problems, config.accept))


def find_image_problems(
    path: str, look: Look, window: Window | None, channels: int
) -> Iterator[DataProblem]:
    """Yield what is wrong with one image under the declared window, read to so many channels."""
    for kind, detail in settle_windows(look, window).findings:
        if kind != "colour" or channels == 1:
            yield describe_problem(kind, [path], detail)
