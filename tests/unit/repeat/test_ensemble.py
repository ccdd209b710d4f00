"""All runs as one: the terminal's answer and the report's are one computation."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from cxr.determinism.levels import Level
from cxr.evaluation.elementary import choose_elementary
from cxr.records.figures import SCALARS
from cxr.records.manifest import load_manifest
from cxr.repeat.agreement import load_common_images
from cxr.repeat.seeds import describe_seed_runs
from cxr.reports.html.several.ensemble import tabulate_ensemble
from cxr.reports.html.several.members import Member
from cxr.reports.html.wording import FIGURE_TITLES, show_figure

ASKED = {"kind": "seeds", "seeds": [1, 2], "only": None, "root": 1}
LOGITS = ((0.75, 0.25), (0.625, 0.375)), ((0.25, 0.75), (0.5, 0.5))


@pytest.fixture
def runs(make_run):
    made = [
        make_run(config={"seed": seed}, logits=logits, computed=True)
        for seed, logits in enumerate(LOGITS, start=1)
    ]
    return {run: load_manifest(run) for run in made}


@pytest.fixture
def asked_levels(monkeypatch):
    """The levels that figures of an ensemble are computed at."""
    asked = []

    def choose(level):
        asked.append(level)
        return choose_elementary(level)

    monkeypatch.setattr("cxr.evaluation.ensemble.choose_elementary", choose)
    return asked


def read_members(runs):
    return [
        Member(
            label=str(number),
            directory=Path(run),
            status="completed",
            level=manifest["recipe"]["determinism"],
            figures={name: manifest["metrics"][name] for name in SCALARS},
        )
        for number, (run, manifest) in enumerate(runs.items())
    ]


@pytest.mark.parametrize("levels", list(product(["portable", "strict", "warn"], repeat=2)))
def test_figures_are_portable_where_every_run_is_whoever_asks(runs, levels, asked_levels):
    for manifest, level in zip(runs.values(), levels, strict=True):
        manifest["recipe"]["determinism"] = level
    found = describe_seed_runs(runs, ASKED).ensemble
    table = tabulate_ensemble(load_common_images(runs), read_members(runs))
    expected = Level.PORTABLE if set(levels) == {"portable"} else Level.STRICT
    assert asked_levels == [expected] * 2
    assert table.rows == [
        [
            FIGURE_TITLES[name],
            show_figure(found.figures[name]),
            *table.rows[number][2:4],
            f"{found.better_runs[name]} of 2",
        ]
        for number, name in enumerate(SCALARS)
    ]


def test_a_figure_that_a_run_has_not_is_not_held_against_it(runs):
    first, _ = runs.values()
    first["metrics"]["auroc"] = None
    found = describe_seed_runs(runs, ASKED).ensemble
    table = tabulate_ensemble(load_common_images(runs), read_members(runs))
    assert "auroc" not in found.better_runs
    assert [row[0] for row in table.rows] == [FIGURE_TITLES[name] for name in found.better_runs]
