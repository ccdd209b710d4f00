"""Working ahead on threads: nothing is forked, and order never depends on them.

Each job is a function of its own argument alone, so any number of workers gives the same results in
the same order. Threads suffice because reading, hashing, decoding and NumPy's copying let go of the
interpreter; see ``docs/adr/0002-threads-prepare-batches.md``. Few jobs wait at a time: neither
memory nor an interrupt has to wait for a whole data set.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Final, TypeVar

from cxr.environment.processor import count_cores

_AHEAD_PER_WORKER: Final = 2


Job = TypeVar("Job")
Result = TypeVar("Result")


def count_workers() -> int:
    """Return how many threads are worth starting: one for each core that may be used."""
    return count_cores() or 1


def prefetch(
    prepare: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int, at_once: int = 1
) -> Generator[Result, None, None]:
    """Yield ``prepare(job)`` of each job, in order; closing it waits for the threads.

    Args:
        prepare: A function of its argument alone.
        jobs: Its arguments.
        workers: Threads that work ahead; 0 prepares each one when it is asked for. At most
            two results a worker wait in memory.
        at_once: Jobs that are handed to a thread in one go, and results that it hands back: handing
            over costs some 50 microseconds, which is more than a small job takes. Their number
            multiplies what waits.
    """
    if workers == 0:
        yield from map(prepare, jobs)
    elif at_once == 1:
        yield from _prefetch_singly(prepare, jobs, workers)
    else:
        remaining = iter(jobs)
        batches = iter(lambda: list(islice(remaining, at_once)), [])
        done = _prefetch_singly(lambda batch: [prepare(job) for job in batch], batches, workers)
        with closing(done):
            for batch in done:
                yield from batch


def _prefetch_singly(
    prepare: Callable[[Job], Result], jobs: Iterable[Job], workers: int
) -> Generator[Result, None, None]:
    """Yield the result of each job, each handed to a thread by itself."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cxr-ahead")
    waiting: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(prepare, job))
            if len(waiting) > workers * _AHEAD_PER_WORKER:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
