"""``cxr data prepare``: decoding ahead of time, stopped and gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.program import read_answer, read_error, run_cxr
from support.recipes import images, write_recipe

TRAINERS = ("torch", "timm", "torchvision")
NUM_BYTES = 28 * 32 * 32


@pytest.fixture
def config(radiographs: Path, tmp_path: Path) -> Path:
    recipe = images(radiographs, data__cache_dir=str(tmp_path / "cache"))
    return write_recipe(tmp_path / "recipe.yaml", recipe)


def prepare(config: Path, *options: str, fault: str = ""):
    command = ("data", "prepare", "--config", config, *options)
    return run_cxr(*command, fault=fault, blocked=() if fault else TRAINERS)


def read_cache(directory: Path) -> dict[str, bytes]:
    return {
        file.relative_to(directory).as_posix(): file.read_bytes()
        for file in directory.rglob("*")
        if file.is_file()
    }


def test_a_set_is_prepared_once(config: Path, tmp_path: Path):
    first = prepare(config)
    assert (first.returncode, first.stderr.splitlines()[-1]) == (0, "decoding images: 28")
    (place,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert first.stdout == f"prepared: 28 images, {NUM_BYTES:,} bytes\n  cache {place}\n"
    again = prepare(config, fault="no-decoding")
    assert again.stdout == f"ready already: 28 images, {NUM_BYTES:,} bytes\n  cache {place}\n"
    answer = read_answer(prepare(config, "--json", "-q"))
    assert answer == {"cache": str(place), "images": 28, "bytes": NUM_BYTES, "decoded": 0}


@pytest.mark.parametrize(
    ("fault", "code", "most_decoded"),
    [("interrupted-decoding:15", 130, 22), ("killed-decoding:20", -9, 27)],
)
def test_what_was_decoded_before_it_was_stopped_is_not_decoded_again(
    config: Path, tmp_path: Path, fault: str, code: int, most_decoded: int
):
    stopped = prepare(config, "-q", fault=fault)
    assert stopped.returncode == code, stopped.stderr
    assert not list((tmp_path / "cache").rglob("pixels.u8"))
    answer = read_answer(prepare(config, "--json", "-q"))
    assert 0 < answer["decoded"] <= most_decoded
    undisturbed = tmp_path / "undisturbed"
    read_answer(prepare(config, "--json", "-q", "--set", f"data.cache_dir={undisturbed}"))
    assert read_cache(tmp_path / "cache") == read_cache(undisturbed)


def test_a_missing_image_stops_it(config: Path, tmp_path: Path):
    problem, where, _ = read_error(
        prepare(config, "-q", "--set", f"data.root={tmp_path / 'none'}"), code=3
    )
    assert (problem, where) == ("no such data set", str(tmp_path / "none"))


def test_what_training_refuses_is_refused_before_anything_is_decoded(
    config: Path, radiographs: Path, tmp_path: Path
):
    root = shutil.copytree(radiographs, tmp_path / "leaking")
    leaking = min((root / "train" / "NORMAL").iterdir())
    shutil.copyfile(leaking, root / "test" / "NORMAL" / leaking.name)
    of_it = ("-q", "--set", f"data.root={root}")
    refused = prepare(config, *of_it)
    problem, where, hint = read_error(refused, code=3)
    assert "duplicate-across-splits (1)" in problem
    assert f"train/NORMAL/{leaking.name}" in where
    assert "cxr data verify" in hint
    trained = run_cxr("train", "--config", config, "--out", tmp_path / "run", *of_it)
    assert read_error(trained, code=3) == (problem, where, hint)
    assert not (tmp_path / "cache").exists()
    accepted = "data.accept=[duplicate-across-splits,group-in-two-splits]"
    assert read_answer(prepare(config, *of_it, "--set", accepted, "--json"))["images"] == 29


def test_a_set_is_held_against_the_lock_that_the_config_names(
    config: Path, radiographs: Path, tmp_path: Path
):
    root = shutil.copytree(radiographs, tmp_path / "images")
    lock = tmp_path / "images.lock.json"
    held = ("-q", "--set", f"data.root={root}", "--set", f"data.lock={lock}")
    assert read_error(prepare(config, *held), code=3)[1] == str(lock)
    assert run_cxr("data", "lock", root, "-q").returncode == 0
    next(path for path in (root / "train").rglob("*.jpeg")).unlink()
    assert "missing (1)" in read_error(prepare(config, *held), code=3)[0]


def test_vectors_need_no_preparing(tmp_path: Path):
    config = write_recipe(tmp_path / "vectors.yaml", {"extends": "configs/synthetic_mlp.yaml"})
    config.write_text(f'{{"extends": "{Path("configs/synthetic_mlp.yaml").resolve()}"}}')
    problem, where, _ = read_error(prepare(config, "-q"), code=2)
    assert problem == "the config's data is synthetic: there are no files to read"
    assert where == "data.source"
