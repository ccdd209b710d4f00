"""Runs that nobody trained, for repeating them."""

from __future__ import annotations

from support.fabricated_runs import make_run, plain_samples  # noqa: F401 - fixtures
