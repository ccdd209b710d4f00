"""Opening the source that a config names."""

from __future__ import annotations

from cxr.config.data_section import DataConfig
from cxr.data.sources.folder import FolderSource
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
    raise ConfigError(
        f"the config's data is {config.source}: there are no files to read",
        where="data.source",
        hint="name a config whose data.source is folder",
    )
