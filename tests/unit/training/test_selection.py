from __future__ import annotations

import pytest

from cxr.config.schema import TrainConfig
from cxr.training.selection import Selection, is_better


def configure(**changes):
    return TrainConfig(epochs=9, batch_size=1, **changes)


def follow(figures, **changes):
    selection, config = Selection(), configure(**changes)
    answers = [selection.consider(epoch, figure, config) for epoch, figure in enumerate(figures)]
    return selection, answers


@pytest.mark.parametrize("monitor", ["accuracy", "balanced_accuracy", "macro_f1", "auroc"])
def test_the_greatest_figure_is_chosen(monitor):
    selection, answers = follow([0.5, 0.7, 0.6, 0.9, 0.8], monitor=monitor)
    assert answers == [True, True, False, True, False]
    assert selection == Selection(epoch=3, figure=0.9, epochs_since=1)


def test_the_least_loss_is_chosen():
    selection, answers = follow([0.5, 0.7, 0.4, 0.6], monitor="loss")
    assert answers == [True, False, True, False]
    assert (selection.epoch, selection.figure) == (2, 0.4)


@pytest.mark.parametrize("monitor", ["auroc", "loss"])
def test_of_equal_figures_the_earlier_is_kept(monitor):
    selection, answers = follow([0.5, 0.5, 0.5], monitor=monitor)
    assert answers == [True, False, False]
    assert selection == Selection(epoch=0, figure=0.5, epochs_since=2)


def test_an_undefined_figure_stands_in_where_there_is_no_other():
    selection, answers = follow([None, None, 0.1, None])
    assert answers == [True, False, True, False]
    assert selection == Selection(epoch=2, figure=0.1, epochs_since=1)


def test_training_stops_when_patience_is_at_its_end():
    config = configure(patience=2)
    selection = Selection()
    stopped = []
    for epoch, figure in enumerate([0.5, 0.4, 0.6, 0.5, 0.6]):
        selection.consider(epoch, figure, config)
        stopped.append(selection.is_exhausted(config))
    assert stopped == [False, False, False, False, True]


def test_without_patience_training_goes_on():
    selection, _ = follow([0.5] * 9)
    assert not selection.is_exhausted(configure())


def test_a_selection_is_written_and_read_as_plain_numbers():
    selection, _ = follow([0.5, 0.4])
    assert Selection(**selection.to_json()) == selection
    assert selection.to_json() == {"epoch": 0, "figure": 0.5, "epochs_since": 1}


@pytest.mark.parametrize(
    ("figure", "best", "higher", "lower"),
    [(1, 2, False, True), (2, 1, True, False), (1, None, True, True), (None, 1, False, False)],
)
def test_better_depends_on_the_monitor(figure, best, higher, lower):
    assert is_better(figure, best, "auroc") is higher
    assert is_better(figure, best, "loss") is lower
    assert is_better(None, None, "loss") is False
