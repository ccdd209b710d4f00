from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st

from cxr.digests.canonical import digest_bytes
from cxr.errors import RecordError
from cxr.records.predictions import Prediction, load_predictions, write_predictions
from properties.strategies import examples, float32_texts, prediction_sets, probabilities

class_names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6
)


@st.composite
def tables(draw):
    classes = tuple(draw(st.lists(class_names, min_size=1, max_size=3, unique=True)))
    num = len(classes)
    row = st.builds(
        Prediction,
        path=class_names,
        label=st.sampled_from(classes),
        decision=st.sampled_from(classes),
        logits=st.tuples(*[float32_texts] * num),
        probabilities=st.tuples(*[probabilities] * num),
    )
    return classes, draw(st.lists(row, max_size=4))


@given(tables())
@examples(max_examples=80)
def test_predictions_read_back_to_the_same_bits(table):
    classes, rows = table
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "predictions.csv"
        digest = write_predictions(path, classes, rows)
        assert digest == digest_bytes(path.read_bytes())
        found = load_predictions(path)
    assert repr(found) == repr((classes, rows))


@given(prediction_sets(max_images=4), st.data())
@examples(max_examples=60)
def test_predictions_that_were_cut_are_refused_or_fewer(drawn, data):
    classes, rows = drawn
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "predictions.csv"
        write_predictions(path, classes, rows)
        content = path.read_bytes()
        kept = content[: data.draw(st.integers(0, len(content) - 1))]
        assume(not kept.endswith(b"\n"))
        path.write_bytes(kept)
        try:
            found = load_predictions(path)
        except RecordError:
            found = None
    assert found is None
