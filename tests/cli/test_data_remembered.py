"""What ``cxr data verify`` remembers, and when it looks again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.program import read_answer, run_cxr
from support.recipes import images, write_recipe

NOTE = "nothing changed since it was last looked at; --full looks again\n"
NUMERICAL = ("torch", "timm", "torchvision", "numpy", "pydantic")


@pytest.fixture
def config(radiographs: Path, tmp_path: Path) -> Path:
    root = tmp_path / "images"
    shutil.copytree(radiographs, root)
    return write_recipe(tmp_path / "recipe.yaml", images(root))


def verify(config: Path, *options: str, blocked: tuple[str, ...] = (), json: bool = False):
    return run_cxr(
        *("data", "verify", config, *options, *(["--json"] if json else [])),
        fault="settled-files",
        blocked=blocked,
        env={"XDG_CACHE_HOME": str(config.parent / "cache")},
    )


def test_an_unchanged_set_is_not_looked_at_twice_and_the_answer_is_the_same(config: Path):
    first = verify(config)
    # Neither the config nor an image is read: what would read them cannot be imported.
    again = verify(config, blocked=NUMERICAL)
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, NOTE)
    full = verify(config, "--full")
    assert (full.stdout, full.stderr) == (first.stdout, "looking at images: 28\n")


def test_a_changed_image_is_found_by_itself(config: Path):
    assert read_answer(verify(config, json=True))["verdict"] == "verified"
    image = min((config.parent / "images" / "test" / "NORMAL").iterdir())
    image.write_bytes(image.read_bytes()[:-40])
    finished = verify(config, json=True)
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"]) == (1, "differs")
    assert [problem["paths"] for problem in answer["problems"]] == [[f"test/NORMAL/{image.name}"]]
    assert read_answer(verify(config, json=True)) == answer


def test_bytes_alone_are_hashed_each_time_and_nothing_is_decoded(config: Path):
    root = config.parent / "images"
    damaged, original, twin = sorted((root / "train" / "NORMAL").iterdir())[:3]
    damaged.write_bytes(damaged.read_bytes()[:-40])
    shutil.copy(original, twin)
    for _ in range(2):
        finished = verify(config, "--bytes-only", json=True, blocked=("PIL", "numpy", "torch"))
        answer = read_answer(finished)
        assert finished.stderr == (
            "hashing images: 28\nonly bytes were looked at: no image was decoded\n"
        )
        assert [problem["kind"] for problem in answer["problems"]] == ["duplicate-in-split"]
        assert answer["samples"] == 28


def test_bytes_alone_are_held_against_a_lock(config: Path):
    assert run_cxr("data", "lock", config, "-q").returncode == 0
    answer = read_answer(verify(config, "--bytes-only", json=True))
    assert (answer["verdict"], Path(answer["lock"]).name) == ("verified", "recipe.lock.json")
    first = min((config.parent / "images" / "train" / "NORMAL").iterdir())
    first.write_bytes(first.read_bytes() + b"x")
    answer = read_answer(verify(config, "--bytes-only", json=True))
    assert [problem["kind"] for problem in answer["problems"]] == ["changed"]
