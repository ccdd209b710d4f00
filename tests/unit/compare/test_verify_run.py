from __future__ import annotations

import json

import pytest
import safetensors.torch
import torch

from cxr.compare.verify_run import Finding, verify_run
from cxr.digests.canonical import canonical_json, digest_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.records.data_lock import load_data_lock, write_data_lock
from cxr.records.manifest import EVALUATION_SCHEMA, digest_files, load_manifest, write_manifest
from cxr.records.run_directory import (
    CONFIG,
    DATA_LOCK,
    ENVIRONMENT,
    EVALUATIONS,
    LEDGER,
    LOCK,
    MANIFEST,
    METRICS,
    PREDICTIONS,
    TENSORS,
    WEIGHTS,
)
from support.endless import ENDLESS, must_end

FILES = (CONFIG, DATA_LOCK, ENVIRONMENT, LEDGER, METRICS, PREDICTIONS, TENSORS, WEIGHTS)

CHANGED = "was changed: its bytes have another digest"
NO_FILE = "is a link, or no regular file: a record holds neither"
EDITED = Finding(MANIFEST, "was edited: its content has another manifest_digest")


@pytest.fixture
def run(make_run):
    return make_run(computed=True)


def describe(run):
    return [(finding.path, finding.problem) for finding in verify_run(run).findings]


def test_a_run_as_it_was_written_is_consistent(run):
    found = verify_run(run)
    assert found.status == "completed"
    assert found.num_files == len(FILES)
    assert found.findings == []


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_run_that_ended_early_is_consistent_as_far_as_it_came(make_run, status):
    found = verify_run(make_run(status=status))
    assert (found.status, found.findings) == (status, [])


def test_a_run_that_never_ended_cannot_be_checked(make_run):
    with pytest.raises(RecordError, match="the run never ended"):
        verify_run(make_run(status="running"))


def test_a_directory_that_is_no_run_cannot_be_checked(tmp_path):
    with pytest.raises(RecordError, match="not a run directory"):
        verify_run(tmp_path)


# Files


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_named(run, name):
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 1
    (run / name).write_bytes(content)
    assert (name, CHANGED) in describe(run)
    assert {path for path, _ in describe(run)} == {name}


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_a_byte_more_or_less_is_named(run, name):
    content = (run / name).read_bytes()
    for edited in (content + b"\n", content[:-1], b""):
        (run / name).write_bytes(edited)
        assert (name, CHANGED) in describe(run)
        assert {path for path, _ in describe(run)} == {name}


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(run, name):
    (run / name).unlink()
    assert (name, "is missing") in describe(run)
    assert {path for path, _ in describe(run)} == {name}


@pytest.mark.parametrize("name", ["notes.txt", "checkpoints/step-9.json", ".hidden"])
def test_an_added_file_is_named(run, name):
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).touch()
    assert describe(run) == [(name, "was added: the manifest does not name it")]


def test_a_lock_and_what_a_file_manager_leaves_do_not_change_a_run(run):
    (run / LOCK).touch()
    (run / ".DS_Store").touch()
    assert describe(run) == []


@pytest.mark.parametrize("name", [".model.safetensors.17.tmp", "checkpoints/.x.tmp"])
def test_what_a_killed_process_left_is_named(run, name):
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).touch()
    assert describe(run) == [(name, "was added: the manifest does not name it")]


