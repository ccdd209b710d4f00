"""Runs that nobody trained, for repeating them."""

from __future__ import annotations

import pytest

from cxr.repeat import run as repeat
from cxr.repeat.plan import plan_equal_runs
from cxr.repeat.pool import RunEnd
from cxr.repeat.run import Task
from cxr.repeat.series import Series
from support.fabricated_runs import make_run, plain_samples  # noqa: F401 - fixtures


class Watched:
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def start(self, plan):
        self.told.append(f"{plan.name} begins")

    def end(self, plan, end):
        self.told.append(f"{plan.name} ends with {end.code}")


@pytest.fixture
def pool(monkeypatch, make_run):  # noqa: F811
    """Have runs fabricated in place of being trained.

    What is in the dictionary by a run's number is its exit code and how it is other; None in place
    of that: it leaves nothing. Of runs whose number is in ``not_begun`` none is begun.
    """
    planned = {}

    def fabricate(directory, base, plans, *, watcher, others_matter, **_):
        del base
        for plan in plans:
            number = int(plan.name.partition("-")[2])
            code, changes = planned.get(number, (0, {}))
            if code == "not begun":
                return
            watcher.start(plan)
            if changes is not None:
                make_run(**changes).rename(directory / plan.name)
            end = RunEnd(name=plan.name, code=code, last_words="")
            watcher.end(plan, end)
            if not others_matter(end):
                return

    monkeypatch.setattr(repeat, "run_plans", fabricate)
    return planned


@pytest.fixture
def make_task():
    """Return a series of equal runs to be trained."""

    def make(config, num_runs, **options):
        series = Series(config=config, num_runs=num_runs)
        plans = plan_equal_runs(config, num_runs)
        return Task(series=series, plans=plans, watcher=Watched(), **options)

    return make
