"""The error tree and the exit codes: everything a user may see go wrong has a class here."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Final

from cxr.plain_text import show_plainly

_NEXT_PLACE: Final = "\n         "


class ExitCode(IntEnum):
    """Exit codes of every command; scripts may rely on them."""

    OK = 0
    """Done, identical, equivalent within the tolerance asked for, or verified."""
    DIFFERS = 1
    """Checked, and it differs."""
    USAGE = 2
    """The command line or the config is wrong."""
    UNCHECKED = 3
    """Could not check: missing, unreadable, unreachable or incomplete."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or a termination signal."""


IMPORT_FAULTS: Final = (ImportError, OSError, RuntimeError, AttributeError, SyntaxError)
"""How the import of a library fails that is missing, damaged, or does not fit another one."""


class CxrError(Exception):
    """What a user is told when something cannot go on: three short lines.

    Args:
        problem: What is wrong, in one line.
        where: The file, line, key or step it is wrong at.
        hint: What to do about it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.UNCHECKED

    def __init__(self, problem: str, *, where: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """Return the three lines; only ``where`` may go on, one line a place."""
        places = _NEXT_PLACE.join(show_plainly(place) for place in self.where.split(_NEXT_PLACE))
        problem, hint = show_plainly(self.problem), show_plainly(self.hint)
        return f"{problem}\n  where: {places}\n  do:    {hint}"


class UsageError(CxrError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class ConfigError(CxrError):
    """A config is missing, is not YAML, or holds fields that are refused."""

    exit_code = ExitCode.USAGE


class RunDirectoryError(CxrError):
    """A run directory exists where none may, or is none where one must be."""


class RunDirectoryTakenError(RunDirectoryError):
    """A new run was to be written where something already is."""

    exit_code = ExitCode.USAGE


class RecordError(CxrError):
    """A record (manifest, ledger, lock, predictions) is missing or not readable."""


class DataError(CxrError):
    """The images or labels cannot be used as they are."""


class PreprocessingError(CxrError):
    """Images become other tensors here than those that a model was trained on."""

    exit_code = ExitCode.DIFFERS


class WeightsError(CxrError):
    """Weights are missing, unreachable, or not the ones that the config names."""


class HubError(CxrError):
    """A model hub cannot be reached, or does not answer as one."""


class ReleaseDiffersError(CxrError):
    """A hub holds something else than what would be published there."""

    exit_code = ExitCode.DIFFERS


class DeterminismError(CxrError):
    """A switch did not take, or something cannot be done deterministically."""


class InstallationError(CxrError):
    """A library that cxr needs is missing here, or cannot be loaded."""


class StorageError(CxrError):
    """A file could not be written: the disk is full, read-only or gone."""


class TrainingError(CxrError):
    """Training cannot go on, for instance because the loss is not a number."""


class Interrupted(CxrError):  # noqa: N818 - it is a request, not a fault
    """The user asked to stop; the records are complete up to that step."""

    exit_code = ExitCode.INTERRUPTED
