"""Reading JSON records, with one kind of error for all that can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cxr.errors import RecordError


def load_json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in ``path``.

    Raises:
        RecordError: The file is missing, unreadable, or holds something else.
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise RecordError(
            f"cannot read the record: {error.strerror or error}",
            where=str(path),
            hint="check the path; a run directory holds manifest.json",
        ) from error
    except (ValueError, RecursionError) as error:
        raise RecordError(
            f"the record is not JSON: {error}",
            where=str(path),
            hint="it was cut short or edited; restore it, or train again",
        ) from error
    if not isinstance(value, dict):
        raise RecordError(
            "the record is not a JSON object",
            where=str(path),
            hint="it was cut short or edited; restore it, or train again",
        )
    return value
