"""What a repeat may be compared with, and what is refused before and after the first run."""

from __future__ import annotations

import json

import pytest

from cxr.compare import sound_run
from cxr.compare.verify_findings import Verification
from cxr.config.load import load_config
from cxr.determinism.levels import Level
from cxr.digests.canonical import canonical_json, digest_json
from cxr.errors import RecordError, UsageError
from cxr.records.manifest import load_manifest, seal_manifest
from cxr.repeat import against as repeat_against
from cxr.repeat.against import (
    compare_with,
    load_comparable,
    load_wanted,
    require_same_recipe,
)
from cxr.repeat.report import judge_against, load_completed
from cxr.repeat.run import repeat_recipe
from cxr.repeat.verify import verify_repeat

OTHER = {"weight": 0.75, "upset": frozenset({(1, "gradients", "w")})}
CODE = {"code": "sha256:changed"}


@pytest.fixture
def here(monkeypatch):
    """Have this machine be the one of the fabricated runs; return what it is like."""
    changes = {}

    def capture(reference, ignored, progress):
        del ignored, progress
        found = json.loads(json.dumps(reference.capture))
        for dotted, value in changes.items():
            group, _, name = dotted.partition(".")
            found[group][name] = value
        return found

    monkeypatch.setattr(repeat_against, "capture_for", capture)
    nothing = Verification("completed", 0, 0, [])
    monkeypatch.setattr(sound_run, "verify_run", lambda _: nothing)
    return changes


@pytest.fixture
def base(make_run):
    return make_run(computed=True)


@pytest.fixture
def config(base):
    return load_config(base / "config.yaml")


def write_golden(path, manifest, **changes):
    keys = ("recipe_digest", "outcome_digest", "trace_digest", "recipe")
    golden = {key: manifest[key] for key in keys} | {"determinism": "strict", **changes}
    golden = {key: value for key, value in golden.items() if value is not ...}
    path.write_bytes(canonical_json(golden))
    return path


# Before the first run


@pytest.mark.usefixtures("here")
def test_a_run_of_this_recipe_on_this_machine_will_do(base, config):
    wanted = load_comparable(base, config)
    manifest = load_manifest(base)
    assert (wanted.outcome_digest, wanted.trace_digest, wanted.level) == (
        manifest["outcome_digest"],
        manifest["trace_digest"],
        Level.STRICT,
    )


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (["train.lr=0.5"], "train.lr"),
        (["seed=2", "train.lr=0.5"], "seed, train.lr"),
        (["determinism=warn"], "determinism"),
        (["threads=2"], "threads"),
    ],
)
def test_another_recipe_is_refused_and_what_differs_is_named(base, changes, named):
    other = load_config(base / "config.yaml", changes)
    with pytest.raises(RecordError, match=f"another recipe: it differs in {named}\n"):
        load_comparable(base, other)


@pytest.mark.usefixtures("here")
def test_what_is_no_part_of_the_recipe_may_differ(base):
    load_comparable(base, load_config(base / "config.yaml", ["name=other", "workers=3"]))


def test_a_run_of_another_machine_is_refused(base, config, here):
    here |= {"cpu.model": "B", "os.release": "6.9", "packages.torch": "2.10"}
    with pytest.raises(RecordError, match=r"environment: cpu\.model, packages\.torch\n") as one:
        load_comparable(base, config)
    assert "train the base here" in one.value.hint
    here.clear()
    here |= {"os.release": "6.9", "packages.rich": "15"}
    load_comparable(base, config)


def test_a_run_that_was_changed_or_did_not_complete_is_refused(make_run):
    run = make_run(computed=True)
    load_wanted(run)
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write("\n")
    with pytest.raises(RecordError, match=r"does not verify: metrics\.jsonl"):
        load_wanted(run)
    with pytest.raises(RecordError, match="did not complete"):
        load_wanted(make_run(status="failed"))


def test_a_stored_golden_gates_only_where_bits_travel(base, config, tmp_path):
    path = write_golden(tmp_path / "golden.json", load_manifest(base))
    for level in (Level.STRICT, Level.WARN):
        with pytest.raises(UsageError, match=f"does not gate at the level {level}"):
            load_comparable(path, config.model_copy(update={"determinism": level}))


