"""Faults that end the process with SIGKILL, or its disk, in the middle of writing a file.

``NAME`` is a file of the run directory; ``NAME*3`` means the third time that it is written. A file
that is written atomically is known by its temporary name.
"""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Self


def killed_opening(value: str) -> None:
    """The process is killed as it begins to write the file ``value``: nothing of it is there."""
    _at_event("open", value, _die)


def killed_renaming(value: str) -> None:
    """The process is killed when the file ``value`` is whole and has not taken its name yet."""
    _at_event("os.rename", value, _die)


def killed_inside(value: str) -> None:
    """The process is killed when half of what is written to the file ``value`` is there."""
    name, number = _parse(value)
    original, writes = Path.open, itertools.count(1)

    class HalfWriter:
        """A stream that gives up in the middle of one write."""

        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __getattr__(self, attribute: str) -> Any:
            return getattr(self._stream, attribute)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._stream.close()

        def write(self, content: Any) -> Any:
            if next(writes) != number:
                return self._stream.write(content)
            self._stream.write(content[: len(content) // 2])
            self._stream.flush()
            _die()

    def open_file(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        stream = original(path, mode, *arguments, **options)
        writes_it = _is_temporary_of(path, name) or path.name == name
        return HalfWriter(stream) if writes_it and mode != "rb" else stream

    Path.open = open_file  # type: ignore[method-assign]


def killed_predicting(_: str) -> None:
    """The process is killed when it has predicted a part of the final split."""
    from cxr.training import recorded_run

    class Progress:
        def advance(self, *_: object) -> None:
            _die()

    original = recorded_run.predict_split
    recorded_run.predict_split = lambda *arguments, **_: original(*arguments, progress=Progress())


def no_space(value: str) -> None:
    """The disk is full when the file ``value`` is to be written."""

    def refuse() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    _at_event("open", value, refuse)


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives that")


def _at_event(event: str, value: str, act: Callable[[], None]) -> None:
    """Act when a file's temporary name is opened or renamed for the n-th time."""
    name, number = _parse(value)
    times = itertools.count(1)

    def hook(what: str, arguments: tuple[Any, ...]) -> None:
        fits = what == event and _is_temporary_of(Path(str(arguments[0])), name)
        if fits and next(times) == number:
            act()

    sys.addaudithook(hook)


def _parse(value: str) -> tuple[str, int]:
    name, _, number = value.partition("*")
    return name, int(number or 1)


def _is_temporary_of(path: Path, name: str) -> bool:
    return path.name.startswith(f".{name}.") and path.name.endswith(".tmp")


FAULTS = {
    "killed-opening": killed_opening,
    "killed-renaming": killed_renaming,
    "killed-inside": killed_inside,
    "killed-predicting": killed_predicting,
    "no-space": no_space,
}
