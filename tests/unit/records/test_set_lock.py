from __future__ import annotations

import dataclasses
import json

import pytest

from cxr.errors import RecordError
from cxr.records.data_lock import DataLock, Sample, write_data_lock
from cxr.records.set_lock import LockedImage, SetLock, load_lock, render_set_lock, write_set_lock

ONE = LockedImage(
    path="train/A/1.png",
    bytes=12,
    sha256="sha256:" + "a" * 64,
    pixels="sha256:" + "b" * 64,
    width=30,
    height=20,
    mode="L",
    label="A",
    group="person1",
    split="train",
)
ALONE = dataclasses.replace(ONE, path="test/B/2.png", group="test/B/2.png", label="B", split="test")
LOCK = SetLock(
    classes=("A", "B"),
    images=(ALONE, ONE),
    rules={"split_seed": 3},
    decoder={"versions": {"pil": "13.0.0"}, "canaries": {"jpeg_grey": "sha256:0"}},
    target="set.yaml",
)


def test_a_lock_is_one_sample_a_line_sorted_by_path(tmp_path):
    write_set_lock(tmp_path / "a.lock.json", dataclasses.replace(LOCK, images=(ONE, ALONE)))
    text = (tmp_path / "a.lock.json").read_text(encoding="utf-8")
    a, b = "a" * 64, "b" * 64
    head = '["path","bytes","sha256","pixels","width","height","mode","label","group","split"]'
    assert text.splitlines() == [
        '{"schema":"cxr.set-lock/1",',
        '"target":"set.yaml",',
        '"classes":["A","B"],',
        '"rules":{"split_seed":3},',
        '"decoder":{"canaries":{"jpeg_grey":"sha256:0"},"versions":{"pil":"13.0.0"}},',
        f'"columns":{head},',
        '"samples":[',
        f'["test/B/2.png",12,"{a}","{b}",30,20,"L","B",null,"test"],',
        f'["train/A/1.png",12,"{a}","{b}",30,20,"L","A","person1","train"]',
        "]}",
    ]
    assert load_lock(tmp_path / "a.lock.json") == LOCK


def test_an_image_whose_pixels_are_not_known_is_read_as_such(tmp_path):
    unknown = dataclasses.replace(ONE, pixels="", width=0, height=0, mode="")
    write_set_lock(tmp_path / "a.lock.json", dataclasses.replace(LOCK, images=(unknown,)))
    assert load_lock(tmp_path / "a.lock.json").images == (unknown,)


def test_a_run_s_lock_is_one_that_knows_no_pixels(tmp_path):
    sample = Sample(
        path=ONE.path, bytes=12, sha256=ONE.sha256, label="A", group="person1", split="train"
    )
    write_data_lock(tmp_path / "data.lock.json", DataLock(classes=("A", "B"), samples=(sample,)))
    lock = load_lock(tmp_path / "data.lock.json")
    assert lock.of_run
    assert lock.classes == ("A", "B")
    [image] = lock.images
    assert (image.path, image.sha256, image.pixels, image.group) == (
        ONE.path,
        ONE.sha256,
        "",
        "person1",
    )


def change(**head):
    tree = json.loads(render_set_lock(LOCK))
    return {**tree, **head}


def change_row(column, value):
    tree = json.loads(render_set_lock(LOCK))
    tree["samples"][0][tree["columns"].index(column)] = value
    return tree


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        (change(schema="cxr.set-lock/2"), "not a data lock: its schema is 'cxr.set-lock/2'"),
        (change(columns=["path"]), "its columns are not"),
        (change(classes="A"), "classes or samples are no lists"),
        (change(samples={}), "classes or samples are no lists"),
        (change(samples=[["a"]]), "a sample that has not 10 columns"),
        (change(samples=json.loads(render_set_lock(LOCK))["samples"][:1] * 2), "two samples"),
        (change(rules=[]), "rules or decoder are no objects"),
        (change(decoder={"versions": {"pil": 1}}), "rules or decoder are no objects"),
        (change(target="../set.yaml"), "its target is not the name of something beside it"),
        (change(target=".."), "its target is not the name of something beside it"),
        (change(target="a\0b"), "its target is not the name of something beside it"),
        (change(target="\ud800"), "its target is not the name of something beside it"),
        (change(target="a" * 256), "its target is not the name of something beside it"),
        (change(target=3), "its target is not the name of something beside it"),
        (change_row("path", "../2.png"), "leads out of the set"),
        (change_row("path", "train/../../2.png"), "leads out of the set"),
        (change_row("path", "/etc/2.png"), "leads out of the set"),
        (change_row("path", ""), "leads out of the set"),
        (change_row("path", 3), "a sample whose path is 3"),
        (change_row("bytes", value=True), "a sample whose bytes is True"),
        (change_row("bytes", -1), "a sample whose bytes is -1"),
        (change_row("bytes", 1.5), "a sample whose bytes is 1.5"),
        (change_row("width", "30"), "a sample whose width is '30'"),
        (change_row("sha256", "A" * 64), "a sample whose digest is none"),
        (change_row("sha256", ""), "a sample whose digest is none"),
        (change_row("pixels", "b" * 63), "a sample whose digest is none"),
        (change_row("pixels", "b" * 64 + "\n"), "a sample whose digest is none"),
        (change_row("split", "dev"), "a sample in the split 'dev'"),
        ({name: value for name, value in change().items() if name != "rules"}, "'rules'"),
    ],
)
def test_what_was_edited_is_refused(tmp_path, tree, problem):
    path = tmp_path / "a.lock.json"
    path.write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(RecordError) as caught:
        load_lock(path)
    assert problem in caught.value.problem
    assert caught.value.where == str(path)


def test_a_lock_that_is_not_there_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(RecordError, match="there is no such lock") as caught:
        load_lock(tmp_path / "a.lock.json")
    assert "cxr data lock" in caught.value.hint


def test_a_lock_of_the_published_pneumonia_set_stays_under_one_and_a_half_megabytes():
    digest = "sha256:" + "0123456789abcdef" * 4
    images = tuple(
        LockedImage(
            path=f"train/PNEUMONIA/person{number}_bacteria_{number}.jpeg",
            bytes=1_234_567,
            sha256=digest,
            pixels=digest,
            width=1_234,
            height=1_234,
            mode="L",
            label="PNEUMONIA",
            group=f"person{number}_bacteria",
            split="train",
        )
        for number in range(5_856)
    )
    lock = SetLock(classes=("NORMAL", "PNEUMONIA"), images=images)
    assert len(render_set_lock(lock)) < 1_500_000
