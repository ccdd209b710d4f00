"""Records of what cxr does not run itself: training loops of others, and any command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxr.integrations.recorder import RunRecorder

__all__ = ["RunRecorder"]


def __getattr__(name: str) -> Any:
    """Import the recorder, and torch with it, when it is first asked for."""
    if name == "RunRecorder":
        from cxr.integrations.recorder import RunRecorder

        return RunRecorder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
