"""Locking a data set: writing down what every image is, once nothing is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from cxr.data.checks.examine import examine_set, hold_against
from cxr.data.checks.kinds import DataProblem
from cxr.data.checks.report import DataReport, derive_report, find_grave
from cxr.data.checks.target import Target, open_target
from cxr.data.checks.verify import Seen, describe_comparison, find_comparable_rules, look_at_target
from cxr.data.inspection.inspectors import Inspectors
from cxr.errors import UsageError
from cxr.plain_text import count
from cxr.progress import SILENCE, Progress
from cxr.records.free_place import require_outside_records
from cxr.records.set_lock import LockedImage, SetLock, load_lock, write_set_lock

Outcome = Literal["locked", "updated", "unchanged", "differs", "refused"]
LOCKED: Final[frozenset[Outcome]] = frozenset({"locked", "updated", "unchanged"})
"""Outcomes after which the lock is that of the set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locking:
    """The answer of ``cxr data lock``.

    Attributes:
        outcome: ``locked``, ``updated`` or ``unchanged``; ``differs`` where there is another lock
            that was not to be updated; ``refused`` where something is wrong with the set itself.
        path: The lock.
        num_bytes: Its size; 0 where nothing was written.
        report: What was found, and in what the set differs from the lock that was there.
    """

    outcome: Outcome
    path: Path
    num_bytes: int
    report: DataReport

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain JSON values."""
        report = self.report.to_json()
        del report["verdict"]
        return {
            "verdict": self.outcome,
            "written_bytes": self.num_bytes,
            **report,
            "lock": str(self.path),
        }


def lock_target(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    out: Path | None = None,
    update: bool = False,
    progress: Progress = SILENCE,
    inspectors: Inspectors | None = None,
) -> Locking:
    """Write the lock of a set beside it, or say in what the set differs from the one that is there.

    Args:
        path: See `cxr.data.checks.verify.verify_target`.
        overrides: Likewise.
        out: Where to write; by default where the config's ``data.lock`` says, or beside the target.
        update: Whether to replace a lock that the set is no longer equal to. Groups keep the
            splits that the config's lock has given them.
        progress: Told how far it is.
        inspectors: See `cxr.data.caches.looks.look_at_images`.

    Raises:
        CxrError: As `verify_target`; a lock that is there cannot be read, or is of another target;
            the place is in the set.
        StorageError: The lock cannot be written.
    """
    target = open_target(path, overrides)
    place = out or target.lock
    _require_outside(place, target)
    require_outside_records(place, what="lock")
    before = load_lock(place) if place.exists() else None
    if before is not None:
        _require_own(before, place, target)
    seen = look_at_target(target, progress, inspectors=inspectors)
    wrong = examine_set(target.source, seen.pairs, target.config, decoder=seen.decoder)
    against = wrong if before is None else [*wrong, *_hold_against(before, seen)]
    notes = [*([target.note] if target.note else []), *describe_comparison(target, before)]
    report = _report(seen, against, place, notes)
    if find_grave(wrong):
        return Locking(outcome="refused", path=place, num_bytes=0, report=report)
    if before is not None and not before.of_run and not find_grave(against):
        return Locking(outcome="unchanged", path=place, num_bytes=0, report=report)
    if before is not None and not update:
        return Locking(outcome="differs", path=place, num_bytes=0, report=report)
    num_bytes = write_set_lock(place, derive_set_lock(seen, place))
    moved = sum(len(problem.paths) for problem in against if problem.kind == "split-changed")
    if moved:
        is_divided = target.config.validation_fraction > 0 or target.config.test_fraction > 0
        can_stay = is_divided and target.config.lock is None
        kept = "; with this lock in data.lock, they stay" if can_stay else ""
        notes.append(f"{count(moved, 'image')} of the former lock in another split now{kept}")
    return Locking(
        outcome="locked" if before is None else "updated",
        path=place,
        num_bytes=num_bytes,
        report=_report(seen, wrong, place, notes),
    )


def _report(
    seen: Seen, problems: Sequence[DataProblem], place: Path, notes: Sequence[str]
) -> DataReport:
    return derive_report(
        seen.pairs,
        problems,
        strict=False,
        lock=str(place),
        decoder=seen.decoder,
        notes=notes,
        classes=seen.target.source.classes,
    )


def _hold_against(before: SetLock, seen: Seen) -> list[DataProblem]:
    target = seen.target
    return hold_against(
        before,
        seen.pairs,
        classes=target.source.classes,
        decoder=seen.decoder,
        rules=find_comparable_rules(target, before),
    )


def derive_set_lock(seen: Seen, place: Path) -> SetLock:
    """Return the lock of a set that was looked at, as it will lie at ``place``."""
    target = seen.target
    images = [
        LockedImage(
            path=image.path,
            bytes=look.num_bytes,
            sha256=look.sha256,
            pixels=look.pixels,
            width=look.width,
            height=look.height,
            mode=look.mode,
            label=image.label,
            group=image.group,
            split=image.split,
        )
        for image, look in seen.pairs
    ]
    named = target.path.absolute()
    beside = named.parent.resolve() == place.absolute().parent.resolve()
    return SetLock(
        classes=target.source.classes,
        images=tuple(sorted(images, key=lambda image: image.path)),
        rules=target.rules,
        decoder=seen.decoder,
        target=named.name if beside else "",
    )


def _require_own(before: SetLock, place: Path, target: Target) -> None:
    """Refuse to take the lock of another target for this one's.

    One that the config names is its own, whoever else names it.

    Raises:
        UsageError: The lock names something else that lies beside it.
    """
    named = target.config.lock
    is_named = named is not None and Path(named).absolute() == place.absolute()
    if before.target and before.target != target.path.name and not is_named:
        raise UsageError(
            f"the lock that is there is of another target: {before.target}",
            where=str(place),
            hint="name another place with --out, or remove the lock if its target is gone",
        )


def _require_outside(place: Path, target: Target) -> None:
    """Refuse to write into the set itself: what was delivered stays as it was.

    Raises:
        UsageError: The lock would lie in the directory of the images.
    """
    root = target.source.root
    is_own = target.config.source == "folder" and root.is_dir()
    if is_own and place.absolute().parent.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            "the lock would lie inside the set that it is of",
            where=str(place),
            hint="name another place with --out, or in data.lock",
        )
