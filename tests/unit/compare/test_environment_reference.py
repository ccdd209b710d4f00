"""What an environment can be compared with, and what is refused because it would show nothing."""

from __future__ import annotations

import json

import pytest

from cxr.compare.environment_reference import load_reference
from cxr.determinism.levels import Level
from cxr.digests.canonical import canonical_json, digest_json
from cxr.errors import RecordError
from cxr.records.manifest import seal_manifest, write_manifest


@pytest.fixture
def capture(make_run):
    """A capture, as a file holds it."""
    return json.loads((make_run() / "env.json").read_bytes())


def save(path, content):
    path.write_bytes(canonical_json(content))
    return path


def test_a_capture_of_each_version_is_read(tmp_path, capture):
    for schema in ("cxr.environment/1", "cxr.environment/2", "cxr.environment/3"):
        found = load_reference(save(tmp_path / "env.json", {**capture, "schema": schema}))
        assert (found.kind, found.level, found.is_of_run) == ("capture", Level.STRICT, False)
        assert found.capture["cpu"] == capture["cpu"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": "cxr.environment/4"}, "its schema is 'cxr.environment/4'"),
        ({"schema": None}, "its schema is None"),
        ({"schema": ["x" * 99]}, "its schema is \\['xxx"),
        ({"cpu": "not_read"}, "the capture is not whole: it lacks cpu"),
        ({"packages": [], "images": None}, "it lacks packages, images"),
    ],
)
def test_a_capture_that_would_show_nothing_is_refused(tmp_path, capture, change, problem):
    with pytest.raises(RecordError, match=problem):
        load_reference(save(tmp_path / "env.json", {**capture, **change}))


def test_a_number_that_is_none_is_refused(tmp_path, capture):
    path = tmp_path / "env.json"
    path.write_text(json.dumps({**capture, "gpu": {"cuda": float("nan")}}), encoding="utf-8")
    with pytest.raises(RecordError, match="it holds NaN, which is no JSON"):
        load_reference(path)


def test_a_run_has_its_own_level(make_run):
    found = load_reference(make_run(config={"determinism": "warn"}))
    assert (found.kind, found.level, found.is_of_run) == ("run", Level.WARN, True)


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_run_that_was_stopped_has_an_environment_too(make_run, status):
    assert load_reference(make_run(status=status)).kind == "run"


def test_a_run_that_never_ended_names_no_files(make_run):
    with pytest.raises(RecordError, match="the run never ended"):
        load_reference(make_run(status="running"))


def test_an_environment_that_was_edited_is_refused(make_run):
    run = make_run()
    content = json.loads((run / "env.json").read_bytes())
    content["cpu"]["model"] = "B"
    save(run / "env.json", content)
    with pytest.raises(RecordError, match=r"env\.json was changed"):
        load_reference(run)


def test_an_environment_that_is_gone_is_missed(make_run):
    run = make_run()
    (run / "env.json").unlink()
    with pytest.raises(RecordError, match="cannot read the record"):
        load_reference(run)


@pytest.mark.parametrize("alone", [False, True])
def test_a_manifest_that_was_edited_is_refused(make_run, edit_manifest, alone):
    run = edit_manifest(make_run(), lambda content: content["libraries"].update(torch="0"))
    with pytest.raises(RecordError, match="the manifest was edited"):
        load_reference(run / "manifest.json" if alone else run)


def test_a_repeat_stands_for_its_first_run(make_run, tmp_path):
    place = tmp_path / "repeat"
    place.mkdir()
    make_run(environment={"cpu.model": "first"}).rename(place / "run-1")
    make_run(environment={"cpu.model": "second"}).rename(place / "run-2")
    answer = {"schema": "cxr.repeat/1", "n": 2, "runs": ["run-1", "run-2"]}
    save(place / "repeat.json", seal_manifest(answer))
    found = load_reference(place)
    assert (found.kind, found.capture["cpu"]["model"]) == ("repeat", "first")
    save(place / "repeat.json", {**seal_manifest(answer), "runs": ["run-2"]})
    with pytest.raises(RecordError, match="the repeat was edited"):
        load_reference(place)
    save(place / "repeat.json", seal_manifest({**answer, "runs": []}))
    with pytest.raises(RecordError, match="the repeat has no run"):
        load_reference(place)


