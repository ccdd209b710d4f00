"""Reading data sets as a run does, step by step."""

from __future__ import annotations

from pathlib import Path

from cxr.config.data_section import DataConfig
from cxr.data.caches.decoded import open_decoded
from cxr.data.sources.folder import FolderSource
from cxr.data.sources.open import open_source
from cxr.data.sources.scan import hash_samples
from cxr.data.sources.source import FoundImage
from cxr.progress import SILENCE


def scan(config, *, progress=SILENCE):
    """Find and hash every sample of a data section."""
    source = open_source(config)
    return hash_samples(source, source.find(), progress=progress)


def open_folder(root, lock, plan, directory, **options):
    """Decode the files of a lock below ``root``, through a cache."""
    source = FolderSource(DataConfig(source="folder", root=str(root), classes=lock.classes))
    found = [
        FoundImage(Path(root, one.path), one.path, one.label, one.group, one.split)
        for one in lock.samples
    ]
    return open_decoded(source, found, lock, plan, directory, **options)
