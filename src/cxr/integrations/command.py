"""Running any command, and recording what it was given and what it left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cxr.config.record_name import require_record_name
from cxr.digests.canonical import digest_json
from cxr.environment.capture import capture_environment
from cxr.environment.checkout import Checkout, capture_checkout
from cxr.errors import CxrError, Interrupted, RecordError, UsageError
from cxr.integrations.command_line import describe_command
from cxr.integrations.declared_files import find_files, find_named_files, hash_files
from cxr.interruption import has_signal, held, pass_on
from cxr.records.command_record import CommandRecord, HashedFile
from cxr.records.free_place import create_directory, create_named, require_free, require_writable
from cxr.records.manifest import Manifest
from cxr.records.run_directory import RUNS, hold_lock, name_run

_OPTION: Final = "--record"
"""Which one names the record: --out stands for the files that a command writes."""

_STDERR: Final = 2
_SIGNAL_BASE: Final = 128
"""Added to a signal's number where one ended a program. Source: POSIX.1-2017, shell, 2.8.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCommand:
    """A command that was run: its record, and the exit code that stands for its end."""

    directory: Path
    manifest: Manifest
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A command and its globs, in the directory where it runs."""

    arguments: Sequence[str]
    inputs: Sequence[str]
    outputs: Sequence[str]
    directory: Path

    def hash_inputs(self, record: Path | None) -> dict[str, HashedFile]:
        """Hash what the command is given: what is declared, and files that its words name."""
        named = find_named_files(self.arguments, self.directory)
        declared = find_files(self.inputs, self.directory, besides=record)
        # What it may write is no input of it.
        names = (named | declared) - find_files(self.outputs, self.directory, besides=record)
        return hash_files(names, self.directory)

    def capture_code(self) -> Checkout:
        """Read commit and patch; what the command may write is no code of it."""
        return capture_checkout(self.directory, besides=self.outputs)

    def hash_outputs(self, record: Path | None) -> dict[str, HashedFile]:
        """Hash what the command declares to write, as far as it is there."""
        return hash_files(find_files(self.outputs, self.directory, besides=record), self.directory)


def record_command(
    arguments: Sequence[str],
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    name: str = "command",
    out: Path | None = None,
    stdout_to_stderr: bool = False,
) -> RecordedCommand:
    """Run a command in the working directory, without a shell, and leave its record.

    Its standard streams and its variables are this process's own. A signal that comes here is
    passed on to it.

    Args:
        arguments: The program and its arguments.
        inputs: Globs of files that it reads, which must not change while it runs.
        outputs: Globs of files that it writes; each must match something in the end.
        name: Of the record.
        out: The record's directory; by default one below ``runs/``.
        stdout_to_stderr: Whether its stdout goes to stderr.

    Raises:
        UsageError: There is no such program; ``name`` is none; a glob leads out of the working
            directory, or one of ``inputs`` matches nothing.
        RecordError: An input or the code changed, or an output is missing; the record says so.
        Interrupted: A signal came; the record says so.
    """
    require_record_name(name, where="--name")
    job = _Job(arguments=arguments, inputs=inputs, outputs=outputs, directory=Path.cwd())
    if out is not None:
        require_free(out, what="record", option=_OPTION)
    require_writable(out or RUNS, option=_OPTION)
    command = describe_command(arguments, job.directory)
    _require_matches(inputs, job.directory)
    given, before = job.hash_inputs(None), job.hash_outputs(None)
    environment, checkout = capture_environment(), job.capture_code()
    if out is None:
        digest = digest_json(list(command.arguments))
        out = create_named(name_run(name, digest, datetime.now(UTC)), option=_OPTION)
    else:
        create_directory(out, what="record", option=_OPTION)
    record = CommandRecord(directory=out)
    with held(), hold_lock(out, option=_OPTION):
        record.begin(
            name=name,
            command=command,
            declared={"in": inputs, "out": outputs},
            inputs=given,
            environment=environment,
            checkout=checkout,
        )
        exit_status = None
        try:
            exit_status = _run(arguments, stdout_to_stderr=stdout_to_stderr)
            if has_signal():
                raise Interrupted(
                    "the command was interrupted",
                    where=" ".join(command.arguments[:2]),
                    hint="run it again, into another record",
                )
            _require_unchanged(given, job.hash_inputs(out))
            _require_same_code(checkout, job.capture_code())
            if exit_status == 0:
                _require_outputs(outputs, job.directory, out)
            manifest = record.end(
                exit_status=exit_status, before=before, after=job.hash_outputs(out)
            )
        except CxrError as error:
            status = "interrupted" if isinstance(error, Interrupted) else "failed"
            record.stop(status, error, exit_status=exit_status)
            raise
    code = exit_status if exit_status >= 0 else _SIGNAL_BASE - exit_status
    return RecordedCommand(directory=out, manifest=manifest, exit_code=code)


def _run(arguments: Sequence[str], *, stdout_to_stderr: bool) -> int:
    """Run a program to its end; return its exit status, negative where a signal ended it.

    At a terminal it stays in this process's group, so that it can be used from there; then Ctrl-C
    reaches it from the terminal, and only a second one is passed on. Elsewhere it has a group of
    its own, to which each signal is passed on.

    Raises:
        UsageError: The system cannot run it.
    """
    at_terminal = any(map(os.isatty, range(_STDERR + 1)))
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command, and no shell
            list(arguments),
            stdout=_STDERR if stdout_to_stderr else None,
            process_group=None if at_terminal else 0,
        )
    except OSError as error:
        raise UsageError(
            f"the program cannot be started: {error.strerror or error}",
            where="cxr run",
            hint="check that it is a program of this machine; a script needs a first line with #!",
        ) from error
    told = at_terminal

    def send(number: int) -> None:
        nonlocal told
        if number == signal.SIGINT and told:
            told = False
            return
        if process.returncode is not None:
            return
        # It may have ended since; what it started may be another user's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if at_terminal:
                process.send_signal(number)
            else:
                os.killpg(process.pid, number)

    pass_on(send)
    try:
        if has_signal():
            # One that came before there was a program to pass it on to.
            send(signal.SIGTERM)
        return process.wait()
    finally:
        pass_on(None)


def _require_matches(patterns: Sequence[str], directory: Path) -> None:
    """Refuse a glob of inputs that matches nothing: it is misspelt."""
    for pattern in patterns:
        if not find_files([pattern], directory, besides=None):
            raise UsageError(
                "no file matches what is declared as input",
                where=pattern,
                hint="check the glob; put it in quotes, so that the shell leaves it alone",
            )


def _require_unchanged(before: dict[str, HashedFile], after: dict[str, HashedFile]) -> None:
    """Refuse an outcome whose inputs are not known: some changed while the command ran."""
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    if changed:
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise RecordError(
            "an input changed while the command ran",
            where=f"{changed[0]}{more}",
            hint="declare with --out what the command writes, and let nobody else write there",
        )


def _require_same_code(before: Checkout, after: Checkout) -> None:
    """Refuse an outcome whose code is not known: it may have been loaded before or after."""
    if before.facts["digest"] != after.facts["digest"]:
        raise RecordError(
            "the code changed while the command ran",
            where="the git checkout of the working directory",
            hint="declare with --out what the command writes, and edit and commit when it is done",
        )


def _require_outputs(patterns: Sequence[str], directory: Path, record: Path) -> None:
    """Refuse the success of a command that did not leave what it was to leave."""
    for pattern in patterns:
        if not find_files([pattern], directory, besides=record):
            raise RecordError(
                "the command left nothing of what is declared as output",
                where=pattern,
                hint="check the glob, and where the command writes",
            )
