from __future__ import annotations

import os
import subprocess
import sys

import pytest

COUNT = "import torch; from cxr.determinism.openmp import count_team_threads as c; print(c(2))"


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
