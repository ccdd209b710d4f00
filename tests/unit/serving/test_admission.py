from __future__ import annotations

from contextlib import ExitStack

import pytest

from cxr.serving.admission import Admission
from cxr.serving.limits import Limits
from cxr.serving.problems import RefusedRequest


def enter(admission: Admission, *clients: str) -> int:
    """Let clients in together; return the status of the first that is refused, or 200."""
    with ExitStack() as stack:
        for client in clients:
            try:
                stack.enter_context(admission.admitted(client))
            except RefusedRequest as error:
                return error.problem.status
    return 200


def test_places_are_given_back_whatever_happens_in_them():
    admission = Admission(Limits(parallel=2, parallel_per_client=1))
    for _ in range(3):
        assert enter(admission, "a", "b") == 200
        assert enter(admission, "a", "b", "c") == 503
        assert enter(admission, "a", "a") == 429
        with pytest.raises(ZeroDivisionError), admission.admitted("a"):
            _ = 1 / 0
    assert enter(Admission(Limits(parallel=3)), "a", "a", "a") == 200


def test_clients_that_went_away_are_forgotten():
    admission = Admission(Limits())
    enter(admission, *map(str, range(10)))
    assert admission._under_way == {}
