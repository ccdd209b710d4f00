"""A case is caught by what must be found and nothing else; what ends it is a finding or a stop."""

from __future__ import annotations

from typing import Any

import pytest

from cxr.errors import CxrError, DataError, DeterminismError, Interrupted, StorageError
from cxr.selftest import run
from cxr.selftest.bench import Bench, Found
from cxr.selftest.cases import Case

EXPECTED: Found = {"verdict": "different", "step": 4, "part": "gradients", "tensor": "w"}


class FakeBench(Bench):
    """A bench that trains nothing."""

    def sound(self, recipe: str) -> Any:
        return self.directory / recipe


@pytest.fixture(autouse=True)
def _train_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "Bench", FakeBench)


class Told:
    """Remembers how far it was told that things are."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int, int]] = []

    def advance(self, what: str, done: int, total: int) -> None:
        self.heard.append((what, done, total))

    def note(self, text: str) -> None:
        raise AssertionError(text)


def run_one(look: Any) -> dict[str, Any]:
    record = run.run_selftest(Told(), [Case("one", "planted", EXPECTED, look)])
    (case,) = record["cases"]
    assert record["verdict"] == ("all-caught" if case["caught"] else "not-all-caught")
    return case


@pytest.mark.parametrize(
    ("changes", "caught"),
    [
        ({}, True),
        ({"more": 1}, True),
        ({"step": 5}, False),
        ({"part": "loss"}, False),
        ({"tensor": None}, False),
        ({"verdict": "identical"}, False),
    ],
)
def test_only_the_expected_place_counts(changes: dict[str, Any], caught: bool):  # noqa: FBT001
    found = {**EXPECTED, **changes}
    assert run_one(lambda _: found) == {
        "name": "one",
        "planted": "planted",
        "expected": EXPECTED,
        "found": found,
        "caught": caught,
    }


def test_what_was_not_looked_for_is_not_found():
    assert not run_one(lambda _: {"verdict": "different"})["caught"]


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (DataError("no such image", where="there", hint="restore it"), "no such image"),
        (
            DataError("cannot read /home/somebody/a", where="there", hint="restore it"),
            "cannot read a path outside the run",
        ),
        (DeterminismError("other bits", where="step 0", hint="replace it"), "other bits"),
        (RuntimeError("torch, in its own words, on /home/somebody"), "RuntimeError"),
    ],
)
def test_an_error_is_a_finding(error: Exception, problem: str):
    def fail(_: Bench) -> Found:
        raise error

    case = run_one(fail)
    assert (case["caught"], case["found"]) == (False, {"verdict": "error", "problem": problem})


@pytest.mark.parametrize("kind", [Interrupted, StorageError])
def test_what_is_no_finding_stops_everything_and_leaves_nothing(
    kind: type[CxrError], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(run.tempfile, "tempdir", str(tmp_path))
    seen = []

    def fail(bench: Bench) -> Found:
        seen.append(bench.directory)
        raise kind("planted", where="there", hint="go on with cxr train --resume")

    with pytest.raises(kind, match="planted") as caught:
        run_one(fail)
    assert "--resume" not in caught.value.hint
    assert seen[0].parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_written_is_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(run.tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(StorageError, match="no temporary directory") as caught:
        run_one(lambda _: EXPECTED)
    assert "TMPDIR" in caught.value.hint


def test_progress_begins_before_the_first_run_and_ends_with_the_last_case():
    told = Told()
    run.run_selftest(told, [Case(name, "", {}, lambda _: {}) for name in "ab"])
    assert told.heard == [("self-test", number, 2) for number in range(3)]
