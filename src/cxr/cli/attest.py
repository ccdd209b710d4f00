"""``cxr attest``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_note
from cxr.errors import UsageError
from cxr.interruption import held
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from cxr.attestation.attest import Attestation


def attest(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="A run directory.", show_default=False)
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The private key, Ed25519 in PEM.")
    ] = None,
    new_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Make a key here, and FILE.pub for those who check."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="By default RUN.attestation.json."),
    ] = None,
    *,
    times: Annotated[
        bool, typer.Option("--times", help="Sign as well when the run began and ended.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Sign what went into a run and what came out: SLSA provenance in a DSSE envelope.

    A password is asked for, or read from the variable CXR_KEY_PASSWORD; a new key is kept under
    that variable's password, if it is set.

    Example: cxr attest runs/sample-20261121T120000Z-0123abcd --key signer.pem
    """
    _require_sense(run, key, new_key, out)
    from cxr.attestation.attest import prepare_statement
    from cxr.attestation.keys import derive_keyid, require_cryptography

    require_cryptography()
    # A run that cannot be signed leaves no new key behind; one that is there is read first.
    private = load_signing_key(key) if key is not None else None
    unsigned = None
    if run is not None:
        unsigned = prepare_statement(run, out=out, with_times=times)
    if private is None:
        if unsigned is not None:
            unsigned.require_free()
        private = _make_key(new_key)
    keyid = derive_keyid(private.public_key())
    if new_key is not None and not quiet:
        print_note(f"made: the key {new_key}, and {new_key}.pub for those who check")
    found: Attestation | None = None
    if unsigned is not None:
        with held():
            found = unsigned.sign(private)
    if json:
        print_json(
            {
                "run": str(run) if run is not None else None,
                "verdict": "attested" if found else "key made",
                "attestation": str(found.path) if found else None,
                "keyid": keyid,
                "public_key": f"{new_key}.pub" if new_key is not None else None,
                "subjects": found.num_subjects if found else 0,
                "statement_digest": found.statement_digest if found else None,
            }
        )
    elif not quiet:
        if found:
            print_line(f"attested: {found.num_subjects} files, in {show_plainly(str(found.path))}")
        print_line(f"key  {keyid}")


def _require_sense(
    run: Path | None, key: Path | None, new_key: Path | None, out: Path | None
) -> None:
    """Refuse options that do not fit together.

    Raises:
        UsageError: They do not.
    """
    hint = "cxr attest RUN --key FILE; without a key yet, --new-key FILE makes one"
    if (key is None) == (new_key is None):
        raise UsageError("one key signs: --key or --new-key", where="cxr attest", hint=hint)
    if run is None and (key is not None or out is not None):
        raise UsageError("there is no run to sign", where="cxr attest", hint=hint)


def _make_key(new_key: Path | None) -> Ed25519PrivateKey:
    """Make a new key."""
    from cxr.attestation.keys import ASKED_VARIABLE, create_key

    if new_key is None:
        raise UsageError("there is no key", where="cxr attest", hint="name one with --key")
    with held():
        return create_key(new_key, _read_password(ASKED_VARIABLE))


def load_signing_key(key: Path) -> Ed25519PrivateKey:
    """Read a private key, asking for its password where that is needed.

    Raises:
        CxrError: It is none, or cannot be read.
    """
    from cxr.attestation.keys import ASKED_VARIABLE, is_open_to_others, load_private_key

    found = load_private_key(key, lambda path: _ask_password(path, ASKED_VARIABLE))
    if is_open_to_others(key):
        print_note(f"warning: others on this machine may read or change the key: chmod 600 {key}")
    return found


def _read_password(variable: str) -> bytes | None:
    """Return the password that stands in a variable of this process, if one does."""
    return os.fsencode(os.environ[variable]) if os.environ.get(variable) else None


def _ask_password(path: Path, variable: str) -> bytes | None:
    """Return a key's password: of the variable, or else as it is typed; nothing without a terminal.

    There is no option for it: other users of a machine see the command lines of its processes.
    """
    import getpass

    known = _read_password(variable)
    if known is not None or not sys.stdin.isatty():
        return known
    try:
        return os.fsencode(getpass.getpass(f"password of {path}: ", stream=sys.stderr))
    except EOFError:
        return None
