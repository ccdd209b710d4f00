"""DSSE envelopes: a payload, its type, and signatures over both.

Source: https://github.com/secure-systems-lab/dsse, ``protocol.md`` and ``envelope.md``, 1.0.2.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from cxr.attestation.strict_json import parse_json_object
from cxr.digests.canonical import canonical_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature of an envelope.

    Attributes:
        keyid: Which key it is of, as the signer says. It is not signed: a hint, and no more.
        sig: The signature's own bytes.
    """

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A signed payload.

    Attributes:
        payload_type: How to read the payload; a media type or a URI.
        payload: What was signed.
        signatures: One or more.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]


def encode_for_signing(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that a signature covers, called PAE.

    Source: ``protocol.md``: ``"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body``, where LEN is
    the number of bytes in decimal digits.

    Raises:
        ValueError: The type has no UTF-8.
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def render_envelope(envelope: Envelope) -> bytes:
    """Return an envelope as canonical JSON with standard base64 and one line end."""
    document = {
        "payload": base64.b64encode(envelope.payload).decode("ascii"),
        "payloadType": envelope.payload_type,
        "signatures": [
            {"keyid": one.keyid, "sig": base64.b64encode(one.sig).decode("ascii")}
            for one in envelope.signatures
        ],
    }
    return canonical_json(document) + b"\n"


def parse_envelope(content: bytes) -> Envelope:
    """Return the envelope that ``content`` is; no signature is checked here.

    As the specification asks, both alphabets of base64 are read and unknown fields passed over.

    Raises:
        ValueError: It is none.
    """
    document = parse_json_object(content)
    signatures = document.get("signatures")
    if not isinstance(signatures, list) or not signatures:
        raise ValueError("it has no signatures")
    return Envelope(
        payload_type=_take_text(document, "payloadType"),
        payload=_decode(document, "payload"),
        signatures=tuple(_parse_signature(one) for one in signatures),
    )


def _parse_signature(document: Any) -> Signature:
    if not isinstance(document, dict):
        raise ValueError("a signature is not a JSON object")  # noqa: TRY004 - it is a value read
    return Signature(keyid=_take_text(document, "keyid"), sig=_decode(document, "sig"))


def _take_text(document: dict[str, Any], name: str) -> str:
    """Return a field's text, which is empty where it is left out."""
    value = document.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")  # noqa: TRY004 - likewise
    return value


def _decode(document: dict[str, Any], name: str) -> bytes:
    """Return the bytes of a field in base64, of which each sequence has one text an alphabet.

    Source: RFC 4648, sections 3.5, 4 and 5.
    """
    text = _take_text(document, name)
    for encode, others in ((base64.b64encode, b"+/"), (base64.urlsafe_b64encode, b"-_")):
        try:
            found = base64.b64decode(text, altchars=others, validate=True)
        except (ValueError, binascii.Error):
            continue
        # Bits beyond the last byte are lost in decoding, and what stands behind the padding.
        if encode(found).decode("ascii") == text:
            return found
    raise ValueError(f"{name} is not canonical base64")
