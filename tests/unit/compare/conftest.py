"""Runs that nobody trained, for comparing them."""

from __future__ import annotations

from support.fabricated_runs import (  # noqa: F401 - fixtures
    describe_image,
    edit_manifest,
    make_run,
    plain_samples,
    replace_image,
)
