"""Reading JSON records, with one kind of error for all that can be wrong with them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final, NoReturn

from cxr.bounded_file import read_bounded
from cxr.errors import RecordError

MAX_RECORD_BYTES: Final = 512 * 2**20
"""Of a record. The largest is a data lock, with some hundred bytes an image."""

_SHOWN: Final = 40
_RUN: Final = "check the path; a run directory holds manifest.json"
_DAMAGED: Final = "it was cut short or edited; restore it, or have it written anew"


def load_json_object(path: Path, *, hint: str = _RUN, if_damaged: str = _DAMAGED) -> dict[str, Any]:
    """Return the JSON object in ``path``.

    Args:
        path: The record.
        hint: What to do where it cannot be read.
        if_damaged: What to do where it holds something else.

    Raises:
        RecordError: The file is missing, unreadable, no regular file, too large, holds something
            else, or what no record does: a key twice, or a number that is none.
    """
    try:
        content = read_bounded(path, max_bytes=MAX_RECORD_BYTES)
        value = parse_json(content)
    except OSError as error:
        raise RecordError(
            f"cannot read the record: {error.strerror or error}",
            where=str(path),
            hint=hint,
        ) from error
    except (ValueError, RecursionError) as error:
        raise RecordError(
            f"the record is not JSON: {error}",
            where=str(path),
            hint=if_damaged,
        ) from error
    if not isinstance(value, dict):
        raise RecordError(
            "the record is not a JSON object",
            where=str(path),
            hint=if_damaged,
        )
    return value


def parse_json(content: bytes | str) -> Any:
    """Return what a JSON text stands for, where that is one thing for every reader.

    Python's reader takes the last of two equal keys, others the first, and NaN for a number.

    Raises:
        ValueError: It is no JSON, an object has a key twice, or a number is NaN or infinite.
        RecursionError: It is nested too deeply.
    """
    return json.loads(
        content,
        object_pairs_hook=_refuse_twice,
        parse_constant=_refuse_word,
        parse_float=_parse_finite,
    )


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the key {twice!r} twice")
    return found


def _refuse_word(word: str) -> NoReturn:
    raise ValueError(f"it holds {word}, which is no JSON")


def _parse_finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"it holds {text[:_SHOWN]}, which no float holds")
    return value
