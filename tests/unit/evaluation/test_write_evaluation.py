"""An evaluation lies below its run, so that no option names another place for it."""

from __future__ import annotations

import pytest

from cxr.determinism.levels import Level
from cxr.errors import StorageError
from cxr.evaluation.write_evaluation import write_evaluation


def test_a_place_that_cannot_be_written_is_told_without_an_option_that_nobody_has(tmp_path):
    (tmp_path / "evaluations").touch()
    with pytest.raises(StorageError, match="cannot write: ") as caught:
        write_evaluation(tmp_path / "evaluations", {"split": "test"}, (), [], {}, Level.STRICT)
    assert caught.value.hint == "check the path and its permissions"
