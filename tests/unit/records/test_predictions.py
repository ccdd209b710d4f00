from __future__ import annotations

import numpy as np
import pytest

from cxr.digests.canonical import digest_bytes
from cxr.errors import RecordError
from cxr.records.predictions import Prediction, load_predictions, write_predictions

CLASSES = ("NORMAL", 'a "quoted", class')
ROWS = [
    Prediction(
        path="test/NORMAL/a.jpeg",
        label="NORMAL",
        decision=CLASSES[1],
        logits=("-0.1", "3.4028235e+38"),
        probabilities=(0.1, 0.9000000000000001),
    ),
    Prediction(
        path='test/ü, "b"\n.png',
        label=CLASSES[1],
        decision="NORMAL",
        logits=("1e-45", "-0.0"),
        probabilities=(5e-324, 1.0),
    ),
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "predictions.csv"


def test_what_is_written_is_read_again_to_the_same_bits(file):
    digest = write_predictions(file, CLASSES, ROWS)
    assert digest == digest_bytes(file.read_bytes())
    assert load_predictions(file) == (CLASSES, ROWS)


def test_the_file_is_what_the_format_says(file):
    write_predictions(
        file,
        ("A", "B"),
        [
            Prediction(
                path="x", label="A", decision="B", logits=("0.5", "1.0"), probabilities=(0.25, 0.75)
            )
        ],
    )
    assert file.read_bytes() == (
        b"path,label,decision,logit:A,logit:B,probability:A,probability:B\n"
        b"x,A,B,0.5,1.0,0.25,0.75\n"
    )


def test_no_images_are_a_head_alone(file):
    write_predictions(file, CLASSES, [])
    assert load_predictions(file) == (CLASSES, [])


def test_texts_of_float32_read_back_to_the_same_number(file):
    values = np.array([0.1, 1 / 3, 1e-45, 16777217, -0.0], dtype=np.float32)
    row = Prediction(
        path="x",
        label="A",
        decision="A",
        logits=tuple(str(value) for value in values),
        probabilities=(0.2,) * 5,
    )
    write_predictions(file, tuple("ABCDE"), [row])
    [found] = load_predictions(file)[1]
    assert np.array(found.logits, dtype=np.float32).tobytes() == values.tobytes()


def test_a_file_cut_within_a_line_is_refused(file):
    write_predictions(
        file,
        ("A", "B"),
        [
            Prediction(
                path=f"{n}",
                label="A",
                decision="B",
                logits=("0.5", "1.25"),
                probabilities=(0.25, 0.75),
            )
            for n in range(2)
        ],
    )
    content = file.read_bytes()
    for size in range(len(content)):
        if content[:size].endswith(b"\n"):
            continue
        file.write_bytes(content[:size])
        with pytest.raises(RecordError, match="cannot read the predictions"):
            load_predictions(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\xff\xfe",
        b"a,b,c\n1,2,3\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,0.5\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,0.5,0.5,0.5\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,0.5,half\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,1e39,0.5\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,-3.4028236e+38,0.5\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,nan,0.5\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,inf,0.5\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,0.5,nan\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,0.5,inf\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,0.5,1.0000000000000002\n",
        b"path,label,decision,logit:A,probability:A\nx,A,A,0.5,-5e-324\n",
        b"path,label,decision,logit:A,probability:A\n\n",
        b"path,label,decision,logit:A,probability:A,probability:B\nx,A,A,0.5,0.5,0.5\n",
        b"path,label,decision,logit:A,probability:B\nx,A,A,0.5,0.5\n",
    ],
)
def test_what_is_no_predictions_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(RecordError, match="cannot read the predictions") as caught:
        load_predictions(file)
    assert caught.value.where == str(file)


def test_a_missing_file_is_refused(file):
    with pytest.raises(RecordError, match="cannot read the predictions"):
        load_predictions(file)


def test_several_labels_have_columns_that_say_so_and_read_back(file):
    rows = [
        Prediction(
            path="a.png",
            label="A?",
            decision="A|B",
            logits=("0.5", "1.0"),
            probabilities=(0.62, 0.73),
            asks_each_label=True,
        )
    ]
    write_predictions(file, ("A", "B"), rows)
    content = file.read_text(encoding="utf-8")
    assert content.startswith("path,labels,decisions,logit:A,logit:B,")
    assert load_predictions(file) == (("A", "B"), rows)
    file.write_text(content.replace("labels,decisions", "labels,decision"), encoding="utf-8")
    with pytest.raises(RecordError, match="does not name the columns"):
        load_predictions(file)
