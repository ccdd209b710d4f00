"""The version of the portable arithmetic: it changes whenever any bit of a result may."""

from __future__ import annotations

from typing import Final

ARITHMETIC_VERSION: Final = 2
"""Part of every recipe at the level ``portable``."""
