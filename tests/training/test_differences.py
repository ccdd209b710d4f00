"""What went in differently is named once, and so is the first step at which the bits part."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cxr.data.order import derive_epoch_batches
from support.recipes import STEPS, STEPS_PER_EPOCH, images, vectors
from support.runs import FinishedRuns, Run, copy_run, diff, edit_facts


@pytest.mark.parametrize(
    ("change", "field", "values", "step", "what", "tensor"),
    [
        ({"seed": 2}, "seed", (1, 2), -1, "random", "python"),
        ({"train__lr": 2e-3}, "train.lr", (1e-3, 2e-3), 0, "optimizer", "lr"),
        ({"model__drop_rate": 0.4}, "model.drop_rate", (0.2, 0.4), 0, "loss", "loss"),
        (
            {"train__precision": "bfloat16"},
            "train.precision",
            ("float32", "bfloat16"),
            0,
            "loss",
            "loss",
        ),
        ({"data__synthetic__noise": 90}, "data.synthetic.noise", (96, 90), 0, "batch", "images"),
    ],
)
def test_a_changed_field_is_the_one_difference(
    finished_run: FinishedRuns,
    change: dict[str, Any],
    field: str,
    values: tuple[Any, Any],
    step: int,
    what: str,
    tensor: str,
):
    report = require_different(finished_run(vectors()), finished_run(vectors(**change)))
    assert report["differences"] == [one_difference("config", field, *values)]
    epoch = -1 if step < 0 else step // STEPS_PER_EPOCH
    assert report["first_divergence"] == {
        "step": step,
        "epoch": epoch,
        "what": what,
        "tensor": tensor,
    }


def test_another_thread_count_is_the_one_difference_and_changes_bits(
    finished_run: FinishedRuns, radiographs: Path
):
    one, two = (finished_run(images(radiographs, threads=num)) for num in (1, 2))
    report = require_different(one, two)
    assert report["differences"] == [one_difference("config", "threads", 1, 2)]
    assert report["first_divergence"]["step"] == 0


def test_another_evaluation_batch_is_the_one_difference_and_leaves_training_alone(
    finished_run: FinishedRuns,
):
    usual, other = finished_run(vectors()), finished_run(vectors(evaluate__batch_size=1))
    code, report = diff(usual, other)
    assert report["differences"] == [one_difference("config", "evaluate.batch_size", 64, 1)]
    assert usual.ledger[:-1] == other.ledger[:-1]
    # Whether a smaller matrix product gives other bits is the machine's own affair.
    if report["verdict"] == "identical":
        assert (code, report["first_divergence"]) == (0, None)
    else:
        assert (code, report["first_divergence"]["what"]) == (1, "predictions")
        assert report["first_divergence"]["step"] == STEPS


def test_one_changed_pixel_is_the_one_difference(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    root = copy_images(radiographs, tmp_path)
    path, number = first_pneumonia(root)
    with Image.open(root / path) as image:
        changed = image.copy()
    middle = (16, 16)
    changed.putpixel(middle, (changed.getpixel(middle) + 128) % 256)
    before = digest(root / path)
    changed.save(root / path)
    report = require_different(finished_run(images(radiographs)), finished_run(images(root)))
    assert report["differences"] == [one_difference("data", path, before, digest(root / path))]
    step = step_of(number)
    assert report["first_divergence"] == {
        "step": step,
        "epoch": 0,
        "what": "batch",
        "tensor": "images",
    }


def test_one_changed_label_is_the_one_difference(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    root = copy_images(radiographs, tmp_path)
    path, number = first_pneumonia(root)
    (root / path).rename(root / "train" / "NORMAL" / Path(path).name)
    report = require_different(finished_run(images(radiographs)), finished_run(images(root)))
    assert report["differences"] == [one_difference("data", f"{path}#label", "PNEUMONIA", "NORMAL")]
    assert report["first_divergence"] == {
        "step": step_of(number),
        "epoch": 0,
        "what": "batch",
        "tensor": "labels",
    }


def test_two_swapped_labels_are_the_two_differences(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    root = copy_images(radiographs, tmp_path)
    pneumonia, number = first_pneumonia(root)
    normal = min(path for path in (root / "train" / "NORMAL").iterdir())
    (root / pneumonia).rename(root / "train" / "NORMAL" / Path(pneumonia).name)
    normal.rename(root / "train" / "PNEUMONIA" / normal.name)
    report = require_different(finished_run(images(radiographs)), finished_run(images(root)))
    other = f"train/NORMAL/{normal.name}"
    assert sorted(report["differences"], key=lambda found: found["field"]) == [
        one_difference("data", f"{other}#label", "NORMAL", "PNEUMONIA"),
        one_difference("data", f"{pneumonia}#label", "PNEUMONIA", "NORMAL"),
    ]
    parted = report["first_divergence"]
    assert (parted["what"], parted["tensor"]) == ("batch", "labels")
    assert parted["step"] <= step_of(number)


def test_two_swapped_files_are_the_two_differences(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    root = copy_images(radiographs, tmp_path)
    a, b, *_ = sorted((root / "train" / "NORMAL").iterdir())
    digests = [digest(a), digest(b)]
    contents = [a.read_bytes(), b.read_bytes()]
    a.write_bytes(contents[1])
    b.write_bytes(contents[0])
    report = require_different(finished_run(images(radiographs)), finished_run(images(root)))
    assert report["differences"] == [
        one_difference("data", f"train/NORMAL/{a.name}", digests[0], digests[1]),
        one_difference("data", f"train/NORMAL/{b.name}", digests[1], digests[0]),
    ]
    parted = report["first_divergence"]
    assert (parted["epoch"], parted["what"], parted["tensor"]) == (0, "batch", "images")


def test_other_initial_weights_are_named_and_nothing_else(finished_run: FinishedRuns):
    givers = [finished_run(vectors()), finished_run(vectors(seed=2))]
    files = [run.directory / "model.safetensors" for run in givers]
    a, b = (
        finished_run(
            vectors(
                model__weights={"source": "file", "path": str(file), "sha256": digest(file)},
            )
        )
        for file in files
    )
    report = require_different(a, b)
    contents = [run.manifest["outcome"]["weights_digest"] for run in givers]
    assert [run.manifest["recipe"]["weights_in"] for run in (a, b)] == contents
    assert one_difference("weights", "weights_in", *contents) in report["differences"]
    assert {(d["part"], d["field"]) for d in report["differences"]} <= {
        ("weights", "weights_in"),
    }
    assert report["first_divergence"] == {
        "step": -1,
        "epoch": -1,
        "what": "parameters",
        "tensor": "backbone.1.weight",
    }


def test_another_instruction_set_is_the_one_difference(finished_run: FinishedRuns):
    usual = finished_run(vectors())
    other = finished_run(vectors(), env={"ATEN_CPU_CAPABILITY": "default"})
    assert other.manifest["controls"]["ATEN_CPU_CAPABILITY"] == "default"
    _, report = diff(usual, other)
    assert report["differences"] == [
        one_difference("environment", "variables.ATEN_CPU_CAPABILITY", None, "default")
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DNNL_MAX_CPU_ISA", "SSE41"),
        ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2_Usable"),
        ("MKL_ENABLE_INSTRUCTIONS", "SSE4_2"),
        ("TIMM_FUSED_ATTN", "0"),
    ],
)
def test_a_variable_that_chooses_kernels_is_the_one_difference(
    finished_run: FinishedRuns, name: str, value: str
):
    _, report = diff(finished_run(vectors()), finished_run(vectors(), env={name: value}))
    assert report["differences"] == [
        one_difference("environment", f"variables.{name}", None, value)
    ]


@pytest.mark.parametrize(
    "variables", [{"OMP_THREAD_LIMIT": "1"}, {"OMP_MAX_ACTIVE_LEVELS": "0", "OMP_NESTED": "TRUE"}]
)
def test_a_limit_on_threads_does_not_overrule_the_recipe(
    finished_run: FinishedRuns, variables: dict[str, str]
):
    usual, limited = (finished_run(vectors(threads=2), env=env) for env in ({}, variables))
    assert limited.manifest["controls"]["torch.num_threads"] == 2
    code, report = diff(usual, limited)
    assert (code, report["verdict"], report["differences"]) == (0, "identical", [])


@pytest.mark.parametrize(
    ("group", "name", "value", "affects"),
    [
        ("packages", "torch", "1.0.0", "yes"),
        ("packages", "rich", "1.0.0", "no"),
        ("cpu", "model", "Another CPU", "yes"),
        ("os", "time_zone", "Nowhere", "no"),
        ("images", "decoders", {"libjpeg_turbo": "1.0.0"}, "no"),
    ],
)
def test_a_fact_of_the_environment_is_the_one_difference(
    finished_run: FinishedRuns, tmp_path: Path, group: str, name: str, value: Any, affects: str
):
    usual = finished_run(vectors())
    other = copy_run(usual, tmp_path / "other")
    before = json.loads((other / "env.json").read_bytes())[group][name]
    edit_facts(other, lambda facts: facts[group].update({name: value}))
    code, report = diff(usual, other)
    assert (code, report["verdict"]) == (0, "identical")
    assert report["differences"] == [
        {
            **one_difference("environment", f"{group}.{name}", before, value),
            "affects_bits": affects,
        }
    ]


def test_a_changed_decoder_is_the_one_difference(finished_run: FinishedRuns, tmp_path: Path):
    usual = finished_run(vectors())
    other = copy_run(usual, tmp_path / "other")

    def change(facts: dict[str, Any]) -> None:
        facts["images"]["canaries"]["jpeg_grey"] = "sha256:" + "0" * 64
        facts["images"]["canaries_changed"] = ["jpeg_grey"]

    edit_facts(other, change)
    _, report = diff(usual, other)
    (found,) = report["differences"]
    assert found["field"].startswith("images.canaries")
    assert found["affects_bits"] == "yes"


def require_different(a: Run, b: Run) -> dict[str, Any]:
    """Return the report of two runs that must differ."""
    code, report = diff(a, b)
    assert (code, report["verdict"]) == (1, "different")
    assert a.digests[0] != b.digests[0]
    return report


def one_difference(part: str, field: str, a: Any, b: Any) -> dict[str, Any]:
    return {"part": part, "field": field, "a": a, "b": b, "affects_bits": "yes", "cause": None}


def copy_images(radiographs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(radiographs, tmp_path / "radiographs"))


def first_pneumonia(root: Path) -> tuple[str, int]:
    """Return the path of the PNG below ``root`` and its index in the training split."""
    (file,) = root.rglob("*.png")
    names = sorted(found.name for found in (root / "train").rglob("*.*"))
    return file.relative_to(root).as_posix(), names.index(file.name)


def step_of(number: int) -> int:
    """Return the step of epoch 0 that sees a training image."""
    batches = derive_epoch_batches(1, 0, num_samples=12, batch_size=4)
    return next(step for step, batch in enumerate(batches) if number in batch)


def digest(file: Path) -> str:
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
