"""The same recipe gives the same bits, whatever is around it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from cxr.digests.files import digest_file
from support.places import elsewhere
from support.recipes import images, vectors
from support.runs import FinishedRuns, diff


def test_a_recipe_for_vectors_run_twice_gives_the_same_bits(finished_run: FinishedRuns):
    first, second = finished_run(vectors()), finished_run(vectors(), tag="second")
    assert first.digests == second.digests
    assert (first.directory / "ledger.jsonl").read_bytes() == (
        second.directory / "ledger.jsonl"
    ).read_bytes()
    code, report = diff(first, second)
    assert (code, report["verdict"]) == (0, "identical")
    assert report["differences"] == []
    assert report["first_divergence"] is None


def test_dropout_and_augmentation_change_the_bits_that_repeat(
    finished_run: FinishedRuns, radiographs: Path
):
    # Without this the tests here could pass on a recipe in which nothing is random.
    plain = images(radiographs, model__drop_rate=0.0, train__augment={})
    assert finished_run(plain).digests != finished_run(images(radiographs)).digests


@pytest.mark.parametrize("workers", [0, 4])
def test_workers_do_not_change_bits(finished_run: FinishedRuns, radiographs: Path, workers: int):
    one = finished_run(images(radiographs, workers=1))
    other = finished_run(images(radiographs, workers=workers, name="other"))
    assert one.digests == other.digests
    code, report = diff(one, other)
    assert (code, report["verdict"]) == (0, "identical")
    listed = [(d["part"], d["field"], d["affects_bits"]) for d in report["differences"]]
    assert sorted(listed) == [("config", "name", "no"), ("config", "workers", "no")]


@pytest.mark.parametrize("every", [0, 4])
def test_how_often_tensors_are_kept_does_not_change_bits(finished_run: FinishedRuns, every: int):
    usual = finished_run(vectors())
    sparse = finished_run(vectors(train__tensor_digests_every=every))
    assert usual.digests == sparse.digests
    assert usual.ledger == sparse.ledger
    sizes = [(run.directory / "tensors.bin").stat().st_size for run in (usual, sparse)]
    assert sizes[1] < sizes[0]


def test_directory_hash_seed_and_order_of_variables_do_not_change_bits(
    finished_run: FinishedRuns, shared_directory: Path
):
    usual = finished_run(vectors())
    other = finished_run(vectors(), **elsewhere(shared_directory))
    assert usual.digests == other.digests
    assert diff(usual, other)[1]["differences"] == []


def test_the_same_weights_in_another_file_are_the_same_recipe(
    finished_run: FinishedRuns, tmp_path: Path
):
    giver = finished_run(vectors()).directory / "model.safetensors"
    rewritten = tmp_path / "rewritten.safetensors"
    save_file(load_file(giver), rewritten, metadata={"format": "np"})
    runs = [
        finished_run(
            vectors(
                model__weights={"source": "file", "path": str(file), "sha256": digest_file(file)}
            )
        )
        for file in (giver, rewritten)
    ]
    assert digest_file(giver) != digest_file(rewritten)
    first, second = (run.manifest["recipe_digest"] for run in runs)
    assert first == second
    assert runs[0].digests == runs[1].digests


def test_a_field_that_does_not_act_is_listed_as_not_affecting_bits(finished_run: FinishedRuns):
    usual, other = finished_run(vectors()), finished_run(vectors(train__momentum=0.5))
    assert usual.digests == other.digests
    assert usual.manifest["recipe_digest"] == other.manifest["recipe_digest"]
    assert diff(usual, other)[1]["differences"] == [
        {
            "part": "config",
            "field": "train.momentum",
            "a": 0.9,
            "b": 0.5,
            "affects_bits": "no",
            "cause": None,
        }
    ]


def test_order_in_which_files_were_made_and_their_place_do_not_change_bits(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    root = tmp_path / "a copy of the radiographs"
    for file in sorted(radiographs.rglob("*"), reverse=True):
        if file.is_file():
            (root / file.relative_to(radiographs)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, root / file.relative_to(radiographs))
    here = finished_run(images(radiographs))
    # A cache of its own: everything is decoded anew.
    there = finished_run(images(root, data__cache_dir=str(tmp_path / "cache")))
    assert "decoding images: 28" in there.process.stderr
    assert here.digests == there.digests
    assert diff(here, there)[1]["differences"] == []
