"""What the page of one run says of its own records."""

from __future__ import annotations

import pytest

from cxr.reports.html.choose_report import build_report
from cxr.reports.html.page import render_page
from support.fabricated_runs import make_run  # noqa: F401 - a fixture


@pytest.fixture
def page(make_run):  # noqa: F811
    """Return the page of a run that nobody trained."""

    def build(**changes):
        run = make_run(computed=True, **changes)
        return render_page(build_report([run], replicates=0).report)

    return build


def test_a_stream_with_a_root_of_its_own_is_told(page):
    text = page(config={"seed": 5, "streams.init": 9})
    assert "5, init from 9" in text
    assert "none: drawn from the seed 9" in text
    assert "none: drawn from the seed 5" in page(config={"seed": 5})


@pytest.mark.parametrize(
    ("dirty", "said"),
    [(False, "clean"), (True, "with changes not committed"), (None, "not known whether clean")],
)
def test_a_working_tree_of_which_nothing_is_known_is_not_called_clean(page, dirty, said):
    assert f"{'0' * 40}, {said}<" in page(environment={"code.dirty": dirty})
