"""Keys that commands sign with: made or read, and the password asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cxr.cli.console import print_note
from cxr.interruption import held

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from cxr.attestation.keys import ExportPrivateKey


def make_run_key(path: Path, *, quiet: bool) -> Ed25519PrivateKey:
    """Make a key that signs runs, and exports too.

    Raises:
        CxrError: It cannot be written, or something stands there.
    """
    from cxr.attestation.keys import ASKED_VARIABLE
    from cxr.attestation.new_key import create_key

    with held():
        key = create_key(path, _read_password(ASKED_VARIABLE))
    _tell_made(path, quiet=quiet)
    return key


def make_export_key(path: Path, *, is_p256: bool, quiet: bool) -> ExportPrivateKey:
    """Make a key that signs exports; one on P-256 signs nothing else.

    Raises:
        CxrError: It cannot be written, or something stands there.
    """
    if not is_p256:
        return make_run_key(path, quiet=quiet)
    from cxr.attestation.keys import ASKED_VARIABLE
    from cxr.attestation.new_key import create_p256_key

    with held():
        key = create_p256_key(path, _read_password(ASKED_VARIABLE))
    _tell_made(path, quiet=quiet)
    return key


def load_run_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key that signs runs, asking for its password where that is needed.

    Raises:
        CxrError: It is none, or cannot be read.
    """
    from cxr.attestation.keys import load_private_key

    found = load_private_key(path, _ask_password)
    _warn_of_others(path)
    return found


def load_export_key(path: Path) -> ExportPrivateKey:
    """Read a private key that signs exports, likewise.

    Raises:
        CxrError: It is none, or cannot be read, or the library that it signs through is missing.
    """
    from cxr.attestation.export_keys import load_export_private_key
    from cxr.attestation.export_signatures import require_library

    found = load_export_private_key(path, _ask_password)
    require_library(found.public_key())
    _warn_of_others(path)
    return found


def _tell_made(path: Path, *, quiet: bool) -> None:
    if not quiet:
        print_note(f"made: the key {path}, and {path}.pub for those who check")


def _warn_of_others(path: Path) -> None:
    from cxr.attestation.keys import is_open_to_others

    if is_open_to_others(path):
        print_note(f"warning: others on this machine may read or change the key: chmod 600 {path}")


def _read_password(variable: str) -> bytes | None:
    """Return the password that stands in a variable of this process, if one does."""
    return os.fsencode(os.environ[variable]) if os.environ.get(variable) else None


def _ask_password(path: Path) -> bytes | None:
    """Return a key's password: of the variable, or else as it is typed; nothing without a terminal.

    There is no option for it: other users of a machine see the command lines of its processes.
    """
    import getpass

    from cxr.attestation.keys import ASKED_VARIABLE

    known = _read_password(ASKED_VARIABLE)
    if known is not None or not sys.stdin.isatty():
        return known
    try:
        return os.fsencode(getpass.getpass(f"password of {path}: ", stream=sys.stderr))
    except EOFError:
        return None
