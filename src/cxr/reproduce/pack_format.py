"""Names in a packed run.

A ZIP file whose first entry, ``pack.json``, names every other entry with its size and digest.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = "cxr.pack/1"

INDEX: Final = "pack.json"
"""Names every other entry."""

SOURCES: Final = "source"
"""Directory of the package ``cxr`` as it ran."""

WEIGHTS_IN: Final = "weights-in.safetensors"
"""The weights that the run started from."""
