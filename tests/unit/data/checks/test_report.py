from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from cxr.data.checks.locking import lock_target
from cxr.data.checks.report import count_labels
from cxr.data.checks.verify import verify_target
from support.looks import pair

BASE = Path(__file__).parents[4] / "configs" / "chexpert_densenet121.yaml"
CLASSES = ("Edema", "Fracture", "Mass")


@pytest.fixture
def several(tmp_path):
    """A config of three images, one of which has two labels."""
    draw = np.random.default_rng(0)
    for name in "abc":
        pixels = draw.integers(0, 255, (40, 40), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    rows = ["path,Edema,Fracture,Mass,split", "a.png,1,0,0,train", "b.png,1,0,1,train"]
    rows.append("c.png,0,-1,0,val")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    section = {"file": "table.csv", "path": "path", "label": None, "split": "split"}
    data = {"root": ".", "group_pattern": None, "classes": list(CLASSES), "csv": section}
    place = tmp_path / "several.yaml"
    place.write_text(yaml.safe_dump({"extends": str(BASE), "name": "several", "data": data}))
    return place


def count(*labels, classes=CLASSES):
    images = [
        replace(pair(f"train/x/{number}.png")[0], label=label)
        for number, label in enumerate(labels)
    ]
    return count_labels(images, classes).get("train")


def test_an_image_with_several_labels_counts_for_each():
    assert count("Edema", "Edema|Mass", "Edema|Mass") == {"Edema": 3, "Mass": 2}


def test_what_nobody_knows_and_having_none_are_counted_apart():
    assert count("Edema|Fracture?", "-", "-") == {"Edema": 1, "Fracture?": 1, "-": 2}


def test_what_is_no_text_of_labels_is_counted_as_it_is():
    assert count("Edema|Other", "", classes=CLASSES) == {"Edema|Other": 1, "": 1}
    assert count("Edema|Mass", classes=()) == {"Edema|Mass": 1}
    assert count("Edema|Mass", classes=("Edema|Mass", "Edema")) == {"Edema|Mass": 1}


def test_verify_and_lock_count_each_label_of_a_set(several):
    wanted = {"train": {"Edema": 2, "Mass": 1}, "val": {"Fracture?": 1}}
    assert verify_target(several).counts == wanted
    assert lock_target(several).report.counts == wanted
