"""A comparison of environments in words."""

from __future__ import annotations

from typing import Any

import pytest

from cxr.compare.environment_report import EnvironmentDifference, EnvironmentReport
from cxr.determinism.levels import Level
from cxr.reports.environment_text import (
    describe_difference,
    describe_limits,
    describe_values,
    describe_verdict,
    list_remedies,
    list_rows,
    name_fields,
)


def differ(field: str, affects: Any = "yes", do: str = "uv sync") -> EnvironmentDifference:
    return EnvironmentDifference(field=field, expected="1", found=None, affects_bits=affects, do=do)


def report(*differences: EnvironmentDifference, **changes: Any) -> EnvironmentReport:
    given = {"against": "run", "level": Level.STRICT, "ignored": 0, "unread": [], **changes}
    verdict = "differs" if differences else "verified"
    return EnvironmentReport(verdict=verdict, differences=list(differences), **given)


def test_the_verdict_counts_by_what_affects_bits():
    assert describe_verdict(report()) == "verified: this environment is as in the run, at strict"
    assert describe_verdict(report(differ("a.b"))) == (
        "differs from the run at strict: 1 difference (bits: 1 yes)"
    )
    many = report(differ("a"), differ("b", "unknown"), differ("c", "no"), differ("d", "no"))
    assert describe_verdict(many) == (
        "differs from the run at strict: 4 differences (bits: 1 yes, 1 unknown, 2 no)"
    )


def test_what_the_verdict_does_not_cover_is_said():
    assert describe_limits(report()) == []
    assert describe_limits(report(ignored=1, unread=["gpu", "cpu.model"])) == [
        "ignored, as asked for: 1 difference",
        "not compared, the run does not tell: gpu, cpu.model",
    ]


@pytest.mark.parametrize(
    ("expected", "found", "shown"),
    [
        ("2.9", None, ("2.9", "-")),
        (True, 3, ("true", "3")),
        (["avx2", "fma"], ["fma"], ("only avx2", "nothing more")),
        (["avx2"], ["amx", "avx2", "bf16"], ("nothing more", "only amx, bf16")),
        ([{"a": 1}], [], ('only {"a": 1}', "nothing more")),
        ({"x": "1", "y": "2"}, {"x": "1", "y": "3", "z": None}, ("y 2, z -", "y 3, z -")),
        ([], "not_read", ("none", "not_read")),
    ],
)
def test_of_long_values_only_what_differs_is_shown(
    expected: Any, found: Any, shown: tuple[str, str]
):
    assert describe_values(expected, found) == shown


def test_one_remedy_is_said_once_and_sentences_are_folded():
    command = f"uv pip install {'x' * 80}"
    sentence = (
        "no command: other processor: strict gives no promise here; determinism: portable does"
    )
    found = report(
        *(differ(f"packages.{name}") for name in "abcde"),
        differ("cpu.model", do=sentence),
        differ("packages.x", do=command),
    )
    lines = list_remedies(found)
    assert lines[:2] == ["uv sync", "  for packages.a, packages.b, packages.c and 2 more"]
    assert " ".join(lines[2:4]) == sentence
    assert lines[-2:] == [command, "  for packages.x"]
    assert name_fields(["a"]) == "a"


def test_rows_and_lines():
    one = differ("packages.a", "no")
    assert list_rows(report(one)) == [["packages.a", "1", "-", "no"]]
    assert describe_difference(one) == "packages.a: expected 1, found -; uv sync"
