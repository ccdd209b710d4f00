"""Names in a packed run.

A ZIP file whose first entry, ``pack.json``, names every other entry with its size and digest.
"""

from __future__ import annotations

import re
from typing import Final

from cxr.records.run_directory import (
    CONFIG,
    DATA_LOCK,
    ENVIRONMENT,
    LEDGER,
    MANIFEST,
    METRICS,
    PACK_INDEX,
    PACKAGE_LOCK,
    PATCH,
    PREDICTIONS,
    TENSORS,
    VALIDATION_PREDICTIONS,
)

SCHEMA: Final = "cxr.pack/1"

SOURCES: Final = "source"
"""Directory of the package ``cxr`` as it ran."""

WEIGHTS_IN: Final = "weights-in.safetensors"
"""The weights that the run started from."""

RECORDS: Final = (
    MANIFEST,
    ENVIRONMENT,
    DATA_LOCK,
    LEDGER,
    TENSORS,
    METRICS,
    PREDICTIONS,
    VALIDATION_PREDICTIONS,
    PATCH,
    PACKAGE_LOCK,
)
"""What a reproduction reads of a run, and `verify` of its record, byte for byte.

Neither checkpoints nor resulting weights.
"""

_SOURCE: Final = re.compile(rf"{SOURCES}/cxr/(?:\w+/)*\w+\.py", re.ASCII)


def is_known_entry(name: str) -> bool:
    """Say whether a packed run may have an entry of this name.

    Sources are those that the code's digest covers, and nothing that Python would prefer to them.
    """
    return name in (PACK_INDEX, CONFIG, WEIGHTS_IN, *RECORDS) or _SOURCE.fullmatch(name) is not None
