"""Looking at a data set before it is trusted: every image decoded, leaks and changes named."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cxr.config.data_section import DataConfig
from cxr.config.load import load_config
from cxr.data.caches.looks import look_at_images
from cxr.data.checks.kinds import DataProblem
from cxr.data.checks.report import DataReport
from cxr.data.inspection.look import Look
from cxr.data.sources.folder import FolderSource, find_images, find_root, list_images
from cxr.data.sources.scan import hash_images
from cxr.data.sources.source import SPLITS, FoundImage
from cxr.errors import DataError, UsageError
from cxr.progress import SILENCE, Progress
from cxr.records.data_lock import Sample, load_data_lock

Severity = Literal["error", "warning", "note"]

SEVERITIES: Final[dict[str, Severity]] = {
    "no-images": "error",
    "empty": "error",
    "unreadable": "error",
    "changed": "error",
    "missing": "error",
    "extra": "error",
    "label-changed": "error",
    "split-changed": "error",
    "duplicate-labels-differ": "error",
    "duplicate-across-splits": "error",
    "group-in-two-splits": "error",
    "duplicate-in-split": "warning",
    "names-alike": "warning",
}
"""Every kind of problem and how much it matters: only errors make a data set differ."""

_CONFIG_SUFFIXES: Final = (".yaml", ".yml")
_TOP: Final = 2


@dataclass(frozen=True, slots=True)
class _Look:
    """What one image turned out to be."""

    image: FoundImage
    num_bytes: int
    sha256: str
    problem: DataProblem | None


def verify_target(
    target: Path,
    *,
    lock: Path | None = None,
    full: bool = False,
    bytes_only: bool = False,
    progress: Progress = SILENCE,
) -> DataReport:
    """Decode every image of a data set, look for leaks, and compare it with a lock.

    Args:
        target: A directory, whose images are found by suffix, in its splits where it has such; or
            a config, whose classes, groups and splits are then applied.
        lock: A data lock to compare with.
        full: Whether every image is read and decoded again, whatever is remembered of it.
        bytes_only: Whether images are read and hashed alone, and none is decoded.
        progress: Told how far it is.

    Raises:
        DataError: The target is missing, a directory in it cannot be listed, or the config's
            rules do not fit its files.
        RecordError: The lock cannot be read.
        UsageError: The target is neither a directory nor a config.
    """
    root, images = _find(target)
    wanted = load_data_lock(lock) if lock is not None else None
    looks = _look_at_all(root, images, full=full, bytes_only=bytes_only, progress=progress)
    problems = [look.problem for look in looks if look.problem is not None]
    if not images:
        problems.append(_problem("no-images", [str(root)], "no image below it, by suffix"))
    problems += _find_duplicates(looks)
    problems += _find_names_alike(images)
    problems += _find_split_groups(images)
    if wanted is not None:
        problems += _compare_with_lock(looks, wanted.samples, by_rules=target.is_file())
    rank = {"error": 0, "warning": 1, "note": 2}
    problems.sort(key=lambda problem: (rank[problem.severity], problem.kind, problem.paths))
    broken = any(problem.severity == "error" for problem in problems)
    return DataReport(
        verdict="differs" if broken else "verified",
        samples=len(looks),
        bytes=sum(look.num_bytes for look in looks),
        problems=problems,
    )


def _find(target: Path) -> tuple[Path, list[FoundImage]]:
    """Find the images of a directory or of a config's data set."""
    if target.suffix in _CONFIG_SUFFIXES:
        config: DataConfig = load_config(target).data
        if config.source != "folder":
            raise UsageError(
                f"the config's data is {config.source}: there are no files to verify",
                where=str(target),
                hint="name a config whose data.source is folder",
            )
        root = find_root(config)
        return root, find_images(root, config)
    if not target.is_dir():
        raise DataError(
            "no such data set" if not target.exists() else "not a directory and not a config",
            where=str(target),
            hint="name the directory that holds train, val and test, or a config (.yaml)",
        )
    # Split by split, as training lists them; without splits, whatever there is.
    in_splits = [file for split in SPLITS for file in list_images(target / split)]
    files = sorted(in_splits) or list_images(target)
    return target, [_describe(target, file) for file in files]


def _describe(root: Path, file: Path) -> FoundImage:
    """Take split and class from the first two folders, where there are such."""
    parts = file.parts[len(root.parts) :]
    split = parts[0] if parts[0] in SPLITS and len(parts) > _TOP else ""
    label = parts[1] if split else ""
    path = "/".join(parts)
    return FoundImage(file, path, label, path, split)


