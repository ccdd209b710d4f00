"""Opening the source that a config names."""

from __future__ import annotations

from pathlib import Path

from cxr.config.data_section import DataConfig
from cxr.data.sources.csv_table import CsvSource
from cxr.data.sources.folder import FolderSource
from cxr.data.sources.npz import NpzSource
from cxr.data.sources.pseudonyms import PseudonymousSource, load_pseudonym_key
from cxr.data.sources.source import Source
from cxr.errors import ConfigError
from cxr.progress import SILENCE, Progress


def open_source(config: DataConfig, *, progress: Progress = SILENCE) -> Source:
    """Return the source of a data section whose samples are stored somewhere.

    With ``data.pseudonym_key`` its images have pseudonyms, whatever the source.

    Args:
        config: The data section, with absolute paths.
        progress: Told what is worth a note.

    Raises:
        ConfigError: This source stores nothing: synthetic vectors are drawn.
        DataError: There is nothing at its root, or the key cannot be read.
    """
    source = _open_plain(config)
    if config.pseudonym_key is None:
        return source
    key = load_pseudonym_key(Path(config.pseudonym_key), progress=progress)
    return PseudonymousSource(source, key)


def _open_plain(config: DataConfig) -> Source:
    if config.source == "folder":
        return FolderSource(config)
    if config.source == "npz":
        return NpzSource(config)
    if config.source == "csv":
        return CsvSource(config)
    raise ConfigError(
        f"the config's data is {config.source}: there are no files to read",
        where="data.source",
        hint="name a config whose data.source is folder, npz or csv",
    )
