"""Reading JSON of which a signature depends: one text, one meaning.

Python's reader takes the last of two equal keys, other readers the first. Who signs and who checks
would then see two statements in one text.
"""

from __future__ import annotations

import json
from typing import Any

from cxr.json_file import parse_finite, refuse_word


def parse_json_object(content: bytes) -> dict[str, Any]:
    """Return the JSON object that ``content`` is, in UTF-8.

    Raises:
        ValueError: It is something else, has a key twice, or holds NaN or an infinity.
    """
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_refuse_twice,
            parse_constant=refuse_word,
            parse_float=parse_finite,
        )
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - it is a value that was read
    return value


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the key {twice!r} twice")
    return found