def _look_at_all(
    root: Path,
    images: Sequence[FoundImage],
    *,
    full: bool,
    bytes_only: bool,
    progress: Progress,
) -> list[_Look]:
    """Read, hash and, unless only bytes count, inspect on all cores."""
    if not images:
        return []
    source = FolderSource(DataConfig(source="folder", root=str(root)))
    looks = (
        hash_images(source, images, progress=progress)
        if bytes_only
        else look_at_images(source, images, trust_stat=True, full=full, progress=progress)
    )
    return [_describe_look(image, look) for image, look in zip(images, looks, strict=True)]


def _describe_look(image: FoundImage, look: Look) -> _Look:
    problem = None
    if look.findings:
        kind, detail = look.findings[0]
        problem = _problem(kind if kind in SEVERITIES else "unreadable", [image.path], detail)
    return _Look(image, look.num_bytes, look.sha256, problem)


def _find_duplicates(looks: Sequence[_Look]) -> Iterator[DataProblem]:
    """Group byte-identical files by how much their being so matters."""
    by_digest: dict[str, list[FoundImage]] = defaultdict(list)
    for look in looks:
        if look.num_bytes:
            by_digest[look.sha256].append(look.image)
    for same in by_digest.values():
        if len(same) == 1:
            continue
        paths = sorted(image.path for image in same)
        labels, splits = {image.label for image in same}, {image.split for image in same}
        if len(labels) > 1:
            yield _problem("duplicate-labels-differ", paths, "the same bytes, different labels")
        if len(splits) > 1:
            yield _problem("duplicate-across-splits", paths, "the same bytes in two splits")
        if len(labels) == len(splits) == 1:
            yield _problem("duplicate-in-split", paths, "the same bytes")


def _find_names_alike(images: Sequence[FoundImage]) -> Iterator[DataProblem]:
    """Name files that other file systems take for one: they are not a set that can be copied."""
    alike: dict[str, list[str]] = defaultdict(list)
    for image in images:
        alike[_fold(image.path)].append(image.path)
    for paths in alike.values():
        if len(paths) > 1:
            detail = "names differ in case or Unicode form alone: macOS and Windows keep one file"
            yield _problem("names-alike", sorted(paths), detail)


def _fold(path: str) -> str:
    """Return what is left of a name where neither case nor Unicode form counts."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _find_split_groups(images: Sequence[FoundImage]) -> Iterator[DataProblem]:
    """Name groups that are in more than one split."""
    by_group: dict[str, list[FoundImage]] = defaultdict(list)
    for image in images:
        by_group[image.group].append(image)
    for group, members in sorted(by_group.items()):
        splits = sorted({image.split for image in members})
        if len(splits) > 1:
            paths = sorted(image.path for image in members)
            detail = f"group {group} is in {' and '.join(splits)}"
            yield _problem("group-in-two-splits", paths, detail)


def _compare_with_lock(
    looks: Sequence[_Look], wanted: Iterable[Sample], *, by_rules: bool
) -> Iterator[DataProblem]:
    """Name files that are missing, extra or changed.

    With ``by_rules``, labels and splits are those that a config's rules give, and are compared too.
    """
    found = {look.image.path: look for look in looks}
    locked = {sample.path: sample for sample in wanted}
    missing, extra = locked.keys() - found.keys(), found.keys() - locked.keys()
    respelt = set(map(_fold, missing)) & set(map(_fold, extra))
    for kind, paths, detail in (
        ("missing", missing, "in the lock, not in the data set"),
        ("extra", extra, "in the data set, not in the lock"),
    ):
        for path in sorted(paths):
            spelling = ", which spells it in another case or Unicode form"
            yield _problem(kind, [path], detail + spelling * (_fold(path) in respelt))
    for path in sorted(found.keys() & locked.keys()):
        look, sample = found[path], locked[path]
        # Of a file that could not be read nothing is known, and that is a problem of its own.
        if look.sha256 not in (sample.sha256, ""):
            yield _problem("changed", [path], "its bytes are not those of the lock")
        if by_rules and look.image.label != sample.label:
            detail = f"{sample.label} in the lock, {look.image.label} by the config"
            yield _problem("label-changed", [path], detail)
        if by_rules and look.image.split != sample.split:
            detail = f"{sample.split} in the lock, {look.image.split} by the config"
            yield _problem("split-changed", [path], detail)


def _problem(kind: str, paths: Sequence[str], detail: str) -> DataProblem:
    return DataProblem(
        kind=kind, severity=SEVERITIES[kind], paths=tuple(paths), detail=" ".join(detail.split())
    )
