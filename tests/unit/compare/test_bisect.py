from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cxr.compare import bisect
from cxr.compare.bisect import Exchange, bisect_differences, derive_exchanges, find_causes
from cxr.compare.inputs import find_differences
from cxr.compare.replay_process import RecordedRun
from cxr.compare.report import Divergence, ReplayedRun
from cxr.determinism.variables import NOT_RECORDED
from cxr.progress import SILENCE
from cxr.records.manifest import load_manifest

NAMES = [f"field{number}" for number in range(12)]
EXCHANGES = [Exchange(name, ()) for name in NAMES]


def search(exchanges, causes):
    """Look for causes of which all must be exchanged; return them and how often was tried."""
    tries = []

    def gives_b(subset):
        tries.append(subset)
        return causes <= {one.name for one in subset}

    found = find_causes(exchanges, gives_b)
    assert found.tried == len(tries)
    return {one.name for one in found.causes}, len(tries)


@given(st.sets(st.sampled_from(NAMES), min_size=1))
def test_exactly_the_causes_are_found(causes):
    found, tried = search(EXCHANGES, causes)
    assert found == causes
    assert tried <= len(NAMES) * (len(NAMES) + 3)


def test_only_what_was_tried_is_ruled_out():
    found = find_causes(EXCHANGES[:5], lambda subset: "field2" in {one.name for one in subset})
    assert [one.name for one in found.ruled_out] == ["field0", "field1"]
    found = find_causes(EXCHANGES[:3], lambda _: False)
    assert (found.causes, found.ruled_out) == ([], [])
    both = {"field0", "field3"}
    found = find_causes(EXCHANGES[:4], lambda subset: both <= {one.name for one in subset})
    assert [one.name for one in found.ruled_out] == ["field1", "field2"]


def test_one_cause_is_found_one_at_a_time():
    assert search(EXCHANGES, {"field3"}) == ({"field3"}, 4)


def test_nothing_is_found_where_the_cause_cannot_be_exchanged():
    found, tried = search(EXCHANGES[:4], {"elsewhere"})
    assert (found, tried) == (set(), 5)
    assert search([], {"elsewhere"}) == (set(), 0)


def exchanges_of(a, b):
    manifests = load_manifest(a), load_manifest(b)
    differences = find_differences(a, b, *manifests)
    run = RecordedRun(directory=b, manifest=manifests[1])
    exchanges, left = derive_exchanges(run, differences)
    described = {one.name: (one.overrides, one.variables) for one in exchanges}
    return described, [one.field for one in left]


def test_a_field_is_exchanged_as_the_config_writes_it(make_run):
    b = make_run(config={"seed": 2, "train.class_weights": [1.0, 2.5], "name": "other"})
    assert exchanges_of(make_run(), b) == (
        {
            "seed": (("seed=2",), ()),
            "train.class_weights": (("train.class_weights=[1.0, 2.5]",), ()),
        },
        [],
    )


def test_all_differing_images_are_one_exchange(make_run, replace_image):
    changed = replace_image("train/B/2.png", sha256="sha256:other", label="A")
    b = make_run(config={"data.root": "/elsewhere/data"}, samples=changed)
    found, left = exchanges_of(make_run(), b)
    assert found == {"the data": (('data.root="/elsewhere/data"',), ())}
    assert left == []


def test_fields_of_another_kind_of_data_go_together(make_run):
    synthetic = {"data.source": "synthetic", "data.root": None, "data.classes": []}
    b = make_run(config={**synthetic, "data.image_size": 28, "data.channels": 1}, samples=())
    found, left = exchanges_of(make_run(), b)
    assert list(found) == ["the data"]
    assert 'data.source="synthetic"' in found["the data"][0]
    assert "data.root=null" in found["the data"][0]
    assert left == []


def test_a_variable_whose_value_is_not_known_is_not_exchanged(make_run):
    b = make_run(environment={"variables.OMP_TOOL_LIBRARIES": NOT_RECORDED})
    found, left = exchanges_of(make_run(), b)
    assert (found, left) == ({}, ["variables.OMP_TOOL_LIBRARIES"])


def test_given_weights_are_one_exchange(make_run):
    named = {"source": "file", "path": "/w.safetensors", "sha256": f"sha256:{'1' * 64}"}
    a, b = make_run(), make_run(config={"model.weights": named}, weights_in="sha256:1")
    found, _ = exchanges_of(a, b)
    [(name, ([text], _))] = found.items()
    assert name == "the given weights"
    assert text.startswith('model.weights={"source": "file", "path": "/w.safetensors"')
    found, _ = exchanges_of(b, a)
    assert found == {"the given weights": (("model.weights=null",), ())}


def test_a_variable_is_exchanged_and_another_processor_is_not(make_run):
    b = make_run(
        environment={"variables.MKL_CBWR": "AVX2", "cpu.model": "B", "packages.torch": "3"},
        controls={"MKL_CBWR": "AVX2"},
        code="sha256:other",
    )
    found, left = exchanges_of(make_run(), b)
    assert found == {"MKL_CBWR": ((), (("MKL_CBWR", "AVX2"),))}
    assert sorted(left) == ["code_digest", "cpu.model", "packages.torch"]


def test_a_first_run_that_was_replayed_is_not_run_again_to_see_whether_it_repeats(
    make_run, monkeypatch
):
    places = make_run(), make_run(config={"train.lr": 2e-3})
    runs = [RecordedRun(directory=place, manifest=load_manifest(place)) for place in places]
    differences = find_differences(*places, *(run.manifest for run in runs))
    asked = []

    def replay(_run, options, **_):
        asked.append(list(options))
        return {"left_at": None, "left_in": None, "begun_at": -1}

    monkeypatch.setattr(bisect, "run_replay", replay)
    parted = Divergence(step=0, epoch=0, what="optimizer", tensor="lr")

    def look(*, unchanged):
        asked.clear()
        return bisect_differences(
            *runs, parted, differences, unchanged=unchanged, progress=SILENCE
        )[1]

    same = ReplayedRun(reproduced=True, begun_at=-1, left_at=None, left_in=None)
    other = ReplayedRun(reproduced=False, begun_at=-1, left_at=0, left_in="gradients")
    assert look(unchanged=None).causes == look(unchanged=same).causes == ["train.lr"]
    assert len(asked) == 1
    look(unchanged=None)
    assert asked[0] == ["--step", "0"]
    assert len(asked) == 2
    told = look(unchanged=other)
    assert told.note == (
        "run a does not repeat here: it leaves its own ledger at step 0 (gradients)"
    )
    assert asked == []
