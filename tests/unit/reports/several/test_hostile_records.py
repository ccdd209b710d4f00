"""Whatever stands in a record, the report is sound to read, or an error of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest

from cxr.digests.files import digest_file
from cxr.errors import CxrError
from cxr.records.manifest import write_manifest
from cxr.records.run_directory import DATA_LOCK, ENVIRONMENT, MANIFEST
from support.html_pages import list_faults

HOSTILE = "</title></svg><script>alert(1)</script>\" onload='x' \u202e\x1b[31m"
VALUES = (HOSTILE, -7, HOSTILE, None, HOSTILE, [HOSTILE], {HOSTILE: HOSTILE})
"""Texts first: other kinds are mostly refused."""

OTHER = {"upset": frozenset({(1, "gradients", "w")}), "logits": ((0.75, 0.25), (0.5, 0.75))}


def list_leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything in a record that holds nothing else."""
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    if not children:
        yield path
    for key, child in children:
        yield from list_leaves(child, (*path, key))


def replace_leaf(content: Any, path: tuple[Any, ...], value: Any) -> None:
    *holders, last = path
    for key in holders:
        content = content[key]
    content[last] = value


def choose_leaves(record: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return every place of a record, of the many settings and switches each ninth."""
    places = [path for path in list_leaves(record) if path[0] != "manifest_digest"]
    many = [path for path in places if path[0] in ("controls", "config")]
    return [path for path in places if path not in many] + many[::9]


@pytest.mark.parametrize("name", [MANIFEST, ENVIRONMENT, DATA_LOCK])
def test_whatever_stands_in_a_record_breaks_no_report(trained, report, name):
    plain, run = trained(), trained(**OTHER)
    manifest, record = (json.loads((run / one).read_bytes()) for one in (MANIFEST, name))
    shown = []
    leaves = choose_leaves(record)
    for path, value in zip(leaves, cycle(VALUES), strict=False):
        changed = json.loads(json.dumps(record))
        replace_leaf(changed, path, value)
        if name == MANIFEST:
            write_manifest(run, changed)
        else:
            (run / name).write_text(json.dumps(changed), "utf-8")
            files = {**manifest["files"], name: digest_file(run / name)}
            write_manifest(run, {**manifest, "files": files})
        try:
            _, page = report(plain, run, replicates=0)
        except CxrError:
            continue
        shown.append(page)
        assert list_faults(page) == [], path
        assert "\u202e" not in page, path
    assert len(shown) > len(leaves) / 2
    # A digest of what other records hold stands in the manifest, so most of those are left out.
    assert name != MANIFEST or any("&lt;script&gt;" in page for page in shown)
