"""Ledgers are cut where they part, and one that was cut short ends before its last line."""

from __future__ import annotations

from cxr.records.run_directory import LEDGER
from cxr.reports.html.several.lanes import name_stretch
from cxr.reports.html.several.stretches import Stretch, find_stretches

NUM_LINES = 6
"""The initial state, four steps and the predictions."""


def test_equal_ledgers_are_one_stretch_of_the_first_run(make_run):
    whole = [Stretch(begin=0, end=NUM_LINES, owner=0)]
    assert find_stretches([make_run(), make_run()]) == [whole, whole]


def test_runs_share_what_they_did_before_they_parted(make_run):
    late, early = (frozenset({(step, "loss", "loss")}) for step in (2, 0))
    found = find_stretches([make_run(), make_run(upset=late), make_run(upset=early)])
    assert found[1] == [Stretch(begin=0, end=3, owner=0), Stretch(begin=3, end=NUM_LINES, owner=1)]
    assert found[2] == [Stretch(begin=0, end=1, owner=0), Stretch(begin=1, end=NUM_LINES, owner=2)]


def test_a_third_run_shares_with_the_second_what_the_first_has_not(make_run):
    both = frozenset({(1, "loss", "loss")})
    more = both | {(3, "gradients", "w")}
    found = find_stretches([make_run(), make_run(upset=both), make_run(upset=more)])
    assert [(one.begin, one.owner) for one in found[2]] == [(0, 0), (2, 1), (4, 2)]


def test_a_last_line_that_was_cut_short_is_left_out(make_run):
    whole, cut = make_run(), make_run()
    content = (cut / LEDGER).read_bytes()
    (cut / LEDGER).write_bytes(content[:-9])
    assert find_stretches([whole, cut])[1] == [Stretch(begin=0, end=NUM_LINES - 1, owner=0)]


def test_letters_go_on_after_the_last():
    assert [name_stretch(number) for number in (0, 25, 26, 701, 702)] == [
        "A",
        "Z",
        "AA",
        "ZZ",
        "AAA",
    ]