def test_an_evaluation_has_an_environment_of_its_own(make_run, tmp_path):
    run = make_run()
    manifest = json.loads((run / "manifest.json").read_bytes())
    place = tmp_path / "evaluation"
    place.mkdir()
    (run / "env.json").rename(place / "env.json")
    content = {
        "schema": "cxr.evaluation/1",
        "determinism": "warn",
        "files": {"env.json": manifest["files"]["env.json"]},
    }
    write_manifest(place, content)
    found = load_reference(place)
    assert (found.kind, found.level) == ("evaluation", Level.WARN)
    write_manifest(place, {**content, "determinism": ["strict"]})
    with pytest.raises(RecordError, match="names no level"):
        load_reference(place)
    write_manifest(place, {**content, "files": {}})
    with pytest.raises(RecordError, match=r"env\.json was changed"):
        load_reference(place)


CANARIES = {"images.canaries": {"png": "x"}}


def record_facts(facts):
    """Return what a manifest with these facts holds."""
    return {"environment": facts, "environment_digest": digest_json(facts)}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"environment": {}}, "holds no environment"),
        ({"environment": {}, "environment_digest": digest_json({})}, "holds no environment"),
        ({"environment": None}, "holds no environment"),
        ({"environment": ["cpu.model"]}, "holds no environment"),
        ({"environment": {**CANARIES, "cpu.model": "B"}}, "not the one of its digest"),
        ({"environment": CANARIES, "environment_digest": None}, "not the one of its digest"),
        (record_facts({"schema.x": 1, **CANARIES}), "no fact 'schema.x'"),
        (record_facts({"cpu": 1, **CANARIES}), "no fact 'cpu'"),
        (record_facts({"cpu.": 1, **CANARIES}), "no fact 'cpu.'"),
        (record_facts({"code.digest": "x", **CANARIES}), "no fact 'code.digest'"),
        (record_facts({"planted.x": 1, **CANARIES}), "no fact 'planted.x'"),
        (record_facts({"packages.torch": "0", **CANARIES}), "other packages than its libraries"),
    ],
)
def test_an_environment_that_is_not_the_one_of_its_digest_is_refused(
    make_run, edit_manifest, changes, problem
):
    run = edit_manifest(make_run(), lambda content: content.update(changes), seal=True)
    with pytest.raises(RecordError, match=problem) as caught:
        load_reference(run / "manifest.json")
    assert caught.value.where == str(run / "manifest.json")


def test_a_manifest_of_before_tells_its_arithmetic_in_the_recipe(make_run):
    run = make_run(config={"determinism": "portable"}, arithmetic=3)
    manifest = json.loads((run / "manifest.json").read_bytes())
    assert manifest["environment"] == CANARIES
    assert load_reference(run / "manifest.json").capture["arithmetic"] == {"version": 3}
    told = {"determinism": "portable"}
    run = make_run(config=told, environment={"arithmetic.version": 2}, arithmetic=2)
    assert load_reference(run / "manifest.json").capture["arithmetic"] == {"version": 2}


def test_a_manifest_alone_tells_what_it_holds(make_run, edit_manifest, tmp_path):
    run = make_run(controls={"MKL_CBWR": "AVX2"})
    # As in manifests of 0.1.0.
    edit_manifest(run, lambda content: content.pop("environment"), seal=True)
    old = load_reference((run / "manifest.json").rename(tmp_path / "manifest.json"))
    assert (old.kind, old.is_partial) == ("manifest", True)
    assert old.capture["packages"] == {"torch": "2.9", "rich": "14"}
    assert old.capture["code"]["digest"] == "sha256:sources"
    assert old.capture["variables"]["MKL_CBWR"] == "AVX2"
    assert old.capture["numerics"] == {"cpu_capability": "AVX2"}
    facts = {"cpu.model": "A", "switches.torch.default_dtype": "float32", **CANARIES}
    run = edit_manifest(make_run(), lambda content: content.update(record_facts(facts)), seal=True)
    new = load_reference(run / "manifest.json").capture
    assert new["cpu"] == {"model": "A"}
    assert new["switches"] == {"torch.default_dtype": "float32"}
    assert new["variables"] == {}
    edit_manifest(run, lambda content: content.update(libraries=[]), seal=True)
    with pytest.raises(RecordError, match="lacks libraries or controls"):
        load_reference(run / "manifest.json")


def test_what_is_something_else_is_refused(tmp_path):
    (tmp_path / "text").write_text("no record", encoding="utf-8")
    with pytest.raises(RecordError, match="the record is not JSON"):
        load_reference(tmp_path / "text")
    with pytest.raises(RecordError, match="cannot read the record"):
        load_reference(tmp_path / "nowhere")
    with pytest.raises(RecordError, match="not a run directory"):
        load_reference(tmp_path)
    with pytest.raises(RecordError):
        load_reference(tmp_path / "uv.lock")
