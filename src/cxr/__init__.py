"""cxr: chest X-ray classifiers trained so that the same recipe gives the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxr.determinism.seeding import seed_everything

__version__ = "0.1.0"

__all__ = ["__version__", "seed_everything"]


def __getattr__(name: str) -> Any:
    """Import what is public when it is first asked for, so that the command line starts fast."""
    if name == "seed_everything":
        from cxr.determinism.seeding import seed_everything

        return seed_everything
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
