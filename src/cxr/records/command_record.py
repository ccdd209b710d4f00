"""The record of a command that somebody ran: what it was given, and what it left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cxr.digests.canonical import digest_json
from cxr.environment.checkout import Checkout
from cxr.environment.facts import Capture
from cxr.records.foreign_record import ForeignRecord
from cxr.records.manifest import COMMAND_SCHEMA, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedFile:
    """A file as it was: its size in bytes and its SHA-256."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A command as a record names it.

    Attributes:
        arguments: The words of it, the program first; private ones replaced.
        program: ``name`` of the program, and ``digest`` of its file.
    """

    arguments: Sequence[str]
    program: Mapping[str, str | None]


Files = Mapping[str, HashedFile]
"""Files by their POSIX path below the working directory."""


@dataclass(kw_only=True)
class CommandRecord(ForeignRecord):
    """The manifest of a command while it runs."""

    def begin(
        self,
        *,
        name: str,
        command: CommandLine,
        declared: Mapping[str, Sequence[str]],
        inputs: Files,
        environment: Capture,
        checkout: Checkout,
    ) -> None:
        """Write a manifest whose status is ``running``, and the inputs.

        Args:
            name: Of the record.
            command: What is run.
            declared: The globs of ``in`` and ``out``.
            inputs: The files that the command is given.
            environment: Of this process.
            checkout: The code in the working directory.

        Raises:
            StorageError: They cannot be written.
        """
        arguments, program = list(command.arguments), dict(command.program)
        given = describe_files(inputs)
        self.open_with_inputs(
            {
                "schema": COMMAND_SCHEMA,
                "name": name,
                "command": {"arguments": arguments, "program": program},
                "declared": {key: list(globs) for key, globs in declared.items()},
                "inputs": given,
            },
            {
                "command_digest": digest_json([arguments, program]),
                "inputs_digest": digest_json(given),
            },
            environment=environment,
            checkout=checkout,
        )

    def end(self, *, exit_status: int, before: Files, after: Files) -> Manifest:
        """Seal the manifest of a command that ended by itself.

        Args:
            exit_status: Its own; negative where a signal ended it. Only with 0 it completed.
            before: What it declared to write, as it was before.
            after: The same files, as they are now.

        Raises:
            StorageError: It cannot be written.
        """
        outcome = {
            "exit_status": exit_status,
            "outputs_digest": digest_json(describe_files(after)),
        }
        self.manifest |= {
            "outputs": describe_files(after),
            "outputs_before": describe_files(before),
            "outcome": outcome,
            "outcome_digest": digest_json(outcome),
        }
        return self.seal("failed" if exit_status else "completed")

    def stop(self, status: str, error: BaseException, *, exit_status: int | None) -> Manifest:
        """Seal the manifest of a command of which no outcome can be told.

        Args:
            status: ``failed`` or ``interrupted``.
            error: Why.
            exit_status: Its own; None where it never ran.

        Raises:
            StorageError: It cannot be written.
        """
        self.note_failure(error)
        self.manifest["exit_status"] = exit_status
        return self.seal(status)


def describe_files(files: Files) -> dict[str, Any]:
    """Return files as values that JSON can hold."""
    return {path: asdict(file) for path, file in sorted(files.items())}
