"""A wrong config is refused at once, in three lines that say where; torch is not even needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.program import read_error, run_cxr
from support.recipes import vectors, write_recipe
from support.runs import HEAVY

ONE = "the config has a problem"
CORRECT = "correct the config; docs/formats/config.md lists every field"
BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n"


@pytest.mark.parametrize(
    ("content", "problem", "where"),
    [
        ("", ONE, "config.yaml:1: the file is empty, not a mapping of keys"),
        ("# nothing\n", ONE, "config.yaml:1: the file is empty, not a mapping of keys"),
        ("- a\n- b\n", ONE, "config.yaml:1: the top level is a list, not a mapping of keys"),
        ("5\n", ONE, "config.yaml:1: the top level is a single value, not a mapping of keys"),
        (BOMB, ONE, "config.yaml:1: anchors and aliases (& and *) are refused"),
        ("a: " + "[" * 50 + "]" * 50, ONE, "config.yaml:1: nested more than 20 deep"),
        (
            "extends: config.yaml\n",
            ONE,
            "config.yaml:1: extends: the chain of extends comes back to itself or is too long",
        ),
        (
            "extends: [a]\n",
            ONE,
            "config.yaml:1: extends: extends must be the path of another config",
        ),
    ],
)
def test_a_file_that_is_no_config(tmp_path: Path, content: str, problem: str, where: str):
    (tmp_path / "config.yaml").write_text(content, encoding="utf-8")
    assert refuse(tmp_path) == (problem, where, CORRECT)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!python/name:x", "!x"])
def test_a_tag_is_refused_and_not_obeyed(tmp_path: Path, tag: str):
    content = f"seed: 1\nname: {tag} [touch obeyed]\n"
    (tmp_path / "config.yaml").write_text(content, encoding="utf-8")
    problem, where, _ = refuse(tmp_path)
    assert problem == ONE
    assert where.startswith("config.yaml:2: the tag ")
    assert where.endswith(" is refused: only plain values")
    assert not (tmp_path / "obeyed").exists()


def test_text_in_another_encoding(tmp_path: Path):
    (tmp_path / "config.yaml").write_bytes(b"seed: 1\nname: \xff\n")
    assert refuse(tmp_path)[1] == "config.yaml: not UTF-8 text: byte 14 is not valid"


def test_a_missing_config(tmp_path: Path):
    assert refuse(tmp_path) == (
        "cannot read the config: No such file or directory",
        "config.yaml",
        "check the path; configs/ holds examples",
    )


def test_a_missing_config_that_is_extended(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("seed: 1\nextends: gone.yaml\n", encoding="utf-8")
    assert refuse(tmp_path)[1] == "gone.yaml, extended in config.yaml:2"


def test_a_directory(tmp_path: Path):
    (tmp_path / "config.yaml").mkdir()
    assert refuse(tmp_path) == (
        "the config is a directory, not a file",
        "config.yaml",
        "give a YAML file such as configs/sample.yaml",
    )


def test_every_problem_is_named_with_its_line_and_the_nearest_key(tmp_path: Path):
    (tmp_path / "below.yaml").write_text("seed: 1\nseed: 2\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text(
        "extends: below.yaml\nsed: 3\nthreads: two\ntrain: {epochs: 0, batchsize: 3}\n",
        encoding="utf-8",
    )
    problem, where, do = refuse(tmp_path)
    assert problem == "the config has 8 problems"
    assert where.split("\n         ") == [
        "below.yaml:2: seed: the key stands twice, first on line 1",
        "config.yaml:1: data: the field is missing",
        "config.yaml:1: model: the field is missing",
        "config.yaml:2: sed: unknown key (did you mean seed?)",
        "config.yaml:3: threads: should be a valid integer, not 'two'",
        "config.yaml:4: train.epochs: should be greater than or equal to 1, not 0",
        "config.yaml:4: train.batch_size: the field is missing",
        "config.yaml:4: train.batchsize: unknown key (did you mean train.batch_size?)",
    ]
    assert do == CORRECT


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("seed", "--set seed: not of the form key.path=value"),
        ("=3", "--set =3: not of the form key.path=value"),
        ("seed=x", "--set seed=x: seed: should be a valid integer, not 'x'"),
        ("seed=1.0", "--set seed=1.0: seed: should be a valid integer, not 1.0"),
        ("train=3", "--set train=3: train: must be a mapping of keys"),
        ("train.lr=.nan", "--set train.lr=.nan: train.lr: should be a finite number, not nan"),
        ("train.lrr=1", "--set train.lrr=1: train.lrr: unknown key (did you mean train.lr?)"),
        ("nosuch.field=1", "--set nosuch.field=1: nosuch: unknown key (no key has a name near it)"),
        (
            "train.shards=3",
            "--set train.shards=3: train.shards: must divide train.batch_size (choose a divisor)",
        ),
    ],
)
def test_a_wrong_override_names_itself(tmp_path: Path, text: str, where: str):
    write_recipe(tmp_path / "config.yaml", vectors())
    assert refuse(tmp_path, "--set", text) == (ONE, where, CORRECT)


def test_a_number_in_powers_of_ten_is_a_number(tmp_path: Path):
    # PyYAML alone reads 1e-3 as text.
    recipe = json.dumps(vectors()).replace('"epochs"', '"lr": 1e-3, "epochs"')
    (tmp_path / "config.yaml").write_text(recipe, encoding="utf-8")
    # The one problem left is planted, so that nothing is trained.
    assert refuse(tmp_path, "--set", "seed=x")[0] == ONE


def refuse(directory: Path, *options: str) -> tuple[str, str, str]:
    """Return the error with which ``config.yaml`` is refused."""
    finished = run_cxr(
        "train", "--config", "config.yaml", "--json", *options, cwd=directory, blocked=HEAVY
    )
    assert finished.stdout == ""
    assert not (directory / "runs").exists()
    return read_error(finished, code=2)
