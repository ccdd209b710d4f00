"""Runs that nobody trained, and the report of several of them."""

from __future__ import annotations

import pytest

from cxr.reports.html.choose_report import build_report
from cxr.reports.html.page import render_page
from support.fabricated_runs import (  # noqa: F401 - fixtures
    edit_manifest,
    make_run,
    plain_samples,
    replace_image,
)


@pytest.fixture
def trained(make_run):  # noqa: F811
    """Write a run whose figures are those of its predictions."""

    def make(**changes):
        return make_run(computed=True, **changes)

    return make


@pytest.fixture
def report():
    """Return the status and the page of a report of run directories."""

    def build(*directories, replicates=50):
        found = build_report(directories, replicates=replicates)
        return found.status, render_page(found.report)

    return build