def test_at_portable_a_golden_gates_its_own_recipe(base, config, tmp_path):
    portable = config.model_copy(update={"determinism": Level.PORTABLE})
    manifest = load_manifest(base)
    fields = repeat_against.find_recipe_fields(portable)
    recipe = {**manifest["recipe"], "config_digest": digest_json(fields)}
    path = write_golden(tmp_path / "g.json", manifest, determinism="portable", recipe=recipe)
    wanted = load_comparable(path, portable)
    assert wanted.outcome_digest == manifest["outcome_digest"]
    # Another code is allowed, other data is not.
    changed = {**recipe, "code_digest": "sha256:changed"}
    require_same_recipe(wanted, {"recipe": changed})
    with pytest.raises(RecordError, match="differs in data, given weights"):
        require_same_recipe(
            wanted, {"recipe": {**recipe, "data_digest": "0", "weights_in": "sha256:1"}}
        )
    other = portable.model_copy(update={"seed": 7})
    with pytest.raises(RecordError, match="differs in config"):
        load_comparable(path, other)
    write_golden(path, manifest, determinism="strict", recipe=recipe)
    with pytest.raises(RecordError, match="differs in determinism"):
        load_comparable(path, portable)


def test_a_golden_without_its_recipe_is_of_one_code(base, tmp_path):
    manifest = load_manifest(base)
    wanted = load_wanted(write_golden(tmp_path / "g.json", manifest, recipe=...))
    require_same_recipe(wanted, manifest)
    with pytest.raises(RecordError, match="differs in recipe_digest"):
        require_same_recipe(wanted, {**manifest, "recipe_digest": "sha256:0"})


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome_digest": ...},
        {"outcome_digest": 7},
        {"determinism": "loose"},
        {"recipe": []},
        {"trace_digest": 7},
    ],
)
def test_what_is_no_golden_is_refused(base, tmp_path, changes):
    path = write_golden(tmp_path / "g.json", load_manifest(base), **changes)
    with pytest.raises(RecordError, match="neither a run nor a golden"):
        load_wanted(path)


# Runs side by side


def test_every_run_must_have_outcome_and_trace():
    same, other = ("o", "t"), ("o", "x")
    assert judge_against("o", "t", [same, same], 2) == (True, None)
    assert judge_against("o", "t", [same, other], 2) == (False, 1)
    assert judge_against("o", "t", [("x", "t")], 2) == (False, 0)
    assert judge_against("o", "t", [same], 2) == (None, None)
    assert judge_against("o", None, [same, other], 2) == (True, None)
    assert judge_against("o", "t", [], 1) == (None, None)


def test_the_first_run_that_differs_is_named_with_where_it_left(make_run, base):
    runs = [make_run(computed=True, **CODE), make_run(computed=True, **OTHER)]
    found = compare_with(load_wanted(base), load_completed(runs), 2)
    assert (found.equal, found.differing) == (False, str(runs[1]))
    parted = found.first_divergence
    assert (parted.step, parted.what, parted.tensor) == (1, "gradients", "w")
    assert compare_with(load_wanted(base), load_completed(runs[:1]), 1).equal is True


def test_a_golden_cannot_tell_where(make_run, base, tmp_path):
    wanted = load_wanted(write_golden(tmp_path / "g.json", load_manifest(base)))
    found = compare_with(wanted, load_completed([make_run(**OTHER)]), 1)
    assert (found.equal, found.first_divergence) == (False, None)


# The whole, with runs that nobody trains


@pytest.fixture
def repeat_with(pool, make_task, config, base, tmp_path):
    """Repeat the recipe with fabricated runs; return directory and report."""

    def repeat(*plans):
        pool.update({n: (0, {"computed": True, **plan}) for n, plan in enumerate(plans, 1)})
        task = make_task(config, len(plans), against=load_wanted(base))
        return repeat_recipe(task, out=tmp_path / "repeat")

    return repeat


