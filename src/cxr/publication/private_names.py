"""Looking once more, before anything is sent, for what must not leave this machine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from cxr.config.load import PATH_FIELDS, load_config
from cxr.config.schema import RunConfig
from cxr.errors import RecordError
from cxr.records.data_lock import load_data_lock
from cxr.records.run_directory import CONFIG, DATA_LOCK

_SHORTEST: Final = 5
"""Names of fewer letters are found in any text."""
_MAX_TEXT_BYTES: Final = 4 * 2**20
"""Larger files are tensors: in them only places are looked for."""


def require_nothing_private(directory: Path, run: Path) -> None:
    """Refuse to send a file that names a place on this machine, or an image of the run's data.

    Exports are made without both. But a licence, a name or the user's words may hold one.

    Args:
        directory: What would be sent.
        run: The run directory.

    Raises:
        RecordError: A file holds one; it is not repeated.
    """
    places = [one for place in _list_places(run) for one in _spell(place)]
    lock = load_data_lock(run / DATA_LOCK)
    names = {PurePosixPath(sample.path).name for sample in lock.samples}
    spelled = [one for name in names if len(name) >= _SHORTEST for one in _spell(name)]
    for path in sorted(directory.iterdir()):
        content = path.read_bytes()
        if any(_holds(content, place) for place in places):
            raise _explain(path.name, "a place on this machine")
        if len(content) <= _MAX_TEXT_BYTES and any(name in content for name in spelled):
            raise _explain(path.name, "the name of an image of the data set")


def _list_places(run: Path) -> Iterator[str]:
    """Yield absolute paths that are nobody else's business."""
    yield str(run.resolve())
    config = load_config(run / CONFIG)
    for field in PATH_FIELDS:
        value = _find(config, field)
        if value is not None and Path(value).is_absolute():
            yield value
    home = Path.home()
    if home != Path(home.anchor):
        yield str(home)


def _find(config: RunConfig, field: tuple[str | int, ...]) -> str | None:
    value: object = config
    for name in field:
        value = getattr(value, str(name), None)
    return value if isinstance(value, str) else None


def _spell(name: str) -> set[bytes]:
    """Return how a name is written in a file: as it is, and as JSON writes other alphabets."""
    return {os.fsencode(name), json.dumps(name)[1:-1].encode()}


def _holds(content: bytes, place: bytes) -> bool:
    """Say whether a path is in it, and not only a longer name that begins or ends as it does."""
    # Looked for as it is first: an expression takes seconds for a large file.
    return place in content and bool(
        re.search(rb"(?<![\w.])" + re.escape(place) + rb"(?!\w)", content)
    )


def _explain(name: str, what: str) -> RecordError:
    return RecordError(
        f"{name} holds {what}, and would tell everybody",
        where=name,
        hint="look for it in the run's name, its classes, the licence and --changed-code",
    )
