"""Verifying a data set, or knowing that nothing has changed since that was last done.

What an answer depends on are files: the config and what it extends, the images, the lock, and
whatever else lies below the set's root. While the system says that none of them changed, the answer
stands. Neither the config nor an image is read then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cxr.data.caches.answers import recall, remember
from cxr.data.caches.footprint import capture_footprint
from cxr.data.caches.looked_with import digest_inspection
from cxr.data.checks.report import DataReport
from cxr.data.inspection.look import OF_THIS_MACHINE
from cxr.digests.canonical import digest_json
from cxr.digests.files import digest_file
from cxr.environment.code import digest_code
from cxr.errors import CxrError
from cxr.progress import Progress
from cxr.records.set_lock import SUFFIX, load_lock

_SCHEMA: Final = "cxr.unchanged/2"
_CONFIG_SUFFIXES: Final = (".yaml", ".yml")


def verify_unless_unchanged(
    target: Path,
    verify: Callable[[], DataReport],
    *,
    overrides: Sequence[str],
    lock: Path | None,
    strict: bool,
    is_used: bool,
    progress: Progress,
) -> DataReport:
    """Return what was last found, if nothing can have changed since, or find it.

    Args:
        target: What is verified.
        verify: Verifies it.
        overrides: Fields of the config that are changed.
        lock: A lock that was named beside it.
        strict: Whether warnings make the set differ.
        is_used: Whether an answer that is remembered may be given.
        progress: Told that one was.

    Raises:
        CxrError: What ``verify`` raises; nothing is remembered then.
    """
    question = _derive_question(target, overrides, lock, strict=strict)
    places = recall(question) if is_used else None
    if places is not None:
        answer = recall(_derive_key(question, [Path(place) for place in places]))
        if answer is not None:
            progress.note("nothing changed since it was last looked at; --full looks again")
            return DataReport.from_json(answer)
    depends_on = _find_dependencies(target, lock, overrides)
    # Before anything is read: what changes meanwhile will have another footprint.
    footprint = capture_footprint(depends_on)
    report = verify()
    is_of_the_files = OF_THIS_MACHINE.isdisjoint(problem.kind for problem in report.problems)
    if footprint.is_settled and is_of_the_files:
        remember(question, [str(place) for place in depends_on])
        remember(digest_json([question, footprint.digest]), report.to_json())
    return report


def _derive_question(
    target: Path, overrides: Sequence[str], lock: Path | None, *, strict: bool
) -> str:
    """Return the digest of what is asked, and of who answers."""
    return digest_json(
        [
            _SCHEMA,
            os.getcwd(),  # noqa: PTH109 - as text
            # What a path in a config may begin with.
            os.path.expanduser("~"),  # noqa: PTH111 - as text
            ascii(str(target)),
            [ascii(override) for override in overrides],
            ascii(str(lock)),
            strict,
            # A root is named in the config: only who can read it may learn that.
            digest_file(target) if target.is_file() else "",
            digest_code(),
            digest_inspection(),
            sys.version,
        ]
    )


def _derive_key(question: str, places: Sequence[Path]) -> str:
    return digest_json([question, capture_footprint(places).digest])


def _find_dependencies(
    target: Path, lock: Path | None, overrides: Sequence[str] = ()
) -> list[Path]:
    """Return every file and directory that the answer may depend on, absolute."""
    target = Path(os.path.abspath(target))  # noqa: PTH100 - links stay
    places = [target, *(target.with_name(name) for name in _name_locks(target))]
    if lock is not None:
        places.append(lock)
    if target.suffix in _CONFIG_SUFFIXES and target.is_file():
        from cxr.config.load import find_config_files, load_config

        try:
            data = load_config(target, overrides).data
        except CxrError:
            # Whoever verifies it says what is wrong, and nothing is remembered.
            return places
        places += find_config_files(target)
        named = (data.root, data.lock, data.csv.file, data.pseudonym_key)
        places += [Path(name) for name in named if name is not None]
        if data.root is None and data.csv.file is not None:
            places.append(Path(data.csv.file).parent)
    elif target.name.endswith(SUFFIX) and target.is_file():
        try:
            name = load_lock(target).target
        except CxrError:
            return places
        if name and not name.endswith(SUFFIX):
            places += _find_dependencies(target.with_name(name), lock)
    elif target.suffix == ".csv":
        places.append(target.parent)
    return [Path(os.path.abspath(place)) for place in places]  # noqa: PTH100 - links stay


def _name_locks(target: Path) -> tuple[str, str]:
    """Return the names that a lock beside a config or a directory may have."""
    return f"{target.stem}.lock.json", f"{target.name}.lock.json"
