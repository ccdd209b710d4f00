"""Foreseeing that many images will be inspected, from a glance at where they lie.

Processes that inspect take a quarter of a second to start. Where a directory holds many images of
which nothing is remembered, they start while this process is still finding its own modules, and
then the images. A wrong guess costs that time on another core, and changes nothing that is seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from cxr.data.caches.looks import digest_place
from cxr.data.caches.store import Store
from cxr.data.decoding.file_format import is_named_as_read
from cxr.data.inspection.inspectors import MIN_FILES, Inspectors
from cxr.data.prefetch import count_workers

_MANY: Final = 4 * MIN_FILES
"""Images from which on it is worth while: they take twice as long as starting."""
_ASKED: Final = 20


def prepare_inspectors(target: Path, *, full: bool = False) -> Inspectors:
    """Return inspectors that are starting already if many images will be inspected.

    Args:
        target: What will be looked at. A config is not read for this.
        full: Whether everything will be inspected, whatever is remembered.
    """
    inspectors = Inspectors()
    files = list(islice(_find_images(target), _MANY))
    if len(files) == _MANY and (full or not _is_any_known(files[:: _MANY // _ASKED])):
        inspectors.start_ahead(count_workers())
    return inspectors


def _find_images(target: Path) -> Iterator[Path]:
    """Yield what has the name of an image; what cannot be listed is told of later."""
    for parent, _, names in os.walk(target):
        yield from (Path(parent, name) for name in names if is_named_as_read(name))


def _is_any_known(files: list[Path]) -> bool:
    """Say whether the digest of any of these files is remembered."""
    store = Store.open()
    if store is None:
        return False
    try:
        return bool(store.get("files", [digest_place(file) for file in files]))
    finally:
        store.close()