@pytest.mark.parametrize("name", [METRICS, MANIFEST, LOCK, "more", ".DS_Store"])
def test_a_link_is_named_whatever_it_leads_to(run, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    if (run / name).exists():
        (run / name).rename(elsewhere)
    (run / name).symlink_to(elsewhere)
    assert (name, NO_FILE) in describe(run)


@pytest.mark.parametrize("name", ["checkpoints", EVALUATIONS])
def test_a_link_to_a_directory_is_named_and_not_followed(run, tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "hidden").touch()
    (run / name).symlink_to(tmp_path / "elsewhere")
    assert describe(run) == [(name, NO_FILE)]


@pytest.mark.parametrize("put", ENDLESS)
@pytest.mark.parametrize("name", FILES)
def test_what_never_ends_is_named_and_not_read(run, name, put):
    put(run / name)
    with must_end():
        assert describe(run) == [(name, NO_FILE)]


@pytest.mark.parametrize("put", ENDLESS)
def test_a_manifest_that_never_ends_is_none(run, put):
    put(run / MANIFEST)
    with must_end(), pytest.raises(RecordError, match=r"it holds no manifest\.json"):
        verify_run(run)


@pytest.mark.parametrize("put", ENDLESS)
@pytest.mark.parametrize("name", [PREDICTIONS, ENVIRONMENT])
def test_what_never_ends_in_an_evaluation_is_named_and_not_read(evaluate, name, put):
    place = evaluate()
    put(place / name)
    with must_end():
        assert describe(place) == [(name, NO_FILE)]


@pytest.mark.parametrize("put", ENDLESS)
@pytest.mark.parametrize("name", [CONFIG, DATA_LOCK])
def test_an_evaluation_of_a_run_whose_records_never_end_is_checked(run, evaluate, name, put):
    place = evaluate(intervals={})
    put(run / name)
    with must_end():
        assert describe(place) == []


@pytest.mark.parametrize("put", ENDLESS)
def test_a_config_that_extends_what_never_ends_is_not_read(run, put):
    put(run / "more.yaml")
    text = (run / CONFIG).read_text()
    (run / CONFIG).write_text(f"extends: more.yaml\n{text}")
    reseal_files(run)
    with must_end():
        assert (CONFIG, "is not read: cannot read the config: it is no regular file") in describe(
            run
        )


def test_files_below_a_directory_that_is_called_like_a_lock_are_named(run):
    (run / LOCK).mkdir()
    (run / LOCK / "hidden").touch()
    assert (f"{LOCK}/hidden", "was added: the manifest does not name it") in describe(run)


def test_two_files_that_changed_places_are_both_named(run):
    one, two = (run / METRICS).read_bytes(), (run / CONFIG).read_bytes()
    (run / METRICS).write_bytes(two)
    (run / CONFIG).write_bytes(one)
    assert describe(run) == [(CONFIG, CHANGED), (METRICS, CHANGED)]


# The manifest


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["metrics"].update(accuracy=0.99),
        lambda manifest: manifest["volatile"].update(duration_s=1.5),
        lambda manifest: manifest.update(name="other"),
        lambda manifest: manifest["controls"].update({"torch.num_threads": 8}),
        lambda manifest: manifest.pop("selection"),
        lambda manifest: manifest.update(more=1),
        lambda manifest: manifest.pop("manifest_digest"),
    ],
)
def test_any_edit_of_the_manifest_is_named(run, edit_manifest, change):
    edit_manifest(run, change)
    assert describe(run)[0] == (EDITED.path, EDITED.problem)
    assert {path for path, _ in describe(run)} == {MANIFEST}


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("recipe", {"seed": 2}),
        ("recipe", {"code_digest": "sha256:other"}),
        ("outcome", {"weights_digest": "sha256:other"}),
        ("trace", {"steps": 5}),
    ],
)
def test_an_edit_that_was_sealed_anew_does_not_fit_its_own_digest(run, edit_manifest, part, change):
    edit_manifest(run, lambda manifest: manifest[part].update(change), seal=True)
    assert (MANIFEST, f"{part}_digest is not the digest of {part}") in describe(run)


def reseal_part(part, **changes):
    def change(manifest):
        manifest[part].update(changes)
        manifest[f"{part}_digest"] = digest_json(manifest[part])

    return change


@pytest.mark.parametrize(
    ("part", "change", "finding"),
    [
        (
            "recipe",
            {"config_digest": "sha256:other"},
            (MANIFEST, "config.recipe is not the config of recipe.config_digest"),
        ),
        (
            "recipe",
            {"data_digest": "sha256:other"},
            (DATA_LOCK, "its content is not the one of data_digest"),
        ),
        (
            "outcome",
            {"weights_digest": "sha256:other"},
            (WEIGHTS, "its content is not the one of weights_digest"),
        ),
        (
            "outcome",
            {"predictions_digest": "sha256:other"},
            (PREDICTIONS, "its content is not the one of predictions_digest"),
        ),
        (
            "trace",
            {"ledger_head": "0" * 64},
            (LEDGER, "does not end at the manifest's ledger_head"),
        ),
        ("trace", {"steps": 5}, (LEDGER, "has 4 steps, the manifest 5")),
    ],
)
def test_an_edit_with_every_digest_made_anew_does_not_fit_the_files(
    run, edit_manifest, part, change, finding
):
    edit_manifest(run, reseal_part(part, **change), seal=True)
    assert describe(run) == [finding]


