"""Opening the source that a config names."""

from __future__ import annotations

from cxr.config.data_section import DataConfig
from cxr.data.sources.csv_table import CsvSource
from cxr.data.sources.folder import FolderSource
from cxr.data.sources.npz import NpzSource
from cxr.data.sources.source import Source
from cxr.errors import ConfigError


def open_source(config: DataConfig) -> Source:
    """Return the source of a data section whose samples are stored somewhere.

    Args:
        config: The data section, with absolute paths.

    Raises:
        ConfigError: This source stores nothing: synthetic vectors are drawn.
        DataError: There is nothing at its root.
    """
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
