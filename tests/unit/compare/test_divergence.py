from __future__ import annotations

import pytest

from cxr.compare.divergence import find_first_divergence
from cxr.compare.report import Divergence
from cxr.errors import RecordError
from cxr.records.ledger import LedgerWriter, read_ledger
from cxr.records.manifest import load_manifest
from cxr.records.run_directory import LEDGER, TENSORS


def compare(a, b):
    return find_first_divergence((a, load_manifest(a)), (b, load_manifest(b)))


def test_equal_ledgers_do_not_diverge(make_run):
    assert compare(make_run(), make_run()) is None


@pytest.mark.parametrize(
    ("upset", "divergence"),
    [
        ((-1, "parameters", "b"), Divergence(step=-1, epoch=-1, what="parameters", tensor="b")),
        ((0, "samples", "indices"), Divergence(step=0, epoch=0, what="samples", tensor="indices")),
        ((1, "batch", "labels"), Divergence(step=1, epoch=0, what="batch", tensor="labels")),
        ((2, "gradients", "w"), Divergence(step=2, epoch=1, what="gradients", tensor="w")),
        ((3, "parameters", "b"), Divergence(step=3, epoch=1, what="parameters", tensor="b")),
    ],
)
def test_the_first_step_part_and_tensor_are_named_either_way(make_run, upset, divergence):
    a, b = make_run(), make_run(upset=frozenset({upset}))
    assert compare(a, b) == divergence
    assert compare(b, a) == divergence


def test_of_several_parts_the_first_in_causal_order_is_the_cause(make_run):
    upset = {(1, "parameters", "w"), (1, "gradients", "b"), (1, "loss", "loss")}
    found = compare(make_run(), make_run(upset=frozenset(upset)))
    assert found == Divergence(step=1, epoch=0, what="loss", tensor="loss")


@pytest.mark.parametrize(("part", "first"), [("parameters", "w"), ("gradients", "b")])
def test_of_several_tensors_the_first_that_is_computed_is_named(make_run, part, first):
    """Gradients are computed from the loss backwards."""
    upset = frozenset({(1, part, "b"), (1, part, "w")})
    assert compare(make_run(), make_run(upset=upset)).tensor == first


def test_other_predictions_alone_diverge_behind_the_last_step(make_run):
    found = compare(make_run(), make_run(logits=((0.5, 0.25), (0.5, 0.5))))
    assert found == Divergence(step=4, epoch=1, what="predictions", tensor="logits")


def test_without_the_side_file_the_part_is_named(make_run):
    a, b = make_run(), make_run(upset=frozenset({(1, "gradients", "w")}))
    (b / TENSORS).unlink()
    assert compare(a, b) == Divergence(step=1, epoch=0, what="gradients", tensor=None)


@pytest.mark.parametrize(("step", "tensor"), [(2, "w"), (1, None)])
def test_a_tensor_is_named_where_both_runs_kept_that_steps_row(make_run, step, tensor):
    upset = frozenset({(step, "gradients", "w")})
    a, b = make_run(), make_run(upset=upset, config={"train.tensor_digests_every": 2})
    for pair in ((a, b), (b, a)):
        assert compare(*pair).what == "gradients"
        assert compare(*pair).tensor == tensor


def test_a_run_that_stops_earlier_diverges_at_its_end(make_run):
    whole, stopped = make_run(), make_run(status="interrupted")
    for pair in ((whole, stopped), (stopped, whole)):
        assert compare(*pair) == Divergence(step=4, epoch=1, what="end", tensor=None)


def test_a_run_of_fewer_epochs_diverges_at_its_end(make_run):
    long, short = make_run(num_steps=3), make_run(num_steps=3, config={"train.epochs": 1})
    lines = (short / LEDGER).read_bytes().splitlines(keepends=True)
    whole = (long / LEDGER).read_bytes().splitlines(keepends=True)
    assert lines[:-1] == whole[:-1]
    head = list(read_ledger(short))[3].chain
    (short / LEDGER).write_bytes(b"".join(lines[:4]))
    with LedgerWriter(short, resume_at=head) as ledger:
        ledger.append(3, 0, {"predictions": {"logits": b"p" * 16}})
    for pair in ((long, short), (short, long)):
        assert compare(*pair).what == "end"
        assert compare(*pair).step == 3


def test_an_edited_line_is_no_divergence_but_an_error(make_run):
    a, b = make_run(), make_run()
    content = (b / LEDGER).read_bytes()
    (b / LEDGER).write_bytes(content.replace(b'"step":2', b'"step":7'))
    with pytest.raises(RecordError, match="the ledger's chain breaks") as caught:
        compare(a, b)
    assert caught.value.where == f"{b / LEDGER}:4, step 7"


def test_a_line_with_a_space_more_is_no_divergence_but_an_error(make_run):
    a, b = make_run(), make_run()
    content = (b / LEDGER).read_bytes()
    (b / LEDGER).write_bytes(content.replace(b'"step":2', b'"step": 2'))
    with pytest.raises(RecordError):
        compare(a, b)


@pytest.mark.parametrize("keep", [0, 3])
def test_lines_that_both_runs_lost_are_an_error(make_run, keep):
    a, b = make_run(), make_run()
    for run in (a, b):
        lines = (run / LEDGER).read_bytes().splitlines(keepends=True)
        (run / LEDGER).write_bytes(b"".join(lines[:keep]))
    with pytest.raises(RecordError, match="does not end where the manifest says"):
        compare(a, b)


@pytest.mark.parametrize("position", [0, 1])
def test_a_manifest_of_another_ledger_is_an_error(make_run, position):
    runs = [(run, load_manifest(run)) for run in (make_run(), make_run())]
    runs[position][1]["trace"]["ledger_head"] = "0" * 64
    with pytest.raises(RecordError, match="does not end where the manifest says") as caught:
        find_first_divergence(*runs)
    assert caught.value.where == str(runs[position][0] / LEDGER)


def test_lines_that_one_run_lost_are_an_error(make_run):
    a, b = make_run(), make_run()
    lines = (b / LEDGER).read_bytes().splitlines(keepends=True)
    (b / LEDGER).write_bytes(b"".join(lines[:3]))
    with pytest.raises(RecordError, match="does not end where the manifest says"):
        compare(a, b)


def test_a_missing_ledger_is_an_error(make_run):
    a, b = make_run(), make_run()
    (b / LEDGER).unlink()
    with pytest.raises(RecordError, match="cannot read the ledger"):
        compare(a, b)
