"""Images are ranked by what was said of the truth, and by how close the decision was."""

from __future__ import annotations

from cxr.records.predictions import Prediction
from cxr.reports.html.hard_images import judge_images


def predict(label: str, decision: str, *probabilities: float, several: bool = False) -> Prediction:
    return Prediction(
        path=f"{label}.png",
        label=label,
        decision=decision,
        logits=tuple("0" for _ in probabilities),
        probabilities=probabilities,
        asks_each_label=several,
    )


def test_of_classes_the_truth_is_its_own_probability_and_the_margin_that_to_the_second():
    (found,) = judge_images(["a", "b", "c"], [predict("c", "a", 0.5, 0.25, 0.25)])
    assert (found.truth, found.margin, found.asked, found.is_wrong) == (0.25, 0.25, "", True)


def test_of_labels_it_is_that_of_the_worst_known_one():
    row = predict("a|c?", "b", 0.25, 0.625, 0.5, several=True)
    (found,) = judge_images(["a", "b", "c"], [row])
    # a is true with 0.25, b is false with 0.625; nobody knows c, although it is the closest.
    assert (found.truth, found.asked, found.margin, found.is_wrong) == (0.25, "a", 0.25, True)


def test_a_label_that_is_absent_and_decided_present_by_one_half_is_wrong():
    (found,) = judge_images(["a"], [predict("-", "a", 0.5, several=True)])
    assert (found.truth, found.is_wrong) == (0.5, True)
    (found,) = judge_images(["a"], [predict("a", "a", 0.5, several=True)])
    assert not found.is_wrong


def test_an_image_of_which_nothing_is_known_is_not_judged():
    assert judge_images(["a"], [predict("a?", "a", 0.9, several=True)]) == []


def test_a_right_decision_is_not_wrong_however_close():
    (found,) = judge_images(["a", "b", "c"], [predict("a", "a", 0.4, 0.3, 0.3)])
    assert not found.is_wrong
