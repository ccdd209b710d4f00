"""The card is read as it is meant: by a hub, and by people, whatever classes are called."""

from __future__ import annotations

import pytest
from huggingface_hub import ModelCard

from cxr.records.data_lock import DataLock
from cxr.release.card import CardFacts, render_card
from cxr.release.card_markdown import escape
from cxr.release.preprocessing import describe_preprocessing

AGREEMENT = {"num_images": 8, "num_same": 8, "largest_difference": 0.0, "changed_decisions": 0}
HOSTILE = "a|b\n---\nlicense: mit <script> `x` \u202e"


@pytest.fixture
def facts(make_run):
    """The facts of a run that nobody trained."""
    import json

    from cxr.config.load import load_config
    from cxr.records.data_lock import load_data_lock

    run = make_run(computed=True)
    config = load_config(run / "config.yaml")

    def build(**changes):
        manifest = json.loads((run / "manifest.json").read_bytes())
        whole = {"accuracy": {"low": 0.25, "high": 0.75, "method": "bootstrap"}}
        whole["auroc"] = {"low": None, "high": None, "method": "bootstrap"}
        intervals = {"level": 0.95, "replicates": 2000, "num_groups": 2, "whole": whole}
        given = {
            "manifest": manifest,
            "config": config,
            "lock": load_data_lock(run / "data.lock.json"),
            "intervals": intervals,
            "timm": AGREEMENT,
            "onnx": None,
            "preprocessing": describe_preprocessing(config.data),
            "license_name": None,
        }
        return CardFacts(**{**given, **changes})

    return build


def test_a_hub_reads_the_figures_and_their_intervals(facts):
    given = facts(license_name="cc-by-4.0")
    data = ModelCard(render_card(given)).data
    figures = given.manifest["metrics"]
    assert (data.license, data.library_name, data.pipeline_tag) == (
        "cc-by-4.0",
        "timm",
        "image-classification",
    )
    found = {one.metric_name: one for one in data.eval_results}
    assert found["accuracy"].metric_value == figures["accuracy"]
    assert found["accuracy"].metric_args == {
        "confidence": 0.95,
        "low": 0.25,
        "high": 0.75,
        "method": "bootstrap",
    }
    assert found["auroc"].metric_type == "roc_auc"
    assert found["auroc"].metric_args is None
    assert found["auroc"].dataset_split == "test"
    assert found["auroc"].dataset_revision == given.manifest["recipe"]["data_digest"]


def test_without_a_licence_or_intervals_none_is_told(facts):
    card = render_card(facts(intervals=None))
    assert ModelCard(card).data.license is None
    assert all(one.metric_args is None for one in ModelCard(card).data.eval_results)
    assert "resamples" not in card


def test_changed_code_is_told_in_the_words_that_were_given(facts):
    assert "was changed since commit" not in render_card(facts())
    card = render_card(facts(changed_code="A seed | was *printed*."))
    (line,) = [line for line in card.splitlines() if "was changed since commit" in line]
    assert line.endswith(escape("A seed | was *printed*."))
    assert "*printed*" not in line


def test_a_class_name_is_shown_and_obeyed_nowhere(facts):
    given = facts()
    samples = tuple(
        type(one)(**{**{name: getattr(one, name) for name in one.__slots__}, "label": HOSTILE})
        for one in given.lock.samples
    )
    lock = DataLock(classes=(HOSTILE, "B"), samples=samples)
    card = render_card(facts(lock=lock))
    assert ModelCard(card).data.license is None
    assert "<script>" not in card
    assert "\u202e" not in card
    (row,) = [line for line in card.splitlines() if "a\\|b" in line and line.endswith("| 2 |")]
    assert row.replace("\\|", "").count("|") == 5


def test_no_sample_or_patient_is_named(facts):
    given = facts()
    card = render_card(given)
    for one in given.lock.samples:
        assert one.path not in card
        assert one.sha256 not in card
    assert "not a medical device" in card


def test_escaped_text_reads_as_it_was():
    # A line's end is shown as its code, and the code's own sign is escaped as well.
    assert escape("a_b | *c*\n# d") == r"a\_b \| \*c\*\\n\# d"
