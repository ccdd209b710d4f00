"""``cxr data names``: from a pseudonym to the file, for whoever has the key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from support.program import read_answer, read_error, run_cxr
from support.recipes import images, write_recipe

SECRET = hashlib.sha256(b"a secret of this test").hexdigest()


@pytest.fixture
def recipe(radiographs: Path, tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(SECRET, encoding="ascii")
    return write_recipe(
        tmp_path / "recipe.yaml", images(radiographs, data__pseudonym_key=str(tmp_path / "key"))
    )


def test_every_pseudonym_leads_to_its_file(recipe: Path, radiographs: Path):
    answer = read_answer(run_cxr("data", "names", recipe, "--json", blocked=("torch", "numpy")))
    files = {one["name"]: Path(one["file"]) for one in answer["names"]}
    wanted = {file for file in radiographs.rglob("*") if file.suffix in (".jpeg", ".png")}
    assert set(files.values()) == wanted
    name, file = next(iter(files.items()))
    finished = run_cxr("data", "names", recipe, name, "-q")
    assert (finished.returncode, finished.stdout) == (0, f"{name}  {file}\n")


def test_a_pseudonym_of_another_key_is_named(recipe: Path):
    finished = run_cxr("data", "names", recipe, "0123456789abcdef.png", "--json")
    assert read_error(finished, code=2)[0] == "no image has the pseudonym 0123456789abcdef.png"


def test_a_config_without_a_key_has_no_pseudonyms(radiographs: Path, tmp_path: Path):
    recipe = write_recipe(tmp_path / "recipe.yaml", images(radiographs))
    problem, where, _ = read_error(run_cxr("data", "names", recipe), code=2)
    assert "no data.pseudonym_key" in problem
    assert where == str(recipe)
