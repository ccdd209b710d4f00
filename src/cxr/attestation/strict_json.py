"""Reading JSON of which a signature depends: one text, one meaning.

Who signs and who checks would otherwise see two statements in one text.
"""

from __future__ import annotations

import json
from typing import Any

from cxr.json_file import parse_json


def parse_json_object(content: bytes) -> dict[str, Any]:
    """Return the JSON object that ``content`` is, in UTF-8.

    Raises:
        ValueError: It is something else, has a key twice, or holds NaN or an infinity.
    """
    try:
        value = parse_json(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - it is a value that was read
    return value
