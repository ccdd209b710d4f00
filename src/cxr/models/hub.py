"""Weights from a model hub: one file at one commit, from the hub's cache or over the network."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from cxr.config.schema import HubWeights
from cxr.errors import ConfigError, WeightsError

_ANSWER_S: Final = 5
"""How long the hub may take to say whether it has the file."""


def fetch_weights(config: HubWeights) -> Path:
    """Return the path of a hub's file, fetched unless the cache has it.

    A commit never changes, so what is in the cache needs no network. The client would ask an
    unreachable hub six times over half a minute, and say so each time: it is asked once here.

    Raises:
        ConfigError: The revision is not given.
        WeightsError: The hub is unreachable, or does not have the file.
    """
    where = f"model.weights: {config.repo}"
    if config.revision is None:
        raise ConfigError(
            "the weights' revision is not set, and a branch may move",
            where=where,
            hint="set model.weights.revision to the full commit that you looked at on the hub",
        )
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined] # found when asked for
    from huggingface_hub.utils.logging import set_verbosity
    from huggingface_hub.utils.tqdm import disable_progress_bars

    set_verbosity(logging.CRITICAL)
    disable_progress_bars()
    repo, file, revision = config.repo, config.file, config.revision
    try:
        try:
            found = huggingface_hub.hf_hub_download(
                repo, file, revision=revision, local_files_only=True
            )
        except LocalEntryNotFoundError:
            url = huggingface_hub.hf_hub_url(repo, file, revision=revision)
            huggingface_hub.get_hf_file_metadata(url, timeout=_ANSWER_S)
            found = huggingface_hub.hf_hub_download(repo, file, revision=revision)
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise WeightsError(
            f"cannot fetch the weights: {' '.join(str(error).split())[:200]}",
            where=f"{where} at {revision}, file {file}",
            hint="go online, or fetch the file yourself and use model.weights.source: file",
        ) from error
    return Path(found)
