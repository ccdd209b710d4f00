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
            else, or a number that is none, as no record does.
    """
    try:
        content = read_bounded(path, max_bytes=MAX_RECORD_BYTES)
        value = json.loads(content, parse_constant=refuse_word, parse_float=parse_finite)
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


def refuse_word(word: str) -> NoReturn:
    """Refuse NaN and infinities, which Python's reader takes for numbers.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"it holds {word}, which is no JSON")


def parse_finite(text: str) -> float:
    """Return the number that a text stands for.

    Raises:
        ValueError: It is larger than any float, so that an infinity would be read.
    """
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"it holds {text[:_SHOWN]}, which no float holds")
    return value
