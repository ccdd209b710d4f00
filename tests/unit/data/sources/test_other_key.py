"""Samples of which none has its name, and all have their bytes: the key is another one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cxr.config.data_section import DataConfig
from cxr.data.sources.other_key import is_other_key, require_same_key
from cxr.data.sources.pseudonyms import derive_path_pseudonym, derive_pseudonym
from cxr.errors import DataError
from cxr.records.data_lock import Sample

KEYS = (b"one key of this test, long enough", b"another key of it, of some length")
CONFIG = DataConfig(source="folder", root="images", pseudonym_key="chest.key")


def name_samples(key, *, folder="A", num=3):
    return [
        Sample(
            path=derive_path_pseudonym(key, f"{folder}/{n}.png"),
            bytes=9,
            # The last two are of equal bytes.
            sha256=f"sha256:{min(n, 1):064}",
            label="A",
            group=derive_pseudonym(key, "group", f"p{n}"),
            split="train",
        )
        for n in range(num)
    ]


def test_with_another_key_no_name_is_the_same_and_all_bytes_are():
    ours, theirs = map(name_samples, KEYS)
    assert is_other_key(CONFIG, ours, theirs)
    assert is_other_key(CONFIG, ours, theirs[::-1])
    with pytest.raises(DataError, match="the key of the pseudonyms is another one") as caught:
        require_same_key(CONFIG, ours, theirs)
    assert caught.value.where == "chest.key"
    assert "restore the key" in caught.value.hint


@pytest.mark.parametrize(
    "found",
    [
        name_samples(KEYS[0]),
        name_samples(KEYS[0], folder="B"),
        name_samples(KEYS[1], num=4),
        [replace(one, sha256=f"sha256:{7:064}") for one in name_samples(KEYS[1])],
        [*name_samples(KEYS[0])[:1], *name_samples(KEYS[1])[1:]],
    ],
    ids=["the same", "moved, of the same patients", "another image", "other bytes", "one name"],
)
def test_what_another_key_does_not_explain_is_left_to_other_checks(found):
    recorded = name_samples(KEYS[0])
    assert not is_other_key(CONFIG, recorded, found)
    require_same_key(CONFIG, recorded, found)


def test_without_a_key_now_or_then_it_is_no_other_one():
    ours, theirs = map(name_samples, KEYS)
    plain = CONFIG.model_copy(update={"pseudonym_key": None})
    assert not is_other_key(plain, ours, theirs)
    named = [replace(one, path=f"A/{n}.png", group=f"p{n}") for n, one in enumerate(ours)]
    assert not is_other_key(CONFIG, named, theirs)
    assert not is_other_key(CONFIG, [], [])
