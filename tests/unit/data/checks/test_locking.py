from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest

from cxr.data.checks.locking import lock_target
from cxr.data.checks.verify import verify_target
from cxr.errors import RecordError, RunDirectoryTakenError, UsageError
from cxr.records.set_lock import load_lock, write_set_lock
from support.noise import draw_noise, make_noise_set, write_set_config

NAMES = tuple(
    f"{split}/{label}/person{number}_{image}.png"
    for number, (split, label) in enumerate((s, c) for s in ("train", "val", "test") for c in "AB")
    for image in (1, 2)
)


@pytest.fixture
def root(tmp_path):
    return make_noise_set(tmp_path / "set", NAMES)


def kinds(report):
    return [(problem.kind, problem.paths) for problem in report.problems]


def test_a_directory_s_lock_lies_beside_it_and_the_set_is_as_it_was(root, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    locking = lock_target(root)
    assert (locking.outcome, locking.path) == ("locked", tmp_path / "set.lock.json")
    assert locking.num_bytes == locking.path.stat().st_size
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    lock = load_lock(locking.path)
    assert lock.target == "set"
    assert lock.classes == ("A", "B")
    assert [image.path for image in lock.images] == sorted(NAMES)
    first = lock.images[0]
    assert (first.label, first.split, first.bytes) == (
        "A",
        "test",
        (root / first.path).stat().st_size,
    )
    assert first.pixels.startswith("sha256:")
    report = verify_target(root)
    assert (report.verdict, report.lock) == ("verified", str(locking.path))


def test_a_config_s_lock_lies_where_the_config_says(root, tmp_path):
    config = write_set_config(tmp_path / "mine.yaml", root, group_pattern=r"person\d+")
    locking = lock_target(config)
    assert locking.path == tmp_path / "mine.lock.json"
    assert load_lock(locking.path).target == "mine.yaml"
    assert load_lock(locking.path).rules["group_pattern"] == r"person\d+"
    elsewhere = tmp_path / "locks" / "its.lock.json"
    elsewhere.parent.mkdir()
    config = write_set_config(tmp_path / "mine.yaml", root, lock=str(elsewhere))
    assert lock_target(config).path == elsewhere
    assert load_lock(elsewhere).target == ""
    assert str(tmp_path) not in elsewhere.read_text(encoding="utf-8")


def test_fields_of_the_config_can_be_changed(root, tmp_path):
    config = write_set_config(tmp_path / "c.yaml", root)
    moved = root.rename(tmp_path / "moved")
    there = [f"data.root={moved}"]
    assert lock_target(config, overrides=there).outcome == "locked"
    report = verify_target(config, overrides=there)
    assert (report.verdict, report.lock) == ("verified", str(tmp_path / "c.lock.json"))
    assert lock_target(config, overrides=[*there, "data.split_seed=3"]).outcome == "unchanged"
    moved.joinpath(NAMES[0]).unlink()
    assert kinds(verify_target(config, overrides=there))[0] == ("missing", (NAMES[0],))


@pytest.mark.parametrize("look", [lock_target, verify_target])
def test_a_directory_has_no_fields_to_change(root, look):
    with pytest.raises(UsageError, match="--set changes a field of a config"):
        look(root, overrides=["data.split_seed=1"])


def test_a_set_that_is_as_it_was_leaves_its_lock_alone(root):
    path = lock_target(root).path
    before = path.stat()
    assert lock_target(root).outcome == "unchanged"
    assert lock_target(root, update=True).outcome == "unchanged"
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_set_that_changed_needs_to_be_asked_for(root):
    path = lock_target(root).path
    before = path.read_bytes()
    (root / NAMES[0]).unlink()
    locking = lock_target(root)
    assert (locking.outcome, locking.num_bytes) == ("differs", 0)
    assert kinds(locking.report) == [("missing", (NAMES[0],))]
    assert path.read_bytes() == before
    updated = lock_target(root, update=True)
    assert (updated.outcome, kinds(updated.report)) == ("updated", [])
    assert len(load_lock(path).images) == len(NAMES) - 1
    assert lock_target(root).outcome == "unchanged"


def test_a_set_with_an_error_is_not_locked_unless_it_is_accepted(root, tmp_path):
    shutil.copy(root / NAMES[0], root / "test/A/copy.png")
    locking = lock_target(root)
    assert locking.outcome == "refused"
    assert [kind for kind, _ in kinds(locking.report)] == ["duplicate-across-splits"]
    assert not locking.path.exists()
    accept = ["duplicate-across-splits"]
    config = write_set_config(tmp_path / "mine.yaml", root, accept=accept)
    assert lock_target(config).outcome == "locked"


def test_what_cannot_be_read_is_never_locked(root):
    lock_target(root)
    (root / NAMES[0]).unlink()
    os.mkfifo(root / NAMES[0])
    assert lock_target(root, update=True).outcome == "refused"


@pytest.mark.parametrize("out", ["lock.json", "train/A/lock.json", "train/../lock.json"])
def test_nothing_is_written_into_the_set(root, out):
    with pytest.raises(UsageError, match="the lock would lie inside the set"):
        lock_target(root, out=root / out)
    assert not list(root.rglob("*.json"))


def test_no_lock_is_written_into_a_record(root, tmp_path):
    record = tmp_path / "run"
    record.mkdir()
    (record / "repeat.json").touch()
    with pytest.raises(RunDirectoryTakenError, match="the lock would be written into"):
        lock_target(root, out=record / "set.lock.json")


def test_a_lock_stands_for_the_set_beside_it(root, tmp_path):
    path = lock_target(root).path
    (root / "train/A/new.png").write_bytes(draw_noise(99))
    assert kinds(verify_target(path)) == [("extra", ("train/A/new.png",))]
    assert lock_target(path, update=True).outcome == "updated"
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("set", "set.lock.json"):
        (tmp_path / name).rename(moved / name)
    assert verify_target(moved / "set.lock.json").verdict == "verified"


@pytest.mark.parametrize("target", ["", "loop.lock.json"])
def test_a_lock_that_names_no_set_is_refused(root, tmp_path, target):
    path = lock_target(root).path
    tree = json.loads(path.read_bytes()) | {"target": target}
    (tmp_path / "loop.lock.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(UsageError, match="does not say what it is the lock of"):
        verify_target(tmp_path / "loop.lock.json")


def test_a_lock_that_the_config_names_must_be_there(root, tmp_path):
    config = write_set_config(tmp_path / "its own.yaml", root, lock="mine.lock.json")
    with pytest.raises(RecordError, match="there is no such lock") as caught:
        verify_target(config)
    assert f"cxr data lock '{config}' writes" in caught.value.hint
    with pytest.raises(RecordError, match="there is no such lock") as caught:
        verify_target(config, overrides=["data.split_seed=3"])
    assert f"cxr data lock '{config}' --set data.split_seed=3 writes" in caught.value.hint


def test_a_directory_is_found_from_within(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    for name in (".", "../set", "train/.."):
        (tmp_path / "set.lock.json").unlink(missing_ok=True)
        assert lock_target(Path(name)).outcome == "locked"
        assert load_lock(tmp_path / "set.lock.json").target == "set"


def test_groups_of_the_lock_stay_and_new_ones_are_divided(tmp_path):
    names = [f"{'AB'[number % 2]}/person{number}_1.png" for number in range(20)]
    root = make_noise_set(tmp_path / "set", names)
    fields = {
        "layout": "classes",
        "group_pattern": r"person\d+",
        "validation_fraction": 0.2,
        "test_fraction": 0.2,
        "lock": "mine.lock.json",
    }
    config = write_set_config(tmp_path / "mine.yaml", root, **fields)
    before = {one.path: one.split for one in load_lock(lock_target(config).path).images}
    for number in range(20, 40):
        (root / "AB"[number % 2] / f"person{number}_1.png").write_bytes(draw_noise(500 + number))
    assert {kind for kind, _ in kinds(verify_target(config))} == {"extra"}
    assert lock_target(config, update=True).outcome == "updated"
    after = {one.path: one.split for one in load_lock(tmp_path / "mine.lock.json").images}
    assert before.items() <= after.items()
    assert sorted(after.values()).count("val") == 8
    assert verify_target(config).verdict == "verified"
    # Another share shows in no group, since all of them are placed: the rule itself is named.
    config = write_set_config(tmp_path / "mine.yaml", root, **fields | {"test_fraction": 0.3})
    [problem] = verify_target(config).problems
    assert problem.kind == "rules-changed"
    assert problem.detail == "data.test_fraction is 0.3, and was 0.2 when the set was locked"


def test_images_that_an_update_moves_are_counted_with_what_keeps_them(tmp_path):
    names = [f"{'AB'[number % 2]}/person{number}_1.png" for number in range(20)]
    root = make_noise_set(tmp_path / "set", names)
    shares = {"validation_fraction": 0.2, "test_fraction": 0.2}
    fields = {"layout": "classes", "group_pattern": r"person\d+", **shares}
    config = write_set_config(tmp_path / "mine.yaml", root, **fields)
    before = {one.path: one.split for one in load_lock(lock_target(config).path).images}
    for number in range(20, 40):
        (root / "AB"[number % 2] / f"person{number}_1.png").write_bytes(draw_noise(500 + number))
    updated = lock_target(config, update=True)
    after = {one.path: one.split for one in load_lock(updated.path).images}
    moved = sum(after[path] != split for path, split in before.items())
    assert moved
    [note] = updated.report.notes
    assert note.endswith("they stay")
    assert note.startswith(f"{moved} images of the former lock in another split now; with this")


def test_images_that_were_moved_by_hand_are_counted_alone(tmp_path):
    root = make_noise_set(tmp_path / "set", NAMES)
    config = write_set_config(tmp_path / "mine.yaml", root)
    lock = load_lock(lock_target(config).path)
    moved = dataclasses.replace(lock.images[0], split="val")
    assert lock.images[0].split != "val"
    write_set_lock(
        tmp_path / "mine.lock.json", dataclasses.replace(lock, images=(moved, *lock.images[1:]))
    )
    updated = lock_target(config, update=True)
    assert updated.report.notes == ("1 image of the former lock in another split now",)


def test_a_lock_of_another_target_of_that_stem_is_left_alone(root, tmp_path):
    config = write_set_config(tmp_path / "set.yaml", root)
    lock_target(config)
    before = (tmp_path / "set.lock.json").read_bytes()
    report = verify_target(root)
    assert (report.verdict, report.lock) == ("verified", None)
    assert report.notes[0].startswith("set.lock.json is of set.yaml, so it is left alone")
    with pytest.raises(UsageError, match="is of another target") as caught:
        lock_target(root, update=True)
    assert "--out" in caught.value.hint
    assert (tmp_path / "set.lock.json").read_bytes() == before
    assert lock_target(root, out=tmp_path / "folder.lock.json").outcome == "locked"
    assert verify_target(config).lock == str(tmp_path / "set.lock.json")


def test_a_lock_that_two_configs_name_is_the_lock_of_both(root, tmp_path):
    shared = str(tmp_path / "shared.lock.json")
    lock_target(write_set_config(tmp_path / "one.yaml", root, lock=shared))
    other = write_set_config(tmp_path / "two.yaml", root, lock=shared)
    assert lock_target(other).outcome == "unchanged"
