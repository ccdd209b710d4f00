from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxr.statistics.bootstrap import bootstrap_differences, bootstrap_figures
from cxr.statistics.cases import build_class_cases, build_label_cases, number_groups
from cxr.statistics.resampled_figures import FigureComputer, prepare_resampling
from cxr.statistics.resampling import draw_multiplicities
from properties.strategies import examples
from support.naive_figures import (
    compute_auroc,
    compute_average_precision,
    compute_mean,
    draw_groups,
    repeat_images,
    share,
)

NUM_CLASSES = 3
REPLICATES = 4

scores = st.lists(
    st.sampled_from([-math.inf, -2.5, -0.0, 0.0, 0.1, 0.7, 1e300]),
    min_size=NUM_CLASSES,
    max_size=NUM_CLASSES,
)
values = st.floats(0, 50)
shares = st.floats(-1, 1)
classes = st.integers(0, NUM_CLASSES - 1)
answers = st.lists(st.integers(-1, 1), min_size=NUM_CLASSES, max_size=NUM_CLASSES)


def draw_splits(*columns):
    """Splits of 1 to 12 images of patients with any number of them."""
    rows = st.tuples(st.integers(0, 5), scores, values, shares, st.integers(-1, 3), *columns)
    return st.lists(rows, min_size=1, max_size=12)


def build_classes(rows):
    groups, ranks, losses, gaps, bins, labels, decisions = zip(*rows, strict=True)
    cases = build_class_cases(labels, decisions, ranks, sums={"loss": losses}, bins=bins, gaps=gaps)
    return cases, groups


def build_labels(rows):
    groups, ranks, losses, _, _, labels, decisions = zip(*rows, strict=True)
    decided = np.asarray(decisions) > 0
    return build_label_cases(labels, decided, ranks, sums={"loss": losses}), groups


def compute_naively(cases, images, reference, bits):
    """Return every figure of the images listed, and which classes the means need."""
    present, decided, known = (
        table[images].T.tolist() for table in (cases.present, cases.decided, cases.known)
    )
    ranks = cases.scores[images].T.tolist()
    found = {}
    for index in range(cases.num_classes):
        rows = [
            row
            for row in zip(present[index], decided[index], ranks[index], known[index], strict=True)
            if row[3]
        ]
        sides, chosen = [row[0] for row in rows], [row[1] for row in rows]
        order = [row[2] for row in rows]
        right = sum(map(min, sides, chosen))
        absent = len(rows) - sum(sides)
        found |= {
            ("precision", index): share(right, sum(chosen)),
            ("recall", index): share(right, sum(sides)),
            ("specificity", index): share(
                sum(not a and not b for a, b in zip(sides, chosen, strict=True)), absent
            ),
            ("f1", index): share(2 * right, sum(sides) + sum(chosen)),
            ("auroc", index): compute_auroc(sides, order),
            ("average_precision", index): compute_average_precision(sides, order, bits["rank"]),
        }
    asked = cases.asked[images].tolist()
    found["accuracy", None] = share(sum(cases.right[images].tolist()), sum(asked))
    found["loss", None] = compute_mean(cases.sums["loss"][images].tolist(), asked, bits["loss"])
    if cases.bins is not None:
        found["calibration_error", None] = compute_calibration(cases, images, bits["gaps"])
    return found | average_classes(cases, found, reference or found)


def compute_calibration(cases, images, bits):
    sums = {}
    for bins, gaps in zip(cases.bins[images].tolist(), cases.gaps[images].tolist(), strict=True):
        for place, gap in zip(bins, gaps, strict=True):
            if place >= 0:
                sums[place] = sums.get(place, 0) + round(gap * 2.0**bits)
    return math.ldexp(sum(map(abs, sums.values())) / len(images), -bits)


