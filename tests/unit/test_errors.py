from __future__ import annotations

import pytest

from cxr import errors
from cxr.errors import CxrError, ExitCode

EXIT_CODES = {
    "CxrError": 3,
    "UsageError": 2,
    "ConfigError": 2,
    "RunDirectoryError": 3,
    "RunDirectoryTakenError": 2,
    "RecordError": 3,
    "DataError": 3,
    "WeightsError": 3,
    "PreprocessingError": 1,
    "HubError": 3,
    "ReleaseDiffersError": 1,
    "DeterminismError": 3,
    "InstallationError": 3,
    "StorageError": 3,
    "TrainingError": 3,
    "Interrupted": 130,
}


def test_every_error_has_its_exit_code():
    found = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, CxrError)
    }
    assert found == EXIT_CODES


def test_exit_codes_are_those_that_scripts_rely_on():
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "DIFFERS": 1,
        "USAGE": 2,
        "UNCHECKED": 3,
        "INTERRUPTED": 130,
    }


def test_an_error_is_three_lines():
    error = CxrError("the disk is full", where="a/file", hint="free space")
    assert str(error) == "the disk is full\n  where: a/file\n  do:    free space"


@pytest.mark.parametrize("missing", ["where", "hint"])
def test_an_error_without_a_place_or_a_hint_cannot_be_made(missing):
    given = {"where": "a/file", "hint": "free space"}
    del given[missing]
    with pytest.raises(TypeError, match=missing):
        CxrError("the disk is full", **given)


def test_what_a_terminal_or_a_log_would_obey_is_escaped():
    error = CxrError("a\nb\x1b[31m", where="c\n::error::d\n         e", hint="f\rg")
    assert str(error).splitlines() == [
        "a\\nb\\x1b[31m",
        "  where: c\\n::error::d",
        "         e",
        "  do:    f\\rg",
    ]
