"""Errors in the data of a recorded run that are known only now: accepted, to train it again.

``data.accept`` never affects bits, so the new run still has the recorded recipe.
"""

from __future__ import annotations

import json
from dataclasses import replace

from cxr.data.checks.acceptance import NEVER_ACCEPTED
from cxr.data.checks.report import find_grave
from cxr.data.checks.soundness import look_and_examine
from cxr.data.sources.open import open_source
from cxr.data.sources.scan import derive_data_lock
from cxr.progress import Progress
from cxr.reproduce.prepare import Prepared


def accept_known_errors(prepared: Prepared, *, progress: Progress) -> Prepared:
    """Return a reproduction whose run does not refuse the data that the recorded run had.

    Args:
        prepared: What `prepare_reproduction` found.
        progress: Told how far it is, and what is accepted.

    Raises:
        CxrError: The data cannot be looked at.
    """
    config = prepared.config.data
    if config.source == "synthetic" or not prepared.runs_own:
        # Recorded sources took these data once, and may not know the kinds that there are now.
        return prepared
    source = open_source(config)
    found, looks, problems = look_and_examine(source, config, progress)
    kinds = {error.kind for error in find_grave(problems)}
    digest = derive_data_lock(source.classes, found, looks).digest
    is_recorded = digest == prepared.record.manifest["recipe"]["data_digest"]
    if not kinds or not is_recorded or kinds & NEVER_ACCEPTED:
        return prepared
    progress.note(f"errors in the data that the run was trained on: {', '.join(sorted(kinds))}")
    accepted = json.dumps(sorted({*config.accept, *kinds}))
    return replace(prepared, overrides=[*prepared.overrides, f"data.accept={accepted}"])