def average_classes(cases, found, reference):
    def list_values(source, name):
        if name != "balance":
            return [source[name, index] for index in range(cases.num_classes)]
        sides = [[source["recall", index]] for index in range(cases.num_classes)]
        if not cases.is_exclusive:
            sides = [[*side, source["specificity", index]] for index, side in enumerate(sides)]
        return [None if None in side else math.fsum(side) / len(side) for side in sides]

    averages = {}
    for whole, part in (
        ("balanced_accuracy", "balance"),
        ("macro_f1", "f1"),
        ("auroc", "auroc"),
        ("average_precision", "average_precision"),
    ):
        wanted = [value is not None for value in list_values(reference, part)]
        if cases.is_exclusive and part in {"auroc", "average_precision"} and not all(wanted):
            wanted = [False] * len(wanted)
        chosen = [
            value
            for value, is_wanted in zip(list_values(found, part), wanted, strict=True)
            if is_wanted
        ]
        averages[whole, None] = (
            None if not chosen or None in chosen else math.fsum(chosen) / len(chosen)
        )
    return averages


def check_against_naive(cases, groups):
    numbers, num_groups = number_groups(groups)
    split = prepare_resampling(cases, numbers, num_groups)
    computer = FigureComputer(split)
    bits = {"rank": split.rankings[0].fraction_bits, **split.counts.fraction_bits}
    sample = compute_naively(cases, list(range(len(cases))), None, bits)
    assert {figure: read(value) for figure, value in computer.sample.items()} == sample
    found = computer.compute(draw_multiplicities(11, range(REPLICATES), num_groups))
    for replicate in range(REPLICATES):
        images = repeat_images(draw_groups(11, replicate, num_groups), groups)
        wanted = compute_naively(cases, images, sample, bits)
        assert {figure: read(column[replicate]) for figure, column in found.items()} == wanted


def read(value):
    return None if math.isnan(value) else float(value)


@given(draw_splits(classes, classes))
@examples(max_examples=25)
def test_every_figure_of_a_resample_is_that_of_the_images_repeated(rows):
    check_against_naive(*build_classes(rows))


@given(draw_splits(answers, answers))
@examples(max_examples=25)
def test_so_are_those_of_labels_that_are_decided_one_by_one(rows):
    check_against_naive(*build_labels(rows))


@given(draw_splits(classes, classes), st.randoms(use_true_random=False))
@examples(max_examples=15)
def test_the_order_of_images_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = (
        bootstrap_figures(*build_classes(some), root=1, replicates=60) for some in (rows, shuffled)
    )
    assert one == other


@given(draw_splits(classes, classes))
@examples(max_examples=15)
def test_figures_of_ranks_do_not_change_under_a_rising_function(rows):
    cases, groups = build_classes(rows)
    steps = {
        value: rank for rank, value in enumerate(sorted(set(cases.scores.reshape(-1).tolist())))
    }
    raised = [[steps[value] ** 3 - 40.0 for value in row] for row in cases.scores.tolist()]
    other = build_class_cases(
        cases.present.argmax(axis=1),
        cases.decided.argmax(axis=1),
        raised,
        sums=cases.sums,
        bins=cases.bins,
        gaps=cases.gaps,
    )
    one, two = (bootstrap_figures(some, groups, root=1, replicates=60) for some in (cases, other))
    assert one == two


@given(draw_splits(classes, classes), st.integers(1, 61))
@examples(max_examples=15)
def test_blocks_of_any_size_give_the_same_bits(rows, block):
    cases, groups = build_classes(rows)
    whole = bootstrap_figures(cases, groups, root=1, replicates=60)
    assert bootstrap_figures(cases, groups, root=1, replicates=60, block=block) == whole


@given(draw_splits(classes, classes))
@examples(max_examples=15)
def test_a_model_does_not_differ_from_itself(rows):
    cases, groups = build_classes(rows)
    found = bootstrap_differences(cases, cases, groups, root=1, replicates=200)
    for interval in found.whole.values():
        assert interval.estimate in {None, 0.0}
        assert interval.width in {None, 0.0}
