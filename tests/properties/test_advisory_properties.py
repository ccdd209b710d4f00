"""Matching advisories agrees with looking at every version one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from cxr.audit.advisories import find_vulnerabilities, load_advisories
from properties.strategies import examples

# In the order that PEP 440 gives them, which the oracle takes from here and not from a library.
VERSIONS = (
    "0.1.dev0",
    "0.9",
    "1.0.dev1",
    "1.0a1",
    "1.0rc1",
    "1.0",
    "1.0.post1",
    "1.1",
    "1.10",
    "2",
    "1!0.1",
)
PLACES = st.integers(min_value=0, max_value=len(VERSIONS) - 1)

Event = tuple[str, int]
"""What happens, and the place of its version; -1 stands for ``0`` and ``*``."""


@st.composite
def ranges(draw: st.DrawFn) -> list[Event]:
    events = [("introduced", draw(st.integers(min_value=-1, max_value=len(VERSIONS) - 1)))]
    kinds = st.sampled_from(["introduced", "fixed", "last_affected"])
    events += draw(st.lists(st.tuples(kinds, PLACES), max_size=5))
    limits = st.integers(min_value=-1, max_value=len(VERSIONS) - 1)
    events += [("limit", place) for place in draw(st.lists(limits, max_size=2))]
    return draw(st.permutations(events))


def write(event: Event) -> dict[str, str]:
    kind, place = event
    return {kind: {"introduced": "0", "limit": "*"}[kind] if place < 0 else VERSIONS[place]}


def is_affected(place: int, events: list[Event]) -> bool:
    """Say so by the definition: some beginning is reached, and no end lies between it and here."""
    limits = [limit for kind, limit in events if kind == "limit"]
    if limits and not any(limit == -1 or place < limit for limit in limits):
        return False
    beginnings = [start for kind, start in events if kind == "introduced" and start <= place]
    return any(
        not any(kind == "fixed" and start < end <= place for kind, end in events)
        and not any(kind == "last_affected" and start <= end < place for kind, end in events)
        for start in beginnings
    )


def test_the_oracles_order_is_that_of_versions():
    assert sorted(VERSIONS, key=Version) == list(VERSIONS)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("advisories") / "one.json"


@examples(max_examples=400)
@given(
    many=st.lists(ranges(), max_size=3),
    listed=st.lists(PLACES, max_size=3),
    place=PLACES,
    local=st.booleans(),
)
def test_every_version_is_matched_as_the_definition_has_it(file, many, listed, place, local):
    affected: dict[str, Any] = {
        "package": {"ecosystem": "PyPI", "name": "Planted.Thing"},
        "ranges": [{"type": "ECOSYSTEM", "events": [write(event) for event in it]} for it in many],
        "versions": [VERSIONS[one] for one in listed],
    }
    file.write_text(json.dumps({"id": "PYSEC-1", "affected": [affected]}), encoding="utf-8")
    version = VERSIONS[place] + ("+cu126" if local else "")
    found = find_vulnerabilities(load_advisories([file]), {"planted-thing": version})
    expected = place in listed or any(is_affected(place, events) for events in many)
    assert bool(found.vulnerabilities) is expected
    # Without a range and without a version there is nothing to compare with.
    assert bool(found.unanswered) is not bool(many or listed)
