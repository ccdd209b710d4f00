"""Faults that libraries, loaders and people have made: each is found, at its step and thing."""

from __future__ import annotations

import pytest

from support.recipes import STEPS_PER_EPOCH, vectors
from support.runs import FinishedRuns, diff


@pytest.mark.parametrize(
    ("fault", "step", "what", "tensor"),
    [
        ("gradient-noise:4", 4, "gradients", "backbone.1.weight"),
        ("extra-draw:2", 2, "random", "torch"),
        ("other-order:3", 3, "samples", "indices"),
        ("other-lr:1", STEPS_PER_EPOCH, "optimizer", "lr"),
        ("initial-weight", -1, "parameters", "backbone.1.weight"),
    ],
)
def test_a_planted_fault_is_found_where_it_acts(
    finished_run: FinishedRuns, fault: str, step: int, what: str, tensor: str
):
    sound, faulty = finished_run(vectors()), finished_run(vectors(), fault=fault)
    assert sound.digests[1] != faulty.digests[1]
    code, report = diff(sound, faulty)
    assert (code, report["verdict"]) == (1, "different")
    assert report["first_divergence"] == {
        "step": step,
        "epoch": max(step // STEPS_PER_EPOCH, -1),
        "what": what,
        "tensor": tensor,
    }
    # The recipes are the same: nothing that went in explains it.
    assert report["differences"] == []


def test_only_the_first_thing_that_a_fault_changes_is_named(finished_run: FinishedRuns):
    sound, faulty = finished_run(vectors()), finished_run(vectors(), fault="gradient-noise:4")
    pairs = list(zip(sound.ledger, faulty.ledger, strict=True))
    assert [a == b for a, b in pairs[:5]] == [True] * 5
    at_fault = {part for part in pairs[5][0] if pairs[5][0][part] != pairs[5][1][part]}
    assert at_fault == {"gradients", "optimizer", "parameters", "chain"}


def test_an_extra_draw_does_not_reach_the_next_step(finished_run: FinishedRuns):
    sound, faulty = finished_run(vectors()), finished_run(vectors(), fault="extra-draw:2")
    assert sound.manifest["outcome_digest"] == faulty.manifest["outcome_digest"]
    changed = [
        (a["step"], part)
        for a, b in zip(sound.ledger, faulty.ledger, strict=True)
        for part in a
        if a[part] != b[part] and part != "chain"
    ]
    assert changed == [(2, "random")]


def test_an_evaluation_in_between_changes_nothing(finished_run: FinishedRuns):
    undisturbed = finished_run(vectors())
    disturbed = finished_run(vectors(), fault="evaluation-in-between")
    assert undisturbed.digests == disturbed.digests
    code, report = diff(undisturbed, disturbed)
    assert (code, report["verdict"]) == (0, "identical")
