"""``cxr attest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line
from cxr.errors import UsageError
from cxr.interruption import held
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.attestation.attest import Attestation

_HINT: Final = "cxr attest RUN --key FILE; without a key yet, --new-key FILE makes one"


def attest(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="A run directory, or an export.", show_default=False),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The private key in PEM, Ed25519 or P-256, 384, 521."),
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
    p256: Annotated[
        bool, typer.Option("--p256", help="Make a key on P-256, for model-signing.")
    ] = False,
    times: Annotated[
        bool, typer.Option("--times", help="Sign as well when the run began and ended.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Sign what went into a run and what came out: SLSA provenance in a DSSE envelope.

    Of an export every file is signed: with an Ed25519 key in export.attestation.json, with one on
    P-256, P-384 or P-521 in model.sig, as OpenSSF model-signing does (an optional extra).

    A password is asked for, or read from the variable CXR_KEY_PASSWORD; a new key is kept under
    that variable's password, if it is set.

    Example: cxr attest runs/sample-20261121T120000Z-0123abcd --key signer.pem
    """
    place, is_new = _choose_key(run, key, new_key, out, p256=p256), key is None
    from cxr.attestation.attest import require_no_repeat
    from cxr.attestation.keys import derive_keyid, require_cryptography
    from cxr.cli.signing_keys import make_export_key
    from cxr.records.exported import is_export
    from cxr.records.manifest import require_manifest

    require_cryptography()
    found: Attestation | None = None
    if run is None:
        made = make_export_key(place, is_p256=p256, quiet=quiet)
        keyid = derive_keyid(made.public_key())
    else:
        if is_export(run):
            _require_no_run(out, times=times)
            found = _attest_export(run, place, is_new=is_new, is_p256=p256, quiet=quiet)
        else:
            # Ahead of the key: what is no record at all has no wrong kind of key.
            require_no_repeat(run)
            require_manifest(run)
            _require_no_export(p256=p256)
            found = _attest_run(run, place, out, is_new=is_new, times=times, quiet=quiet)
        keyid = found.keyid
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


def _attest_run(
    run: Path, key: Path, out: Path | None, *, is_new: bool, times: bool, quiet: bool
) -> Attestation:
    """Sign a run. One that cannot be signed leaves no new key; a key there is read first."""
    from cxr.attestation.attest import prepare_statement
    from cxr.cli.signing_keys import load_run_key, make_run_key

    private = None if is_new else load_run_key(key)
    unsigned = prepare_statement(run, out=out, with_times=times)
    if private is None:
        unsigned.require_free()
        private = make_run_key(key, quiet=quiet)
    with held():
        return unsigned.sign(private)


def _attest_export(
    directory: Path, key: Path, *, is_new: bool, is_p256: bool, quiet: bool
) -> Attestation:
    """Sign an export, likewise."""
    from cxr.attestation.export_signatures import name_signature, require_signable, sign_export
    from cxr.cli.signing_keys import load_export_key, make_export_key
    from cxr.release.layout import EXPORT_ATTESTATION, MODEL_SIGNATURE

    private = None if is_new else load_export_key(key)
    if private is not None:
        name = name_signature(private.public_key())
    else:
        name = MODEL_SIGNATURE if is_p256 else EXPORT_ATTESTATION
    require_signable(directory, name)
    if private is None:
        private = make_export_key(key, is_p256=is_p256, quiet=quiet)
    with held():
        return sign_export(directory, private)


def _choose_key(
    run: Path | None, key: Path | None, new_key: Path | None, out: Path | None, *, p256: bool
) -> Path:
    """Return the one key that is named, there or new.

    Raises:
        UsageError: Options do not fit together.
    """
    chosen = key if key is not None else new_key
    if chosen is None or (key is not None and new_key is not None):
        raise UsageError("one key signs: --key or --new-key", where="cxr attest", hint=_HINT)
    if run is None and (key is not None or out is not None):
        raise UsageError("there is no run to sign", where="cxr attest", hint=_HINT)
    if p256 and new_key is None:
        raise UsageError(
            "a key that is there has its kind", where="cxr attest --p256", hint="leave out --p256"
        )
    return chosen


def _require_no_run(out: Path | None, *, times: bool) -> None:
    """Refuse what an export has not.

    Raises:
        UsageError: It is asked for.
    """
    if out is not None or times:
        raise UsageError(
            "an export has its signatures in its directory, and no times",
            where="cxr attest",
            hint="leave out --out and --times",
        )


def _require_no_export(*, p256: bool) -> None:
    """Refuse a key that signs exports alone.

    Raises:
        UsageError: It is asked for.
    """
    if p256:
        raise UsageError(
            "a run is signed with an Ed25519 key; model-signing signs its exports",
            where="cxr attest --p256",
            hint="leave out --p256, or name an export of the run",
        )
