"""What a ``model.sig`` says of an export, read without model-signing: which files, with what bytes.

Nothing here checks a signature: `cxr.attestation.model_signature` has the library do it.

Source: model-signing 1.1.1, ``_signing/signing.py``, ``Payload``; a bundle of Sigstore, 0.3, around
a DSSE envelope.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any, Final

from cxr.attestation.strict_json import parse_json_object
from cxr.compare.verify_findings import take
from cxr.digests.canonical import PREFIX
from cxr.digests.files import digest_file
from cxr.release.layout import MODEL_SIGNATURE

PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"

SignedFiles = dict[str, str]
"""Name → digest, as ``sha256:<hex>`` or with another algorithm of model-signing."""


def parse_payload(content: bytes) -> bytes:
    """Return what a signature signs, whoever made it.

    Args:
        content: The file's bytes.

    Raises:
        ValueError: It is no signature of this format.
    """
    text = take(parse_json_object(content), "dsseEnvelope").get("payload")
    if not isinstance(text, str):
        raise ValueError("it has no payload")  # noqa: TRY004 - it is a value that was read
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("its payload is not base64") from None


def parse_signed_files(payload: bytes) -> SignedFiles:
    """Return the files that a payload names.

    Raises:
        ValueError: It names none, or pieces of files.
    """
    statement = parse_json_object(payload)
    if statement.get("predicateType") != PREDICATE_TYPE:
        raise ValueError(f"its predicateType is not {PREDICATE_TYPE}")
    predicate = take(statement, "predicate")
    if take(predicate, "serialization").get("method") != "files":
        raise ValueError("it signs pieces of files, which this version does not read")
    resources = predicate.get("resources")
    if not isinstance(resources, list):
        raise ValueError("it names no files")  # noqa: TRY004 - likewise
    files = dict(_parse_resource(one) for one in resources)
    if len(files) != len(resources):
        raise ValueError("it names a file twice")
    return files


def list_signable(directory: Path) -> set[str]:
    """Return the POSIX paths of what a signature in a directory must name: all files but itself."""
    found = (path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.relative_to(directory).as_posix() for path in found} - {MODEL_SIGNATURE}


def find_differences(files: SignedFiles, directory: Path) -> list[str]:
    """Return, in name order, the files that are missing, added or other than they were signed.

    Files that were digested by another algorithm than SHA-256 are looked for, and no more.

    Args:
        files: What was signed.
        directory: The export.
    """
    present = list_signable(directory)
    return sorted(
        name
        for name in files.keys() | present
        if name not in present
        or name not in files
        or (files[name].startswith(PREFIX) and files[name] != digest_file(directory / name))
    )


def _parse_resource(one: Any) -> tuple[str, str]:
    resource = one if isinstance(one, dict) else {}
    name, algorithm, digest = (resource.get(key) for key in ("name", "algorithm", "digest"))
    if not (isinstance(name, str) and isinstance(algorithm, str) and isinstance(digest, str)):
        raise ValueError("a file has no name or digest")  # noqa: TRY004 - likewise
    return name, f"{algorithm}:{digest}"
