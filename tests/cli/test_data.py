"""``cxr data``: drawing a set, and looking for what is wrong with one, without torch."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from cxr.environment.canaries import EXPECTED
from support.program import read_answer, read_error, run_cxr
from support.recipes import GROUPS, images, write_recipe
from support.runs import FinishedRuns

TRAINERS = ("torch", "timm", "torchvision")


def test_a_drawn_set_is_the_same_each_time(tmp_path: Path):
    sizes = ["--size", "32", "--train", "4", "--val", "4", "--test", "4", "--seed", "5"]
    first = run_cxr("data", "synth", "a", *sizes, "--json", cwd=tmp_path, blocked=TRAINERS)
    second = run_cxr("data", "synth", "b", *sizes, "-q", cwd=tmp_path, blocked=TRAINERS)
    answer = read_answer(first)
    assert (answer["directory"], answer["images"]) == ("a", 12)
    assert first.stderr == "drawing images: 12\n"
    assert (second.stdout, second.stderr) == ("drawn: 12 images in b\n", "")
    assert read_tree(tmp_path / "a") == read_tree(tmp_path / "b")
    assert {*answer["paths"], "labels.csv"} == read_tree(tmp_path / "a").keys()
    other = run_cxr("data", "synth", "c", *sizes[:-1], "6", cwd=tmp_path, blocked=TRAINERS)
    assert other.returncode == 0
    assert read_tree(tmp_path / "c") != read_tree(tmp_path / "a")


@pytest.mark.parametrize(
    ("command", "options"),
    [("verify", []), ("verify", ["--bytes-only"]), ("verify", ["--full"]), ("lock", [])],
)
def test_fields_of_a_config_can_be_changed(
    command: str, options: list[str], radiographs: Path, tmp_path: Path
):
    config = write_recipe(tmp_path / "mine.yaml", images(tmp_path / "nowhere"))
    there = ["--set", f"data.root={radiographs}"]
    assert run_cxr("data", command, config, *options, "-q").returncode == 3
    answer = read_answer(run_cxr("data", command, config, *there, *options, "--json", "-q"))
    assert (answer["verdict"], answer["samples"]) in (("verified", 28), ("locked", 28))
    written = tmp_path / "mine.lock.json"
    assert written.exists() == (command == "lock")


def test_a_dvc_file_has_no_fields_to_change(tmp_path: Path):
    refused = run_cxr("data", "verify", tmp_path / "images.dvc", "--set", "seed=1")
    assert "leave out" in read_error(refused, code=2)[2]


def test_a_set_is_not_drawn_over_another(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    problem, where, _ = read_error(run_cxr("data", "synth", tmp_path, "--json"), code=2)
    assert problem == "images are only written into a new or empty directory"
    assert where == str(tmp_path)
    assert read_tree(tmp_path) == {"mine.txt": b"mine"}


@pytest.mark.parametrize(
    ("fault", "code", "problem"),
    [
        ("interrupted-drawing:5", 130, None),
        ("small-files:500", 3, "cannot write: File too large"),
    ],
)
def test_a_set_that_is_stopped_half_way_leaves_nothing(
    tmp_path: Path, fault: str, code: int, problem: str | None
):
    finished = run_cxr("data", "synth", "a", "-q", cwd=tmp_path, fault=fault, blocked=TRAINERS)
    assert finished.returncode == code
    if problem is not None:
        assert read_error(finished, code=code)[:2] == (problem, "a")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_listed_is_named(radiographs: Path):
    finished = run_cxr(
        "data", "verify", radiographs, "--json", fault="unlistable-directory:PNEUMONIA"
    )
    problem, where, _ = read_error(finished, code=3)
    assert problem == "cannot list a directory: Permission denied"
    assert where == str(radiographs / "train" / "PNEUMONIA")


def test_a_pipe_is_named_and_not_waited_for(radiographs: Path, tmp_path: Path):
    root = copy_images(radiographs, tmp_path)
    os.mkfifo(root / "train" / "NORMAL" / "pipe.jpeg")
    assert problems(verify(root)) == {("unreadable", "error", ("train/NORMAL/pipe.jpeg",))}


def test_a_sound_set_is_verified(radiographs: Path):
    finished = run_cxr("data", "verify", radiographs, "-q", blocked=TRAINERS)
    assert (finished.returncode, finished.stderr) == (0, "")
    files = [path for path in radiographs.rglob("*") if path.suffix in (".jpeg", ".png")]
    num_bytes = sum(path.stat().st_size for path in files)
    assert finished.stdout.splitlines()[0] == f"verified: 28 images, {num_bytes:,} bytes"
    rows = [line.split() for line in finished.stdout.splitlines()[1:]]
    assert [row for row in rows if len(row) > 1] == [
        ["class", "train", "val", "test"],
        ["NORMAL", "6", "4", "4"],
        ["PNEUMONIA", "6", "4", "4"],
    ]
    answer = read_answer(run_cxr("data", "verify", radiographs, "--json", blocked=TRAINERS))
    counts = {
        split: {"NORMAL": num, "PNEUMONIA": num}
        for split, num in [("test", 4), ("train", 6), ("val", 4)]
    }
    decoder = answer.pop("decoder")
    assert decoder["canaries"] == EXPECTED
    assert answer == {
        "verdict": "verified",
        "samples": 28,
        "bytes": num_bytes,
        "lock": None,
        "counts": counts,
        "problems": [],
        "notes": [],
        "kinds": [],
    }


def test_a_run_s_lock_fits_its_data(finished_run: FinishedRuns, radiographs: Path):
    lock = finished_run(images(radiographs)).directory / "data.lock.json"
    finished = run_cxr("data", "verify", radiographs, "--lock", lock, "--json", blocked=TRAINERS)
    assert read_answer(finished)["verdict"] == "verified"


def test_every_change_since_the_lock_is_named(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    lock = finished_run(images(radiographs)).directory / "data.lock.json"
    root = copy_images(radiographs, tmp_path)
    longer, gone, kept, broken = sorted((root / "train" / "NORMAL").iterdir())[:4]
    # One byte behind the picture: every pixel is as it was.
    longer.write_bytes(longer.read_bytes() + b"\0")
    gone.unlink()
    shutil.copy(kept, root / "train" / "NORMAL" / "twin.jpeg")
    broken.write_bytes(broken.read_bytes()[:300])
    (root / "test" / "NORMAL" / "empty.png").write_bytes(b"")
    found = problems(verify(root, "--lock", lock))
    torn = {problem for problem in found if problem[0] in ("damaged", "truncated")}
    assert (place(root, broken),) in {paths for *_, paths in torn}
    assert found - torn == {
        ("changed", "error", (place(root, longer),)),
        ("changed", "error", (place(root, broken),)),
        ("missing", "error", (place(root, gone),)),
        ("extra", "error", ("train/NORMAL/twin.jpeg",)),
        ("extra", "error", ("test/NORMAL/empty.png",)),
        ("empty", "error", ("test/NORMAL/empty.png",)),
        (
            "duplicate-in-split",
            "warning",
            tuple(sorted([place(root, kept), "train/NORMAL/twin.jpeg"])),
        ),
    }


def test_a_test_image_that_is_a_training_image_is_a_leak(radiographs: Path, tmp_path: Path):
    root = copy_images(radiographs, tmp_path)
    first, second = sorted((root / "train" / "NORMAL").iterdir())[:2]
    shutil.copy(first, root / "test" / "NORMAL" / "leak.jpeg")
    shutil.copy(second, root / "train" / "PNEUMONIA" / "torn.jpeg")
    assert problems(verify(root)) == {
        ("duplicate-across-splits", "error", ("test/NORMAL/leak.jpeg", place(root, first))),
        (
            "duplicate-labels-differ",
            "error",
            tuple(sorted([place(root, second), "train/PNEUMONIA/torn.jpeg"])),
        ),
    }


def test_a_warning_alone_does_not_differ(radiographs: Path, tmp_path: Path):
    root = copy_images(radiographs, tmp_path)
    first = min((root / "train" / "NORMAL").iterdir())
    shutil.copy(first, root / "train" / "NORMAL" / "twin.jpeg")
    finished = run_cxr("data", "verify", root, "--json", blocked=TRAINERS)
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"]) == (0, "verified")
    assert [problem["kind"] for problem in answer["problems"]] == ["duplicate-in-split"]


def test_a_patient_in_two_splits_is_named_with_every_image(radiographs: Path, tmp_path: Path):
    root = copy_images(radiographs, tmp_path)
    first, second = sorted((root / "train" / "NORMAL").glob("IM-0001-*"))
    moved = second.rename(root / "test" / "NORMAL" / second.name)
    config = write_recipe(tmp_path / "recipe.yaml", images(root, data__group_pattern=GROUPS))
    assert problems(verify(config)) == {
        ("group-in-two-splits", "error", (place(root, moved), place(root, first))),
    }


def test_images_are_named_to_a_person_on_stdout(radiographs: Path, tmp_path: Path):
    root = copy_images(radiographs, tmp_path)
    (root / "train" / "NORMAL" / "empty.png").write_bytes(b"")
    finished = run_cxr("data", "verify", root, blocked=TRAINERS)
    assert (finished.returncode, finished.stderr) == (1, "looking at images: 29\n")
    lines = [" ".join(line.split()) for line in finished.stdout.splitlines()]
    assert lines[0].startswith("differs: 29 images, ")
    assert "error 1 1 empty: the file has no bytes" in lines
    assert "error empty:" in lines
    assert "test/NORMAL/empty.png the file has no bytes" in lines or (
        "train/NORMAL/empty.png the file has no bytes" in lines
    )
    assert all(len(line) <= 80 for line in finished.stdout.splitlines())


def test_the_first_few_of_each_kind_are_shown_and_the_rest_counted(
    radiographs: Path, tmp_path: Path
):
    root = copy_images(radiographs, tmp_path)
    for number in range(5):
        (root / "train" / "NORMAL" / f"empty{number}.png").write_bytes(b"")
    first = min((root / "train" / "PNEUMONIA").iterdir())
    shutil.copy(first, root / "train" / "PNEUMONIA" / "twin.jpeg")
    finished = run_cxr("data", "verify", root, "-q", blocked=TRAINERS)
    lines = [" ".join(line.split()) for line in finished.stdout.splitlines()]
    assert "error 5 5 empty: the file has no bytes" in lines
    assert "warning 1 2 duplicate-in-split: the same bytes twice" in lines
    shown = [line for line in lines if line.endswith("png the file has no bytes")]
    assert shown == [f"train/NORMAL/empty{n}.png the file has no bytes" for n in range(3)]
    more = lines.index("and 2 more; --json has all of them")
    assert lines.index("error empty:") < more < lines.index("warning duplicate-in-split:")


def test_under_strict_a_warning_differs(radiographs: Path, tmp_path: Path):
    root = copy_images(radiographs, tmp_path)
    first = min((root / "train" / "NORMAL").iterdir())
    shutil.copy(first, root / "train" / "NORMAL" / "twin.jpeg")
    assert {kind for kind, *_ in problems(verify(root, "--strict"))} == {"duplicate-in-split"}


def test_a_set_is_locked_verified_and_locked_anew(radiographs: Path, tmp_path: Path):
    root = copy_images(radiographs, tmp_path)
    files = read_tree(root)
    locked = run_cxr("data", "lock", "radiographs", cwd=tmp_path, blocked=TRAINERS)
    assert (locked.returncode, locked.stderr) == (0, "looking at images: 28\n")
    assert locked.stdout.splitlines()[0] == "locked: 28 images, radiographs.lock.json"
    assert read_tree(root) == files
    again = run_cxr("data", "lock", "radiographs", "-q", cwd=tmp_path, blocked=TRAINERS)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[0] == "unchanged: 28 images, radiographs.lock.json"
    first = min((root / "train" / "NORMAL").iterdir())
    moved = first.rename(first.with_name("renamed.jpeg"))
    wanted = {("renamed", "error", (place(root, first), place(root, moved)))}
    assert problems(verify(root)) == problems(verify(tmp_path / "radiographs.lock.json")) == wanted
    differs = run_cxr("data", "lock", root, "-q", blocked=TRAINERS)
    assert differs.returncode == 1
    assert differs.stdout.splitlines()[0].startswith("differs: 28 images, ")
    note = "the set differs from its lock; --update writes the lock anew\n"
    assert differs.stderr == note
    updated = run_cxr("data", "lock", root, "--update", "--json", "-q", blocked=TRAINERS)
    answer = read_answer(updated)
    lock = tmp_path / "radiographs.lock.json"
    assert (updated.returncode, updated.stderr) == (0, "")
    assert (answer["verdict"], answer["lock"], answer["problems"]) == ("updated", str(lock), [])
    assert answer["written_bytes"] == lock.stat().st_size
    (root / "train" / "NORMAL" / "empty.png").write_bytes(b"")
    refused = run_cxr("data", "lock", root, "--update", "-q", blocked=TRAINERS)
    assert refused.returncode == 1
    assert refused.stdout.splitlines()[0].startswith("refused: 29 images, ")
    assert "a set with errors is not locked" in refused.stderr
    assert lock.stat().st_size == answer["written_bytes"]


def test_an_empty_directory_is_no_data_set(tmp_path: Path):
    assert problems(verify(tmp_path)) == {("no-images", "error", (str(tmp_path),))}


def test_an_image_of_no_class_is_named(radiographs: Path, tmp_path: Path):
    root = copy_images(radiographs, tmp_path)
    (root / "train" / "OTHER").mkdir()
    first = min((root / "train" / "NORMAL").iterdir())
    stray = shutil.copy(first, root / "train" / "OTHER")
    config = write_recipe(tmp_path / "recipe.yaml", images(root))
    problem, where, _ = read_error(run_cxr("data", "verify", config, "--json"), code=3)
    assert (problem, where) == ("a file belongs to no class", str(stray))


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("nowhere", "no such data set"),
        ("notes.txt", "not a directory and not a config"),
    ],
)
def test_a_target_that_is_none(tmp_path: Path, target: str, problem: str):
    (tmp_path / "notes.txt").write_text("mine")
    finished = run_cxr("data", "verify", target, "--json", cwd=tmp_path, blocked=TRAINERS)
    assert read_error(finished, code=3)[:2] == (problem, target)


def test_a_lock_that_is_none(radiographs: Path, tmp_path: Path):
    (tmp_path / "lock.json").write_text(json.dumps({"schema": "other"}))
    for name, problem in (
        ("lock.json", "not a data lock: its schema is 'other'"),
        ("nowhere.json", "there is no such lock"),
    ):
        finished = run_cxr("data", "verify", radiographs, "--lock", tmp_path / name, "--json")
        assert read_error(finished, code=3)[:2] == (problem, str(tmp_path / name))


def test_a_name_that_is_no_text_is_refused(radiographs: Path, tmp_path: Path):
    # A file name from another time: its bytes are not UTF-8.
    root = copy_images(radiographs, tmp_path)
    name = b"person\xe9.png".decode("utf-8", errors="surrogateescape")
    (root / "test" / "NORMAL" / name).write_bytes(b"")
    for options in ([], ["--json"]):
        finished = run_cxr("data", "verify", root, "-q", *options, blocked=TRAINERS)
        assert "person" in read_error(finished, code=3)[1]


def verify(target: Path, *options: str | Path) -> dict[str, Any]:
    """Return what is wrong with a data set."""
    finished = run_cxr("data", "verify", target, *options, "--json", "-q", blocked=TRAINERS)
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"]) == (1, "differs")
    assert finished.stderr == ""
    return answer


def problems(answer: dict[str, Any]) -> set[tuple[str, str, tuple[str, ...]]]:
    for problem in answer["problems"]:
        assert problem.keys() == {"kind", "severity", "paths", "detail"}
    return {
        (problem["kind"], problem["severity"], tuple(problem["paths"]))
        for problem in answer["problems"]
    }


def copy_images(radiographs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(radiographs, tmp_path / "radiographs"))


def place(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix()


def read_tree(root: Path) -> dict[str, bytes]:
    return {place(root, path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("option", [["--lock", "a.lock.json"], ["--full"], ["--bytes-only"]])
def test_options_that_mean_nothing_for_a_dvc_file_are_refused(tmp_path: Path, option: list[str]):
    finished = run_cxr("data", "verify", tmp_path / "set.dvc", *option)
    assert "leave out --lock" in read_error(finished, code=2)[2]


def test_a_dvc_file_is_named_by_the_help_of_verify_and_not_of_lock():
    told = {name: run_cxr("data", name, "--help").stdout for name in ("verify", "lock")}
    assert ".dvc" in told["verify"]
    assert ".dvc" not in told["lock"]


def test_notes_of_what_was_not_looked_at_are_told_each_time(radiographs: Path, tmp_path: Path):
    root = Path(shutil.copytree(radiographs, tmp_path / "images"))
    table = root / "table.csv"
    table.write_text(
        "\n".join(["Path", *(str(file.relative_to(root)) for file in root.rglob("*.jpeg"))])
    )
    for _ in range(2):
        finished = run_cxr("data", "verify", table)
        assert finished.returncode == 0, finished.stderr
        assert "only the files were checked" in finished.stderr