def test_an_edited_config_in_the_manifest_does_not_fit_the_recipe(run, edit_manifest):
    edit_manifest(run, lambda manifest: manifest["config"]["recipe"].update(seed=2), seal=True)
    assert describe(run) == [
        (MANIFEST, "config.recipe is not the config of recipe.config_digest"),
        (MANIFEST, "config.seed is not what config.yaml says"),
    ]


@pytest.mark.parametrize("value", [None, 5, "text", [], {}])
@pytest.mark.parametrize("part", ["recipe", "outcome", "trace", "config", "files", "status"])
def test_a_part_of_another_kind_is_an_edit_and_no_crash(run, edit_manifest, part, value):
    edit_manifest(run, lambda manifest: manifest.update({part: value}))
    assert (EDITED.path, EDITED.problem) in describe(run)


@pytest.mark.parametrize("part", ["recipe", "outcome", "trace", "config", "files", "status"])
def test_a_part_that_is_missing_is_an_edit_and_no_crash(run, edit_manifest, part):
    edit_manifest(run, lambda manifest: manifest.pop(part))
    assert (EDITED.path, EDITED.problem) in describe(run)


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    "part",
    [b'"recipe":{', b'"trace":{', b'"outcome":{', b'"environment":{', b'"config":{"recipe":{'],
)
def test_a_number_that_is_none_is_an_edit_and_no_crash(run, part, value):
    content = (run / MANIFEST).read_bytes()
    assert part in content
    (run / MANIFEST).write_bytes(content.replace(part, part + f'"more":{value},'.encode(), 1))
    with pytest.raises(RecordError, match=f"the record is not JSON: it holds {value}"):
        verify_run(run)


def test_a_completed_run_without_an_outcome_is_not_consistent(run, edit_manifest):
    def remove(manifest):
        for name in ("outcome", "outcome_digest", "trace", "trace_digest"):
            del manifest[name]

    edit_manifest(run, remove, seal=True)
    assert describe(run) != []


# Files that were changed together with the manifest that names them


def reseal_files(run):
    content = json.loads((run / MANIFEST).read_bytes())
    content["files"] = digest_files(run)
    write_manifest(run, content)


def swap_ledger_lines(run):
    lines = (run / LEDGER).read_bytes().splitlines(keepends=True)
    lines[1], lines[2] = lines[2], lines[1]
    (run / LEDGER).write_bytes(b"".join(lines))


def cut_ledger(run):
    lines = (run / LEDGER).read_bytes().splitlines(keepends=True)
    (run / LEDGER).write_bytes(b"".join(lines[:-1]))


def cut_ledger_line(run):
    (run / LEDGER).write_bytes((run / LEDGER).read_bytes()[:-5])


def change_weights(run):
    weights = {"w": torch.tensor([0.75, 2.0]), "b": torch.tensor([0.0])}
    safetensors.torch.save_file(weights, run / WEIGHTS)


def change_predictions(run):
    content = (run / PREDICTIONS).read_bytes()
    (run / PREDICTIONS).write_bytes(content.replace(b"0.25", b"0.26"))


def change_label(run):
    lock = load_data_lock(run / DATA_LOCK)
    content = (run / DATA_LOCK).read_bytes()
    assert lock.samples[0].label == "A"
    (run / DATA_LOCK).write_bytes(content.replace(b'"label":"A"', b'"label":"B"', 1))


def remove_figures(run):
    (run / METRICS).unlink()


def cut_figures(run):
    (run / METRICS).write_bytes((run / METRICS).read_bytes().splitlines(keepends=True)[0])


def leave_gap_in_figures(run):
    (run / METRICS).write_bytes((run / METRICS).read_bytes().splitlines(keepends=True)[1])


