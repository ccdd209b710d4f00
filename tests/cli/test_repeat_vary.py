"""``cxr repeat --vary``: which factors change bits, in processes of its own."""

from __future__ import annotations

import json
from pathlib import Path

from support.program import Finished, read_answer, run_cxr
from support.recipes import vectors, write_recipe

FACTORS = ("threads=1,2", "workers=0", "batch_eval=3", "isa=default")


def vary(place: Path, *factors: str, level: str, fault: str = "") -> Finished[str]:
    config = write_recipe(place / "recipe.yaml", vectors(determinism=level))
    options = ["--config", config, "--out", place / "out", "--jobs", "2", "-q", "--json"]
    return run_cxr("repeat", *options, "--vary", *factors, fault=fault)


def test_at_the_level_portable_everything_is_harmless(tmp_path: Path):
    finished = vary(tmp_path, *FACTORS, level="portable")
    answer = read_answer(finished)
    assert finished.returncode == 0, finished.stderr
    assert (answer["n"], answer["verdict"]) == (6, "harmless")
    assert len(set(answer["outcome_digests"])) == 1
    found = answer["factors"]
    assert found["repeats"] is True
    assert [(one["factor"], one["value"], one["status"]) for one in found["effects"]] == [
        ("threads", "1", "not-taken"),
        ("threads", "2", "harmless"),
        ("workers", "0", "harmless"),
        ("batch_eval", "3", "harmless"),
        ("isa", "default", "harmless"),
    ]
    assert found["effects"][0]["reason"] == "it is the recipe's own value"
    assert all(one["promised"] for one in found["effects"])
    capability = [
        json.loads((Path(run) / "manifest.json").read_bytes())["controls"]["torch.cpu_capability"]
        for run in answer["runs"]
    ]
    # It was another instruction set, where this machine has more than the least.
    assert capability[-1] in ("DEFAULT", "NO AVX")
    assert run_cxr("verify", tmp_path / "out").returncode == 0


def test_a_factor_that_matters_against_the_promise_is_found(tmp_path: Path):
    fault = "in-run:*=surroundings:workers"
    finished = vary(tmp_path, "workers=0", level="strict", fault=fault)
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"]) == (1, "changes-bits")
    [effect] = answer["factors"]["effects"]
    assert (effect["status"], effect["promised"]) == ("changes-bits", True)
    assert effect["first_divergence"] == {
        "step": 3,
        "epoch": 1,
        "what": "gradients",
        "tensor": "backbone.1.weight",
    }
    assert 0 < effect["weights"]["relative_norm"] < 1
    assert effect["predictions"]["images"] == 20
    assert run_cxr("verify", tmp_path / "out").returncode == 0
