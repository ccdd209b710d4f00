"""Found on PYTHONPATH at the start of a process: refuses the imports named in CXR_TESTS_BLOCK."""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder


class _Refusal(MetaPathFinder):
    """Refuses modules and everything below them."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def find_spec(self, name: str, *_: object) -> None:
        """Refuse a module that is named."""
        if name.partition(".")[0] in self._names:
            raise ImportError(f"{name} is blocked in this test")


sys.meta_path.insert(0, _Refusal(os.environ.get("CXR_TESTS_BLOCK", "").split(",")))
