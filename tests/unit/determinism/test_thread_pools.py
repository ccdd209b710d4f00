from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cxr.determinism import thread_pools

COUNT = (
    "import torch; from cxr.determinism.thread_pools import count_team_threads as c; print(c(2))"
)


@pytest.mark.parametrize(
    ("variables", "team"),
    [
        ({}, 2),
        ({"OMP_THREAD_LIMIT": "1"}, 1),
        ({"OMP_MAX_ACTIVE_LEVELS": "0"}, 1),
        ({"OMP_THREAD_LIMIT": "7"}, 2),
    ],
)
def test_a_limit_that_torch_does_not_report_is_found(variables, team):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
    counted = subprocess.run(
        [sys.executable, "-c", COUNT], env={**kept, **variables}, capture_output=True, check=True
    )
    assert int(counted.stdout) == team


def test_the_pool_that_has_another_number_is_found(monkeypatch):
    pools = [{"num_threads": 2}, {"num_threads": 2}]
    monkeypatch.setattr(thread_pools.threadpoolctl, "threadpool_info", lambda: pools)
    assert thread_pools.count_pool_threads(2) == 2
    pools.append({"num_threads": 16})
    assert thread_pools.count_pool_threads(2) == 16
    pools.clear()
    assert thread_pools.count_pool_threads(2) == 2
