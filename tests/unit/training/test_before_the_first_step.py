from __future__ import annotations

from types import SimpleNamespace

import pytest

from cxr.errors import DataError, StorageError
from cxr.progress import SILENCE
from cxr.training import recorded_run as training


@pytest.mark.parametrize(
    "error",
    [
        DataError("cannot go on", where="here", hint="x"),
        StorageError("cannot go on", where="here", hint="x"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("stage", ["build_learner", "capture_environment"])
def test_what_ends_before_the_first_step_leaves_no_directory(monkeypatch, tmp_path, stage, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(training, "build_learner", lambda _: None)
    monkeypatch.setattr(training, stage, fail)
    prepared = SimpleNamespace(config=None, recipe=None)
    with pytest.raises(type(error)):
        training.run_prepared(prepared, out=tmp_path / "run", progress=SILENCE)
    assert not (tmp_path / "run").exists()