def test_code_may_differ_as_long_as_bits_do_not(repeat_with, base):
    out, report = repeat_with(CODE, CODE)
    assert (report.verdict, report.against.equal) == ("zero-variance", True)
    record = json.loads((out / "repeat.json").read_bytes())["against"]
    assert record == {
        "run": base.name,
        "outcome_digest": load_manifest(base)["outcome_digest"],
        "trace_digest": load_manifest(base)["trace_digest"],
        "equal": True,
        "differing": None,
        "first_divergence": None,
    }
    assert verify_repeat(out).findings == []


def test_equal_runs_that_left_the_base_are_kept_so(repeat_with):
    out, report = repeat_with(OTHER, OTHER)
    assert (report.verdict, report.against.equal) == ("zero-variance", False)
    record = json.loads((out / "repeat.json").read_bytes())
    assert record["against"]["differing"] == "run-1"
    assert record["against"]["first_divergence"]["step"] == 1
    assert verify_repeat(out).findings == []


def test_a_difference_from_the_base_is_found_though_a_run_is_missing(repeat_with):
    out, report = repeat_with(OTHER, {"status": "failed"})
    assert (report.verdict, report.against.equal, report.differs) == ("different", False, True)
    assert verify_repeat(out).findings == []
    record = json.loads((out / "repeat.json").read_bytes())
    hidden = seal_manifest({**record, "verdict": "incomplete"})
    (out / "repeat.json").write_bytes(canonical_json(hidden))
    assert [one.problem for one in verify_repeat(out).findings] == [
        "verdict is not what the runs give"
    ]


def test_nothing_is_known_of_the_base_where_all_that_completed_equal_it(repeat_with):
    _, report = repeat_with(CODE, {"status": "failed"})
    assert (report.verdict, report.against.equal, report.differs) == ("incomplete", None, False)


@pytest.mark.parametrize(
    "change", [{"equal": True}, {"equal": None}, {"differing": None}, {"outcome_digest": "x"}]
)
def test_an_answer_that_the_runs_do_not_give_is_found(repeat_with, change):
    out, _ = repeat_with(CODE, OTHER) if "outcome_digest" not in change else repeat_with(CODE)
    record = json.loads((out / "repeat.json").read_bytes())
    record["against"] |= change
    (out / "repeat.json").write_bytes(canonical_json(seal_manifest(record)))
    assert [one.problem for one in verify_repeat(out).findings] == [
        "against is not what the runs give"
    ]


@pytest.mark.parametrize(
    ("change", "named"),
    [({"weights_in": "sha256:w"}, "given weights"), ({"samples": ()}, "data")],
)
def test_other_inputs_are_refused_once_the_first_run_shows_them(
    repeat_with, plain_samples, change, named
):
    if "samples" in change:
        change = {"samples": plain_samples[:-1]}
    with pytest.raises(RecordError, match=f"another recipe: it differs in {named}"):
        repeat_with(change, CODE)


# A repeat instead of a run


def test_a_repeat_stands_for_its_first_run(repeat_with, base, config, monkeypatch):
    out, _ = repeat_with(CODE, CODE)
    wanted = load_wanted(out)
    assert wanted.path == out / "run-1"
    assert wanted.outcome_digest == load_manifest(base)["outcome_digest"]
    monkeypatch.setattr(repeat_against, "capture_for", lambda one, *_: one.capture)
    assert load_comparable(out, config) == wanted


def test_a_repeat_whose_runs_are_not_equal_gates_nothing(repeat_with):
    out, report = repeat_with(CODE, OTHER)
    assert report.verdict == "variance"
    with pytest.raises(RecordError, match="is not of equal runs: variance") as caught:
        load_wanted(out)
    assert caught.value.where == str(out)


def test_a_repeat_that_was_changed_gates_nothing(repeat_with):
    out, _ = repeat_with(CODE, CODE)
    record = json.loads((out / "repeat.json").read_bytes())
    (out / "repeat.json").write_bytes(canonical_json({**record, "n": 3}))
    with pytest.raises(RecordError, match="the repeat was edited"):
        load_wanted(out)
    (out / "repeat.json").write_bytes(canonical_json(record))
    (out / "run-2" / "metrics.jsonl").write_bytes(b"\n")
    with pytest.raises(RecordError, match=r"not of equal runs: run-2/metrics\.jsonl"):
        load_wanted(out)
