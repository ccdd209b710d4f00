"""Looking at a data set before it is trusted: every image decoded, leaks and changes named."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cxr.data.caches.looks import look_at_images
from cxr.data.checks.acceptance import require_acceptable
from cxr.data.checks.decoders import capture_decoder
from cxr.data.checks.examine import Decoder, examine
from cxr.data.checks.report import DataReport, derive_report
from cxr.data.checks.target import Target, open_target
from cxr.data.inspection.inspectors import Inspectors
from cxr.data.inspection.look import Look
from cxr.data.sources.scan import hash_images
from cxr.data.sources.source import FoundImage
from cxr.plain_text import show_plainly
from cxr.progress import SILENCE, Progress
from cxr.records.set_lock import SetLock, load_lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A set that every image of was looked at.

    Attributes:
        target: What was opened.
        pairs: Every image, and what was seen of it.
        decoder: See `capture_decoder`.
    """

    target: Target
    pairs: Sequence[tuple[FoundImage, Look]]
    decoder: Decoder


def verify_target(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    lock: Path | None = None,
    strict: bool = False,
    full: bool = False,
    bytes_only: bool = False,
    progress: Progress = SILENCE,
    inspectors: Inspectors | None = None,
) -> DataReport:
    """Look at every image of a data set, look for leaks, and hold it against its lock.

    Args:
        path: A config, whose classes, groups and splits are applied; a directory, npz or CSV
            file; or a lock, which stands for the set beside it.
        overrides: Fields of the config to change, as ``KEY=VALUE``.
        lock: The lock to hold it against, a run's perhaps. By default the one that the config
            names, or the one beside the target, if there is one.
        strict: Whether warnings make the set differ.
        full: Whether every image is read and decoded again, whatever is remembered of it.
        bytes_only: Whether images are read and hashed alone, and none is decoded.
        progress: Told how far it is.
        inspectors: See `look_at_images`.

    Raises:
        ConfigError: The config cannot be used.
        DataError: The target is missing, a directory in it cannot be listed, or the config's
            rules do not fit its files.
        RecordError: The lock cannot be read.
        UsageError: There are no files to look at.
    """
    target = open_target(path, overrides)
    notes = [target.note] if target.note else []
    wanted = None
    if (place := lock) is not None:
        wanted = load_lock(place)
    elif (place := _find_lock(target, notes)) is not None:
        changes = [text for override in overrides for text in ("--set", override)]
        wanted = load_lock(place, target=shlex.join([str(path), *changes]))
    notes += describe_comparison(target, wanted)
    seen = look_at_target(target, progress, full=full, bytes_only=bytes_only, inspectors=inspectors)
    problems = examine(
        target.source,
        seen.pairs,
        target.config,
        decoder=seen.decoder,
        lock=wanted,
        rules=find_comparable_rules(target, wanted),
    )
    return derive_report(
        seen.pairs,
        problems,
        strict=strict,
        lock=str(place) if place is not None else None,
        decoder=seen.decoder,
        notes=notes,
        classes=target.source.classes,
    )


def look_at_target(
    target: Target,
    progress: Progress,
    *,
    full: bool = False,
    bytes_only: bool = False,
    inspectors: Inspectors | None = None,
) -> Seen:
    """Find every image of a target and look at it; see `verify_target`.

    Raises:
        ConfigError: The config accepts what nobody can.
        DataError: A directory cannot be listed, or the config's rules do not fit its files.
    """
    require_acceptable(target.config.accept)
    found = target.source.find()
    if bytes_only:
        looks = hash_images(target.source, found, progress=progress)
    else:
        looks = look_at_images(
            target.source,
            found,
            trust_stat=True,
            full=full,
            progress=progress,
            inspectors=inspectors,
        )
    pairs = list(zip(found, looks, strict=True))
    # Where nothing is decoded, no decoder is asked.
    decoder = {} if bytes_only else capture_decoder()
    return Seen(target=target, pairs=pairs, decoder=decoder)


def find_comparable_rules(target: Target, lock: SetLock | None) -> dict[str, object] | None:
    """Return the rules to compare by; None where labels and splits say nothing.

    Those of a directory by itself are its folders: they can be held against a lock of the same
    kind, and against no other.
    """
    by_folders = not target.rules
    if by_folders and (lock is None or lock.of_run or lock.rules):
        return None
    return dict(target.rules)


def describe_comparison(target: Target, lock: SetLock | None) -> list[str]:
    """Return what to say where a lock holds more than can be compared with it; see above."""
    if lock is None or find_comparable_rules(target, lock) is not None:
        return []
    return [
        "only images were compared with the lock: name a config for labels, patients and splits"
    ]


def _find_lock(target: Target, notes: list[str]) -> Path | None:
    """Return the lock that belongs to a target; one that its config names must be there.

    A folder, a table and a config of one stem would have one lock beside them: it is of the one
    that it names.
    """
    if target.config.lock is not None:
        return target.lock
    if not target.lock.exists():
        return None
    named = load_lock(target.lock).target
    if named == target.path.name:
        return target.lock
    said = f"is of {show_plainly(named)}" if named else "does not say what it is of"
    notes.append(
        f"{show_plainly(target.lock.name)} {said}, so it is left alone; --lock would take it"
    )
    return None