def spoil_figures(run):
    (run / METRICS).write_bytes(b"{}\n")


def swap_figures(run):
    lines = (run / METRICS).read_bytes().splitlines(keepends=True)
    (run / METRICS).write_bytes(b"".join(reversed(lines)))


def spoil_weights(run):
    (run / WEIGHTS).write_bytes(b"\x02\0\0\0\0\0\0\0[]")


def spoil_lock(run):
    (run / DATA_LOCK).write_bytes(b"{")


def change_environment(run):
    content = json.loads((run / ENVIRONMENT).read_bytes())
    content["cpu"]["model"] = "B"
    (run / ENVIRONMENT).write_bytes(canonical_json(content) + b"\n")


@pytest.mark.parametrize(
    ("change", "path", "problem"),
    [
        (swap_ledger_lines, LEDGER, "the ledger's chain breaks"),
        (cut_ledger, LEDGER, "does not end at the manifest's ledger_head"),
        (cut_ledger_line, LEDGER, "a ledger line is cut short or is not a step"),
        (change_weights, WEIGHTS, "its content is not the one of weights_digest"),
        (change_predictions, PREDICTIONS, "its content is not the one of predictions_digest"),
        (change_label, DATA_LOCK, "its content is not the one of data_digest"),
        (remove_figures, METRICS, "does not hold one line for each epoch"),
        (cut_figures, METRICS, "does not hold one line for each epoch"),
        (leave_gap_in_figures, METRICS, "does not hold one line for each epoch"),
        (swap_figures, METRICS, "does not hold one line for each epoch"),
        (spoil_figures, METRICS, "a line of the epochs' figures is damaged"),
        (spoil_weights, WEIGHTS, "cannot be read: "),
        (spoil_lock, DATA_LOCK, "cannot be read: "),
        (change_environment, ENVIRONMENT, "its content is not the one of environment_digest"),
    ],
)
def test_a_file_that_was_changed_with_its_digest_does_not_fit_the_rest(run, change, path, problem):
    change(run)
    reseal_files(run)
    [(found_path, found_problem)] = describe(run)
    assert found_path == path
    assert found_problem.startswith(problem)


def test_the_line_of_a_broken_chain_is_named(run):
    swap_ledger_lines(run)
    reseal_files(run)
    [(_, problem)] = describe(run)
    assert problem.endswith(f"({LEDGER}:2, step 1)")


def test_weights_that_were_saved_anew_with_equal_values_differ_as_a_file_alone(run):
    weights = safetensors.torch.load_file(run / WEIGHTS)
    safetensors.torch.save_file(weights, run / WEIGHTS, metadata={"other": "note"})
    assert describe(run) == [(WEIGHTS, CHANGED)]


def test_a_lock_that_was_written_anew_with_equal_samples_is_the_same_file(run):
    before = digest_file(run / DATA_LOCK)
    write_data_lock(run / DATA_LOCK, load_data_lock(run / DATA_LOCK))
    assert digest_file(run / DATA_LOCK) == before


# What the manifest repeats of its files


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda manifest: manifest["metrics"].update(accuracy=1.0),
            "metrics.accuracy is not what the predictions give",
        ),
        (
            lambda manifest: manifest["metrics"]["per_class"]["A"].update(auroc=0.9),
            "metrics.per_class is not what the predictions give",
        ),
        (
            lambda manifest: manifest["libraries"].update(torch="2.99"),
            "libraries are not the packages of env.json",
        ),
        (
            lambda manifest: manifest["config"]["rest"].update(workers=9),
            "config.workers is not what config.yaml says",
        ),
        (lambda manifest: manifest["seeds"].update(root=2), "seeds.root is not what config.yaml"),
        (lambda manifest: manifest.update(name="other"), "name is not what config.yaml says"),
        (reseal_part("recipe", seed=2), "recipe.seed is not what config.yaml says"),
        (reseal_part("recipe", determinism="warn"), "recipe.determinism is not what config.yaml"),
        (
            reseal_part("recipe", code_digest="sha256:other"),
            "code_digest is not what env.json says",
        ),
    ],
)
def test_what_the_manifest_repeats_is_compared_with_the_file(run, edit_manifest, change, problem):
    edit_manifest(run, change, seal=True)
    assert any(path == MANIFEST and found.startswith(problem) for path, found in describe(run))


