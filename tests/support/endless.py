"""Files that never end, and a block of a test that must end all the same."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NoReturn

_PATIENCE_S: Final = 20
_SPARE_BYTES: Final = 2**30


def put_pipe(path: Path) -> None:
    """Put a pipe without a writer in the place of a file."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def put_zeros(path: Path) -> None:
    """Put a link to zeros without an end in the place of a file."""
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


ENDLESS: Final[tuple[Callable[[Path], None], ...]] = (put_pipe, put_zeros)


@contextlib.contextmanager
def must_end() -> Iterator[None]:
    """Fail where the block waits, or reads without an end, instead of doing so for ever."""

    def give_up(*_: object) -> NoReturn:
        raise AssertionError("it waits for what never comes")

    before = signal.signal(signal.SIGALRM, give_up)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    signal.alarm(_PATIENCE_S)
    try:
        with contextlib.suppress(FileNotFoundError):  # another system than Linux
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + _SPARE_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)
