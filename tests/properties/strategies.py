"""Hypothesis strategies for what cxr reads and writes, and the settings they run under.

Examples are derived from each test's own source, so a run on another day tries the same ones.
"""

from __future__ import annotations

import functools
import math
import string

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from cxr.determinism.streams import MAX_SEED
from cxr.records.data_lock import DataLock, Sample
from cxr.records.predictions import Prediction

examples = functools.partial(
    settings,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    # Shrinking a config takes minutes; what is drawn here is small as it is.
    phases=(Phase.explicit, Phase.generate),
    # How long an example takes says nothing here: the cores are shared.
    suppress_health_check=[HealthCheck.too_slow],
)

CLASSES = ("NORMAL", "PNEUMONIA", "OTHER")

seeds = st.one_of(st.integers(0, MAX_SEED), st.sampled_from([0, 1, 2**32, MAX_SEED]))

words = st.integers(0, 2**32 - 1)

finite_floats = st.floats(allow_nan=False, allow_infinity=False)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite_floats | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)

file_names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0\r\n", exclude_categories=["Cs"]),
    min_size=1,
    max_size=12,
)

digests = st.binary(min_size=32, max_size=32).map(lambda content: f"sha256:{content.hex()}")

samples = st.builds(
    Sample,
    path=st.builds("{}/{}".format, st.sampled_from(["train", "test"]), file_names),
    bytes=st.integers(0, 2**40),
    sha256=digests,
    label=st.sampled_from(CLASSES),
    group=file_names,
    split=st.sampled_from(["train", "val", "test"]),
)

data_locks = st.builds(
    DataLock,
    classes=st.just(CLASSES),
    samples=st.lists(samples, min_size=1, max_size=6, unique_by=lambda sample: sample.path).map(
        tuple
    ),
)

step_digests = st.binary(min_size=16, max_size=16)

step_parts = st.fixed_dictionaries(
    {
        "samples": st.fixed_dictionaries({"indices": step_digests}),
        "gradients": st.dictionaries(st.text(max_size=5), step_digests, max_size=3),
        "parameters": st.dictionaries(st.text(max_size=5), step_digests, max_size=3),
    }
)

float32_texts = st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr)

probabilities = st.floats(0, 1)


_logits = st.sampled_from([-200.0, -20.0, -1.0, -0.5, 0.0, 0.5, 1.0, 20.0, 200.0])
"""On a coarse grid, so that ties between images are common; the outer ones saturate."""


def _softmax(row):
    powers = [math.exp(value - max(row)) for value in row]
    return tuple(power / math.fsum(powers) for power in powers)


@st.composite
def prediction_sets(draw, *, max_images=12):
    """Class names and predictions: ties, absent classes and single images included."""
    classes = CLASSES[: draw(st.integers(2, len(CLASSES)))]
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(classes), st.tuples(*[_logits] * len(classes))),
            min_size=1,
            max_size=max_images,
        )
    )
    return classes, [
        Prediction(
            path=f"test/{index}.png",
            label=label,
            decision=classes[row.index(max(row))],
            logits=tuple(map(repr, row)),
            probabilities=_softmax(row),
        )
        for index, (label, row) in enumerate(rows)
    ]


config_names = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8) | (
    st.sampled_from(["010", "08", "1e5", "0x1F", "0o7", "null", "yes", "True", "off", "1.5"])
)
"""Plain names, and those that YAML may take for something else."""

config_trees = st.fixed_dictionaries(
    {
        "name": config_names,
        "seed": seeds,
        "threads": st.integers(1, 64),
        "data": st.fixed_dictionaries(
            {"source": st.just("folder"), "root": st.just("images")},
            optional={
                "image_size": st.integers(8, 1024),
                "channels": st.sampled_from([1, 3]),
                "mean": st.floats(0, 1),
                "split_seed": seeds,
            },
        ).flatmap(
            lambda data: st.lists(config_names, min_size=2, max_size=4, unique=True).map(
                lambda classes: {**data, "classes": classes}
            )
        ),
        "model": st.fixed_dictionaries({"name": config_names}),
        "train": st.fixed_dictionaries(
            {"epochs": st.integers(1, 1000), "batch_size": st.integers(1, 1000)},
            optional={
                "lr": st.floats(1e-12, 100),
                "optimizer": st.sampled_from(["sgd", "adamw"]),
                "betas": st.lists(st.floats(0, 0.999), min_size=2, max_size=2),
            },
        ),
    },
    optional={
        "determinism": st.sampled_from(["warn", "strict"]),
        "workers": st.integers(0, 256),
        "evaluate": st.fixed_dictionaries({"batch_size": st.integers(1, 1000)}),
    },
)

_YAML_PIECES = (
    *(
        "a: ",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        "&x ",
        "*x",
        "<<: ",
        "'",
        '"',
        "|\n",
        ">\n",
        "\n",
        "  ",
    ),
    *("!!bool ", "!!int ", "!!float ", "!!binary ", "!own ", "1e3", "010", "null", "~", ".inf"),
    *("---\n", "...\n", "%YAML 1.2\n", "#x", "data: ", "train: ", "root: "),
)

yaml_texts = st.one_of(
    st.text("ab01:-[]{},'\"#&*!|>%@`?~.eE+_ \n\\", max_size=30),
    st.lists(st.sampled_from(_YAML_PIECES), max_size=12).map("".join),
)
"""Texts that are YAML, nearly YAML, or nothing of the kind."""