def test_a_config_that_was_exchanged_with_its_digest_is_named(run):
    text = (run / CONFIG).read_text()
    (run / CONFIG).write_text(text.replace("epochs: 2", "epochs: 3"))
    reseal_files(run)
    assert describe(run) == [(MANIFEST, "config.train.epochs is not what config.yaml says")]


# Evaluations


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (b",0.25,0.75,0.25,", b",1e39,0.75,0.25,", "a logit of 'test/A/5.png' is none"),
        (b",0.25,0.75,0.25,", b",nan,0.75,0.25,", "a logit of 'test/A/5.png' is none"),
        (b",0.25,0.75,0.25,", b",0.25,-inf,0.25,", "a logit of 'test/A/5.png' is none"),
        (b",0.25,0.75,0.25,", b",0.25,0.75,1.25,", "a probability of 'test/A/5.png' is none"),
        (b"5.png,A,B,", b"5.png,A,C,", "names what is no class: C"),
    ],
)
def test_predictions_that_no_model_makes_are_named_whatever_their_digest(
    run, edit_manifest, before, after, problem
):
    content = (run / PREDICTIONS).read_bytes()
    assert before in content
    (run / PREDICTIONS).write_bytes(content.replace(before, after))
    digest = digest_file(run / PREDICTIONS)
    edit_manifest(run, reseal_part("outcome", predictions_digest=digest))
    reseal_files(run)
    [(path, found)] = describe(run)
    assert path == PREDICTIONS
    assert found.endswith(problem)


@pytest.fixture
def evaluate(run):
    """Write a later evaluation of the run, as `cxr evaluate` does but for predicting."""

    def write(name="test-1", **changes):
        place = run / EVALUATIONS / name
        place.mkdir(parents=True)
        for file in (PREDICTIONS, ENVIRONMENT):
            (place / file).write_bytes((run / file).read_bytes())
        parent = load_manifest(run)
        outcome = parent["outcome"]["predictions_digest"]
        write_manifest(
            place,
            {
                "schema": EVALUATION_SCHEMA,
                "status": "completed",
                "run": {"manifest_digest": parent["manifest_digest"]},
                "determinism": "strict",
                "predictions_digest": outcome,
                **{key: parent[key] for key in ("metrics", "environment_digest", "libraries")},
                "files": digest_files(place),
                **changes,
            },
        )
        return place

    return write


def test_an_evaluation_is_checked_alone_and_with_its_run(run, evaluate):
    place = evaluate()
    assert verify_run(place).findings == []
    found = verify_run(run)
    assert (found.num_evaluations, found.num_files, found.findings) == (1, len(FILES) + 2, [])
    (place / PREDICTIONS).write_bytes(b"paths\n")
    assert (PREDICTIONS, CHANGED) in describe(place)
    assert (f"{EVALUATIONS}/test-1/{PREDICTIONS}", CHANGED) in describe(run)


def test_an_evaluation_of_another_run_is_named(run, evaluate):
    evaluate(run={"manifest_digest": "sha256:other"})
    assert describe(run) == [(f"{EVALUATIONS}/test-1", "is an evaluation of another manifest")]


def test_edited_figures_of_an_evaluation_are_named(run, evaluate):
    evaluate(metrics={**load_manifest(run)["metrics"], "auroc": 0.99})
    [(path, problem)] = describe(run)
    assert path == f"{EVALUATIONS}/test-1/{MANIFEST}"
    assert problem == "metrics.auroc is not what the predictions give"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("notes.txt", "is no evaluation's directory"),
        ("empty/", "not a run directory: it holds no manifest.json"),
        (".x17/", "was left by a killed evaluation"),
    ],
)
def test_what_is_no_evaluation_is_named(run, name, problem):
    place = run / EVALUATIONS / name
    (run / EVALUATIONS).mkdir()
    place.mkdir() if name.endswith("/") else place.touch()
    assert describe(run) == [(f"{EVALUATIONS}/{place.name}", problem)]
