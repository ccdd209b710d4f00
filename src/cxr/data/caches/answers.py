"""Answers remembered by all that they depend on, sealed for whoever has that.

An answer about a data set may name patients: its groups and file names do. So it is kept under a
digest of its key and enciphered with the key itself. The key is a digest of the files' digests, or
of their names and time stamps: who cannot list the set does not know it, and learns nothing.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from cxr.data.caches.store import Store
from cxr.digests.canonical import canonical_json

_TABLE: Final = "answers"
_MAX_BYTES: Final = 32 * 2**20


def recall(key: str) -> Any:
    """Return the answer that was kept under a key; None where there is none.

    Args:
        key: A digest of everything that the answer depends on: digests of the files, rules, and
            the code that applies them. Whoever knows it can read what is remembered.
    """
    store = Store.open()
    if store is None:
        return None
    try:
        row = store.get(_TABLE, [_name(key)]).get(_name(key))
    finally:
        store.close()
    return None if row is None else json.loads(_encipher(row, key))


def remember(key: str, answer: Any) -> None:
    """Keep an answer under a key, unless it is very large or there is no place for it.

    Args:
        key: As for `recall`.
        answer: Plain JSON values.
    """
    content = canonical_json(answer)
    store = Store.open() if len(content) <= _MAX_BYTES else None
    if store is not None:
        try:
            store.put(_TABLE, [(_name(key), _encipher(content, key))])
        finally:
            store.close()


def _name(key: str) -> bytes:
    return hashlib.sha256(b"name\0" + key.encode()).digest()


def _encipher(content: bytes, key: str) -> bytes:
    """Add a stream of bytes that only the key gives; done twice, it undoes itself.

    A key never enciphers two answers, as the answer follows from it.
    Source: NIST FIPS 202: SHAKE256 is an extendable-output function; used as a key stream.
    """
    stream = hashlib.shake_256(b"seal\0" + key.encode()).digest(len(content))
    mixed = int.from_bytes(content, "little") ^ int.from_bytes(stream, "little")
    return mixed.to_bytes(len(content), "little")
