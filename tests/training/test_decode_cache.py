"""The decode cache saves time and never changes a bit."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cxr.data.caches.decoded import derive_cache_key
from cxr.data.decoding.decode import DecodePlan
from cxr.records.data_lock import DataLock, Sample
from support.program import read_error, run_cxr
from support.recipes import change, images, write_recipe
from support.runs import FinishedRuns

PLAN = DecodePlan(size_px=32, channels=1, resample="bilinear")


def test_a_second_run_decodes_nothing_and_gives_the_same_bits(
    finished_run: FinishedRuns, radiographs: Path
):
    first = finished_run(images(radiographs))
    second = finished_run(images(radiographs), fault="no-decoding")
    assert "decoding images" not in second.process.stderr
    assert first.digests == second.digests


def test_a_damaged_cache_is_made_again_and_another_size_has_its_own(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    cache = tmp_path / "cache"
    recipe = images(radiographs, data__cache_dir=str(cache), model={"name": "mlp"})
    first = finished_run(recipe)
    (pixels,) = cache.rglob("pixels.u8")
    sound = pixels.read_bytes()
    pixels.write_bytes(bytes([sound[0] ^ 1]) + sound[1:])
    again = finished_run(recipe, tag="after damage")
    assert "decoding images: 28" in again.process.stderr
    assert pixels.read_bytes() == sound
    assert first.digests == again.digests
    larger = finished_run(change(recipe, {"data__image_size": 40}))
    assert "decoding images: 28" in larger.process.stderr
    assert sorted(path.stat().st_size for path in cache.rglob("pixels.u8")) == [
        28 * 32 * 32,
        28 * 40 * 40,
    ]


def test_a_sound_cache_that_cannot_be_written_is_used(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    cache = tmp_path / "cache"
    recipe = images(radiographs, data__cache_dir=str(cache), model={"name": "mlp"})
    first = finished_run(recipe)
    (sound,) = (path for path in cache.iterdir() if path.is_dir())
    # Whoever copies a cache to a read-only place need not copy its lock.
    shutil.copytree(sound, tmp_path / "shared" / sound.name)
    shared = change(recipe, {"data__cache_dir": str(tmp_path / "shared")})
    again = finished_run(shared, fault=f"read-only:{tmp_path / 'shared'}")
    assert "decoding images" not in again.process.stderr
    assert first.digests == again.digests


def test_a_cache_that_can_neither_be_read_nor_written_names_the_field(
    radiographs: Path, tmp_path: Path
):
    (tmp_path / "shared").mkdir()
    recipe = images(radiographs, data__cache_dir=str(tmp_path / "shared"))
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    finished = run_cxr(
        *("train", "--config", config, "--out", tmp_path / "run"),
        fault=f"read-only:{tmp_path / 'shared'}",
    )
    problem, where, hint = read_error(finished, code=3)
    assert problem == "cannot write: Read-only file system"
    assert Path(where).parent == tmp_path / "shared"
    assert "data.cache_dir" in hint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "other",
    [
        {"size_px": 48},
        {"channels": 3},
        {"resample": "bicubic"},
    ],
)
def test_each_preprocessing_field_has_a_cache_of_its_own(other: dict[str, object]):
    assert derive_cache_key(lock("a"), PLAN) == derive_cache_key(lock("a"), replace(PLAN))
    assert derive_cache_key(lock("a"), PLAN) != derive_cache_key(lock("a"), replace(PLAN, **other))


def test_other_files_have_a_cache_of_their_own():
    assert derive_cache_key(lock("a"), PLAN) != derive_cache_key(lock("b"), PLAN)
    assert derive_cache_key(lock("a", "b"), PLAN) != derive_cache_key(lock("b", "a"), PLAN)


def lock(*contents: str) -> DataLock:
    samples = tuple(
        Sample(path="a.png", bytes=1, sha256=f"sha256:{content}", label="x", group="g", split="val")
        for content in contents
    )
    return DataLock(classes=("x", "y"), samples=samples)
