"""Envelopes are those of the specification, held against its published vectors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.signer import SSlibKey

from cxr.attestation.attest import sign_statement
from cxr.attestation.dsse import (
    Envelope,
    Signature,
    encode_for_signing,
    parse_envelope,
    render_envelope,
)
from cxr.attestation.keys import derive_keyid
from support.attesting import SIGNER

HELLO = {
    "payload": "aGVsbG8gd29ybGQ=",
    "payloadType": "http://example.com/HelloWorld",
    "signatures": [
        {
            "sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEG"
            "AHTVeCUjW2JIZA=="
        }
    ],
}
HELLO_KEY = (
    46950820868899156662930047687818585632848591499744589407958293238635476079160,
    5640078356564379163099075877009565129882514886557779369047442380624545832820,
)
"""Source: https://github.com/secure-systems-lab/dsse, ``protocol.md``, "Test Vectors"."""

STATEMENT = "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ=="
IN_TOTO = "application/vnd.in-toto+json"
SIGNED = "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA=="
PUBLISHED = {
    "single-signature": (STATEMENT, IN_TOTO, SIGNED, True),
    "url-safe-base64": (
        "-_-_Pj8=",
        IN_TOTO,
        "P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw==",
        True,
    ),
    "payload-type-swapped": (STATEMENT, "application/vnd.example.other+json", SIGNED, False),
    "non-ascii-payload-type": (
        STATEMENT,
        "application/vnd.exämple+json",
        "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw==",
        True,
    ),
    "empty-payload": (
        "",
        IN_TOTO,
        "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg==",
        True,
    ),
}
PUBLISHED_KEY = Ed25519PublicKey.from_public_bytes(
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
)
"""Source: https://github.com/secure-systems-lab/dsse, ``testvectors/vectors.json``."""


def render(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8")


def test_the_bytes_to_sign_are_those_of_the_specification():
    envelope = parse_envelope(render(HELLO))
    signed = encode_for_signing(envelope.payload_type, envelope.payload)
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    sig = envelope.signatures[0].sig
    pair = [int.from_bytes(half, "big") for half in (sig[:32], sig[32:])]
    key = ec.EllipticCurvePublicNumbers(*HELLO_KEY, ec.SECP256R1()).public_key()
    key.verify(utils.encode_dss_signature(*pair), signed, ec.ECDSA(SHA256()))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_signatures_are_valid_or_not_as_published(name: str):
    payload, kind, sig, is_valid = PUBLISHED[name]
    document = {"payload": payload, "payloadType": kind, "signatures": [{"sig": sig}]}
    envelope = parse_envelope(render(document))
    signed = encode_for_signing(envelope.payload_type, envelope.payload)
    if is_valid:
        PUBLISHED_KEY.verify(envelope.signatures[0].sig, signed)
    else:
        with pytest.raises(InvalidSignature):
            PUBLISHED_KEY.verify(envelope.signatures[0].sig, signed)


def test_lengths_count_bytes_and_no_two_messages_have_the_same_bytes():
    assert encode_for_signing("tybé", b"") == b"DSSEv1 5 tyb\xc3\xa9 0 "
    assert encode_for_signing("a 1 b", b"") != encode_for_signing("a", b"1 b 0 ")


def test_another_library_verifies_what_is_signed_here():
    envelope = sign_statement(b'{"a":1}', SIGNER)
    other = OtherEnvelope.from_dict(json.loads(render_envelope(envelope)))
    keyid = derive_keyid(SIGNER.public_key())
    raw = SIGNER.public_key().public_bytes_raw().hex()
    key = SSlibKey(keyid, "ed25519", "ed25519", {"public": raw})
    assert list(other.verify([key], 1)) == [keyid]
    assert other.pae() == encode_for_signing(envelope.payload_type, envelope.payload)


def test_an_envelope_is_read_as_it_was_written():
    envelope = Envelope(
        payload_type="text/ä",
        payload=bytes(range(256)),
        signatures=(Signature(keyid="one", sig=b"1"), Signature(keyid="", sig=b"")),
    )
    content = render_envelope(envelope)
    assert parse_envelope(content) == envelope
    assert content.isascii()
    assert content.endswith(b"}\n")
    assert render_envelope(parse_envelope(content)) == content


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("aGVsbG8", "no padding"),
        ("aGVsbG8==", "too much padding"),
        ("aGVsbG9=", "bits behind the last byte"),
        ("aGVs\nbG8=", "a line end"),
        ("aGVsbG8= ", "a space"),
        ("aGVsbG8=aGVs", "text behind the padding"),
        ("-_-/Pj8=", "both alphabets"),
        ("ä===", "no base64 at all"),
    ],
)
def test_base64_that_is_not_canonical_is_refused(text: str, why: str):
    document = {**HELLO, "payload": text}
    with pytest.raises(ValueError, match="payload is not canonical base64"):
        parse_envelope(render(document))
    signatures = [{"sig": text}]
    with pytest.raises(ValueError, match="sig is not canonical base64"):
        parse_envelope(render({**HELLO, "signatures": signatures}))
    assert why


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"signatures": []}, "it has no signatures"),
        ({"signatures": {}}, "it has no signatures"),
        ({"signatures": ["sig"]}, "a signature is not a JSON object"),
        ({"signatures": [{"sig": "", "keyid": 7}]}, "keyid is not text"),
        ({"payloadType": None}, "payloadType is not text"),
        ({"payload": ["aGVsbG8="]}, "payload is not text"),
    ],
)
def test_what_is_no_envelope_is_refused(changes: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        parse_envelope(render({**HELLO, **changes}))
