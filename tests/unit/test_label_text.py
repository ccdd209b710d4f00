from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.label_text import format_labels, is_plain_name, parse_labels
from properties.strategies import examples

CLASSES = ("Edema", "Fracture", "Pleural Effusion")

names = st.text(min_size=1, max_size=8).filter(is_plain_name)
labelled = st.lists(names, min_size=1, max_size=6, unique=True).flatmap(
    lambda classes: st.tuples(
        st.just(tuple(classes)),
        st.tuples(*[st.sampled_from([True, False, None]) for _ in classes]),
    )
)


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ((True, False, False), "Edema"),
        ((False, False, False), "-"),
        ((True, None, True), "Edema|Fracture?|Pleural Effusion"),
        ((None, None, None), "Edema?|Fracture?|Pleural Effusion?"),
    ],
)
def test_labels_are_written_in_their_order_and_read_back(answers, text):
    assert format_labels(CLASSES, answers) == text
    assert parse_labels(CLASSES, text) == answers


@given(labelled)
@examples(max_examples=200)
def test_any_labels_of_plain_names_read_back(drawn):
    classes, answers = drawn
    assert parse_labels(classes, format_labels(classes, answers)) == answers


@given(labelled, labelled)
@examples(max_examples=100)
def test_two_texts_are_equal_only_if_the_answers_are(one, other):
    classes, answers = one
    others = tuple(other[1][place % len(other[1])] for place in range(len(classes)))
    same = format_labels(classes, answers) == format_labels(classes, others)
    assert same == (answers == others)


@pytest.mark.parametrize(
    "text", ["", "Oedema", "Fracture|Edema", "Edema|Edema", "Edema|", "?", "Edema??", "Edema|-"]
)
def test_a_text_that_was_not_written_so_is_refused(text):
    with pytest.raises(ValueError, match="is no text of labels"):
        parse_labels(CLASSES, text)


def test_one_class_stands_for_itself_whatever_its_name_holds():
    assert parse_labels(("a|b", "a", "b?"), "a|b") == (True, False, False)
    assert parse_labels(("a|b", "b", "b?"), "b?") == (False, False, True)


@pytest.mark.parametrize(
    ("name", "plain"), [("Edema", True), ("a-b", True), ("-", False), ("a|b", False), ("a?", False)]
)
def test_a_plain_name_holds_nothing_that_is_written_between_names(name, plain):
    assert is_plain_name(name) is plain
