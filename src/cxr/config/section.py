"""What every section of the config is made of: strict, frozen, and clear on what affects bits."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cxr.determinism.levels import NATIVE_LEVELS, NO_LEVELS, PORTABLE_LEVELS

BITS_KEY: Final = "affects_bits_at"
NEVER: Final[dict[str, Any]] = {BITS_KEY: list(NO_LEVELS)}
"""For fields that never affect bits."""
NATIVE: Final[dict[str, Any]] = {BITS_KEY: list(NATIVE_LEVELS)}
"""For fields that affect bits through native kernels alone."""
PORTABLE: Final[dict[str, Any]] = {BITS_KEY: list(PORTABLE_LEVELS)}
"""For fields that the portable arithmetic alone knows."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A frozen mapping of fields that refuses unknown keys and wrong types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
