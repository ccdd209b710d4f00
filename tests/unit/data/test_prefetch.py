from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cxr.data import prefetch as prefetch_module
from cxr.data.prefetch import prefetch


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_results_come_in_order_whoever_prepares_them(workers):
    assert list(prefetch(lambda job: job * job, range(50), workers=workers)) == [
        job * job for job in range(50)
    ]


def test_results_come_in_order_when_later_ones_are_ready_first():
    second_is_done = threading.Event()

    def prepare(job):
        if job == 0:
            assert second_is_done.wait(timeout=60)
        if job == 1:
            second_is_done.set()
        return job

    assert list(prefetch(prepare, range(4), workers=2)) == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_where_its_result_would_have(workers):
    def prepare(job):
        if job == 3:
            raise KeyError(job)
        return job

    results = prefetch(prepare, range(10), workers=workers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="3"):
        next(results)


@pytest.mark.parametrize("workers", [1, 3])
def test_only_so_many_results_are_prepared_ahead(workers):
    asked = []

    def jobs():
        for job in range(100):
            asked.append(job)
            yield job

    results = prefetch(lambda job: job, jobs(), workers=workers)
    for taken in range(1, 20):
        next(results)
        assert len(asked) <= taken + 2 * workers
    results.close()


def test_nothing_is_prepared_before_it_is_asked_for_without_workers():
    prepared = []
    results = prefetch(lambda job: prepared.append(job) or job, range(10), workers=0)
    assert prepared == []
    assert next(results) == 0
    assert prepared == [0]


@pytest.mark.parametrize("workers", [1, 4])
def test_threads_are_gone_when_the_results_are_no_longer_wanted(workers):
    def count_threads():
        return sum(thread.name.startswith("cxr-ahead") for thread in threading.enumerate())

    results = prefetch(lambda job: job, range(100), workers=workers)
    next(results)
    assert count_threads() > 0
    results.close()
    assert count_threads() == 0


def test_what_waits_is_not_prepared_when_the_results_are_no_longer_wanted(monkeypatch):
    closing, prepared = threading.Event(), []

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait=True, *, cancel_futures=False):  # noqa: FBT002 - as inherited
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            closing.set()
            super().shutdown(wait=wait)

    def prepare(job):
        prepared.append(job)
        if job == 1:
            assert closing.wait(timeout=60)

    monkeypatch.setattr(prefetch_module, "ThreadPoolExecutor", Pool)
    results = prefetch(prepare, range(100), workers=1)
    next(results)
    results.close()
    assert prepared in ([0], [0, 1])


@pytest.mark.parametrize("workers", [0, 2])
def test_no_jobs_give_no_results(workers):
    assert list(prefetch(lambda job: job, [], workers=workers)) == []


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("at_once", [1, 2, 7, 1000])
def test_jobs_that_are_handed_over_together_stay_in_order(workers, at_once):
    results = prefetch(lambda job: job * job, range(50), workers=workers, at_once=at_once)
    assert list(results) == [job * job for job in range(50)]


def test_only_so_many_that_are_handed_over_together_are_prepared_ahead():
    asked = []

    def jobs():
        for job in range(1000):
            asked.append(job)
            yield job

    results = prefetch(lambda job: job, jobs(), workers=2, at_once=5)
    for taken in range(1, 100):
        next(results)
        assert len(asked) <= taken + 5 * (2 * 2 + 2)
    results.close()
    assert not any(thread.name.startswith("cxr-ahead") for thread in threading.enumerate())
