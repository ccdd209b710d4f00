"""The console entry: prepares the process, runs a command, puts errors into three lines."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, Final, TextIO

from cxr.determinism.variables import reexecute_prepared
from cxr.errors import CxrError, ExitCode
from cxr.interruption import (
    describe_stop,
    has_signal,
    ignore_signals,
    name_command,
    obey,
    take_signals,
)

_NEEDS_NO_PREPARATION: Final = ("--help", "-h", "--version")
_STANDARD_STREAMS: Final = (0, 1, 2)


def main() -> None:
    """Run ``cxr`` with the process's arguments and exit with its code."""
    take_signals()
    _open_closed_streams()
    if _needs_preparation():
        reexecute_prepared(sys.orig_argv)
    sys.stderr = _open_stderr()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A letter that the terminal's encoding lacks is no reason to stop.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from cxr.cli.app import app

        code = app(standalone_mode=False)
        sys.stdout.flush()
        # Also where typer turned the second signal's KeyboardInterrupt into a code without a word.
        obey(name_command())
    except CxrError as error:
        code = _complain(str(error), error.exit_code)
    except (BrokenPipeError, SystemExit) as gone:
        # The reader of a pipe went away; nothing more can be said to it. typer would exit for it,
        # with the code that says that something differs.
        cause = gone.__context__ if isinstance(gone, SystemExit) else gone
        if not isinstance(cause, BrokenPipeError):
            raise
        _drop(sys.stdout)
        code = ExitCode.UNCHECKED
    except OSError as error:
        _drop(sys.stdout)
        code = _complain(
            f"{error.strerror or error}\n  where: {error.filename or 'standard output'}\n"
            "  do:    free space or check the path, then try again",
            ExitCode.UNCHECKED,
        )
    except Exception as error:  # noqa: BLE001 - the one place that catches everything
        code = _handle_unexpected(error)
    ignore_signals()
    sys.stderr.flush()
    sys.exit(int(code or 0))


def _needs_preparation() -> bool:
    """Say whether the variables that cxr decides about have to be set for this command.

    Another program that ``cxr run`` starts gets the variables as they are.
    """
    asks_only = any(option in sys.argv for option in _NEEDS_NO_PREPARATION)
    return len(sys.argv) > 1 and sys.argv[1] != "run" and not asks_only


def _open_closed_streams() -> None:
    """Open the null device in place of a standard stream that the caller closed.

    Otherwise the first file that is opened takes its number, and gets what is printed.
    """
    for number in _STANDARD_STREAMS:
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one, as those below it are open.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003
    # Whatever takes their place later, the numbers stay taken.
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


class _Unheard(io.FileIO):
    """A file that loses what cannot be written."""

    def write(self, content: Any, /) -> int:
        """Write what can be written; the rest counts as written."""
        try:
            written = super().write(content)
        except OSError:
            written = None
        return len(content) if written is None else written


def _open_stderr() -> TextIO:
    """Return a stream on stderr that never fails.

    What stands there is progress, notes and errors, never a result: a training does not end because
    nobody reads how it goes on.
    """
    raw = io.BufferedWriter(_Unheard(sys.stderr.fileno(), "w", closefd=False))
    encoding = sys.stderr.encoding
    return io.TextIOWrapper(raw, encoding, errors="backslashreplace", line_buffering=True)


def _drop(stream: TextIO) -> None:
    """Send what is left in a stream's buffer nowhere, so that nothing fails once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _complain(text: str, code: ExitCode) -> ExitCode:
    """Print an error on stderr."""
    ignore_signals()
    print(f"error: {text}", file=sys.stderr)  # noqa: T201 - the last place that can print
    return code


def _handle_unexpected(error: Exception) -> int:
    """Explain a usage error as click words it, and own up to anything else."""
    import typer

    if has_signal():
        # Somebody made something else of the second signal's KeyboardInterrupt.
        return _complain(str(describe_stop(name_command())), ExitCode.INTERRUPTED)
    if isinstance(error, typer.Exit):
        return error.exit_code
    # typer brings click under a name of its own, so its usage errors are known by their shape.
    explain = getattr(error, "format_message", None)
    if type(error).__name__ == "NoArgsIsHelpError" and explain is not None:
        print(explain())  # noqa: T201 - the help that was asked for by asking for nothing
        return ExitCode.USAGE
    if explain is not None:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "cxr"
        text = f"{explain()}\n  where: {command}\n  do:    {command} --help"
        return _complain(text, ExitCode.USAGE)
    if os.environ.get("CXR_TRACEBACK"):
        raise error
    summary = " ".join(str(error).split())[:300]
    return _complain(
        f"this is a bug in cxr: {type(error).__name__}: {summary}\n"
        f"  where: {' '.join(sys.argv[:2])}\n"
        "  do:    set CXR_TRACEBACK=1, run it again, and report what it prints",
        ExitCode.UNCHECKED,
    )


if __name__ == "__main__":
    main()
