"""Refusing to train on a set that something is wrong with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from cxr.config.data_section import DataConfig
from cxr.data.caches.looks import look_at_images
from cxr.data.checks.acceptance import NEVER_ACCEPTED, require_acceptable
from cxr.data.checks.decoders import capture_decoder
from cxr.data.checks.examine import examine
from cxr.data.checks.kinds import DataProblem
from cxr.data.checks.report import find_grave, summarise_kinds
from cxr.data.checks.target import derive_rules
from cxr.data.decoding.dicom_refusal import INSTALL
from cxr.data.inspection.look import Look
from cxr.data.labels import require_known_labels
from cxr.data.sources.other_key import require_same_key
from cxr.data.sources.scan import derive_data_lock
from cxr.data.sources.source import FoundImage, Source
from cxr.errors import DataError
from cxr.plain_text import list_first
from cxr.progress import Progress
from cxr.records.set_lock import load_lock

_NAMED: Final = 5
_PATHS: Final = 2
_HINT: Final = "cxr data verify CONFIG has all; mend the set, or name kinds in data.accept"
_HINT_RECORDED: Final = "cxr data verify DIR --lock RUN/data.lock.json has all; restore the data"


def look_and_require_sound(
    source: Source, config: DataConfig, progress: Progress, *, recorded: Collection[str] = ()
) -> tuple[list[FoundImage], list[Look]]:
    """Find and look at every image, and refuse what ``cxr data verify`` would call an error.

    Args:
        source: Where images come from.
        config: The data section: its lock, and what it declares and accepts.
        progress: Told how far it is, and of warnings in one line.
        recorded: Digests of the data of recorded runs. Errors in the very data that a run was
            trained on are told and not refused: that run cannot be had with any other.

    Returns:
        The images, and what was seen of each.

    Raises:
        ConfigError: The config accepts what nobody can.
        DataError: Something is wrong with the set; the first few problems are named. Or images
            have pseudonyms by another key than in ``data.lock``.
        RecordError: ``data.lock`` is missing or cannot be read.
    """
    found, looks, problems = look_and_examine(source, config, progress)
    if errors := find_grave(problems):
        now = derive_data_lock(source.classes, found, looks)
        if config.lock is not None:
            # Ahead of an error for each image.
            require_same_key(config, load_lock(Path(config.lock)).images, now.samples)
        is_recorded = now.digest in recorded
        if not is_recorded or any(error.kind in NEVER_ACCEPTED for error in errors):
            raise _refuse(errors, source.root, hint=_advise(errors, is_of_run=bool(recorded)))
        progress.note(f"errors in the data that the run was trained on: {_count_kinds(errors)}")
    if warned := [problem for problem in problems if problem.severity == "warning"]:
        progress.note(f"warnings about the data: {_count_kinds(warned)}; see cxr data verify")
    return found, looks


def look_and_examine(
    source: Source, config: DataConfig, progress: Progress
) -> tuple[list[FoundImage], list[Look], list[DataProblem]]:
    """Find and look at every image, and say what is wrong, errors first, and refuse none of it.

    Args:
        source: Where images come from.
        config: The data section: its lock, and what it declares and accepts.
        progress: Told how far it is.

    Raises:
        ConfigError: The config accepts what nobody can.
        DataError: The set cannot be listed, or a label names no class.
        RecordError: ``data.lock`` is missing or cannot be read.
    """
    require_acceptable(config.accept)
    lock = load_lock(Path(config.lock)) if config.lock is not None else None
    found = source.find()
    require_known_labels(found, source.classes)
    looks = look_at_images(source, found, progress=progress)
    problems = examine(
        source,
        list(zip(found, looks, strict=True)),
        config,
        decoder=capture_decoder(),
        lock=lock,
        rules=derive_rules(config),
    )
    return found, looks, problems


def _count_kinds(problems: Sequence[DataProblem]) -> str:
    return ", ".join(f"{one.kind} ({one.groups:,})" for one in summarise_kinds(problems))


def _refuse(errors: Sequence[DataProblem], root: Path, *, hint: str) -> DataError:
    """Put the first few errors into one, their files as records call them."""
    lines = [str(root), *list_first([_describe(error) for error in errors], _NAMED)]
    said = "an error" if len(errors) == 1 else f"{len(errors):,} errors"
    return DataError(
        f"the data set has {said}: {_count_kinds(errors)}",
        where="\n         ".join(lines),
        hint=hint,
    )


def _advise(errors: Sequence[DataProblem], *, is_of_run: bool) -> str:
    if all(error.kind == "no-decoder" for error in errors):
        return INSTALL
    return _HINT_RECORDED if is_of_run else _HINT


def _describe(error: DataProblem) -> str:
    """Name a problem's first files, and what is wrong with them, in one line."""
    named = ", ".join(error.paths[:_PATHS])
    if len(error.paths) > _PATHS:
        named += f" and {len(error.paths) - _PATHS:,} more"
    return f"{named}: {error.detail}" if named else error.detail
