from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from cxr.audit.advisories import find_vulnerabilities, load_advisories
from cxr.errors import RecordError
from support.vulnerability_server import make_advisory


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def find(path, **packages):
    return find_vulnerabilities(load_advisories([path]), packages)


def test_a_planted_advisory_is_found_and_a_fixed_version_is_not(tmp_path):
    path = write(tmp_path / "one.json", make_advisory("planted"))
    (found,) = find(path, planted="1.9.9", other="1.0").vulnerabilities
    assert (found.package, found.version, found.id) == ("planted", "1.9.9", "PYSEC-2026-1")
    assert (found.aliases, found.fixed_in) == (("CVE-2026-1",), ("2.0",))
    assert found.summary == "a planted hole"
    assert find(path, planted="2.0").vulnerabilities == ()
    assert find(path, planted="2.0rc1").vulnerabilities
    assert find(path, planted="2.0").unanswered == {}


def test_names_are_compared_normalised_and_the_local_part_is_dropped(tmp_path):
    path = write(tmp_path / "one.json", make_advisory("Planted_.Thing"))
    (found,) = find(path, **{"planted-thing": "1.9+cu126"}).vulnerabilities
    assert found.version == "1.9+cu126"
    assert find(path, **{"planted-thing": "2.0+cu126"}).vulnerabilities == ()


@pytest.mark.parametrize(
    "shape", [lambda one: one, lambda one: [one], lambda one: {"vulns": [one]}]
)
def test_a_file_may_hold_one_or_many(tmp_path, shape):
    path = write(tmp_path / "some.json", shape(make_advisory("planted")))
    assert len(find(path, planted="1").vulnerabilities) == 1


def test_a_directory_is_read_at_any_depth_and_other_files_are_left_alone(tmp_path):
    write(tmp_path / "a" / "one.json", make_advisory("planted"))
    second = make_advisory("planted", id="PYSEC-2026-2", aliases=[])
    write(tmp_path / "a" / "b" / "two.json", second)
    write(tmp_path / "a" / "readme.txt", "not JSON")
    advisories = load_advisories([tmp_path / "a"])
    assert advisories.num == 2
    found = find_vulnerabilities(advisories, {"planted": "1"}).vulnerabilities
    assert [one.id for one in found] == ["PYSEC-2026-1", "PYSEC-2026-2"]


def test_nothing_in_a_directory_is_passed_over(tmp_path):
    place = tmp_path / "a"
    write(place / "ONE.JSON", make_advisory("planted"))
    elsewhere = make_advisory("planted", id="PYSEC-2026-2", aliases=[])
    write(tmp_path / "elsewhere" / "two.Json", elsewhere)
    (place / "linked").symlink_to(tmp_path / "elsewhere")
    # Round and round, and the same place twice.
    (tmp_path / "elsewhere" / "up").symlink_to(place)
    (place / "again").symlink_to(tmp_path / "elsewhere")
    (place / "nested.json").mkdir()
    third = make_advisory("planted", id="PYSEC-2026-3", aliases=[])
    write(place / "nested.json" / "three.json", third)
    found = find(place, planted="1").vulnerabilities
    assert [one.id for one in found] == ["PYSEC-2026-1", "PYSEC-2026-2", "PYSEC-2026-3"]


@pytest.mark.parametrize("name", ["two.json", "TWO.JSON", "folder"])
def test_what_cannot_be_read_in_a_directory_is_refused(tmp_path, name):
    write(tmp_path / "one.json", make_advisory("planted"))
    (tmp_path / name).symlink_to("nowhere")
    with pytest.raises(RecordError, match="cannot read the advisory: No such file") as caught:
        load_advisories([tmp_path])
    assert caught.value.where == str(tmp_path / name)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(RecordError, match="cannot read the advisory: it is no regular file"):
        load_advisories([tmp_path])


def test_a_directory_that_cannot_be_listed_is_refused(tmp_path, monkeypatch):
    write(tmp_path / "one.json", make_advisory("planted"))
    closed = tmp_path / "closed"
    closed.mkdir()
    scan = os.scandir

    def refuse(path):
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    # Whoever runs tests may list any directory.
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(RecordError, match="cannot read the advisory: Permission denied") as caught:
        load_advisories([tmp_path])
    assert caught.value.where == str(closed)


def test_the_digest_is_that_of_the_files_wherever_they_lie(tmp_path):
    write(tmp_path / "a" / "one.json", make_advisory("planted"))
    write(tmp_path / "a" / "two.json", make_advisory("other"))
    write(tmp_path / "b" / "x" / "two.json", make_advisory("planted"))
    write(tmp_path / "b" / "one.json", make_advisory("other"))
    digest = load_advisories([tmp_path / "a"]).digest
    assert digest == load_advisories([tmp_path / "b"]).digest
    texts = [file.read_bytes() for file in (tmp_path / "a").iterdir()]
    joined = "".join(sorted(hashlib.sha256(text).hexdigest() for text in texts))
    assert digest == f"sha256:{hashlib.sha256(joined.encode()).hexdigest()}"
    write(tmp_path / "b" / "one.json", make_advisory("other", summary="another"))
    assert digest != load_advisories([tmp_path / "b"]).digest


def test_one_vulnerability_in_two_records_is_told_once(tmp_path):
    ghsa = make_advisory(
        "planted", id="GHSA-aaaa", aliases=["CVE-2026-1", "PYSEC-2026-1"], summary="the same"
    )
    path = write(tmp_path / "some.json", [ghsa, make_advisory("planted", summary="")])
    (found,) = find(path, planted="1").vulnerabilities
    assert found.id == "PYSEC-2026-1"
    assert found.aliases == ("CVE-2026-1", "GHSA-aaaa")
    assert found.summary == "the same"


def test_what_was_withdrawn_or_is_about_others_does_not_count(tmp_path):
    withdrawn = make_advisory("planted", id="PYSEC-1", withdrawn="2026-01-01T00:00:00Z")
    other = make_advisory("planted", id="PYSEC-2")
    other["affected"][0]["package"]["ecosystem"] = "npm"
    path = write(tmp_path / "some.json", [withdrawn, other, make_advisory("kept")])
    assert load_advisories([path]).num == 1
    assert find(path, planted="1").vulnerabilities == ()


def test_without_one_about_python_packages_nothing_can_be_looked_up(tmp_path):
    withdrawn = make_advisory("planted", withdrawn="2026-01-01T00:00:00Z")
    path = write(tmp_path / "some.json", withdrawn)
    with pytest.raises(RecordError, match="no advisory about Python packages"):
        load_advisories([path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordError, match="no advisory in this directory"):
        load_advisories([tmp_path / "empty"])


@pytest.mark.parametrize(
    "change",
    [
        {"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]},
        {"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]},
        {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "the beginning"}]}]},
        {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "soon"}]}]},
        {"ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "2.0"}]}]},
        {"ranges": [], "versions": []},
        {"ranges": None, "versions": ["2004d"]},
    ],
)
def test_an_advisory_that_cannot_be_compared_leaves_its_package_unanswered(tmp_path, change):
    record = make_advisory("planted")
    record["affected"][0] |= change
    found = find(write(tmp_path / "one.json", record), planted="1.0", other="1.0")
    assert found.vulnerabilities == ()
    assert found.unanswered == {"planted": "PYSEC-2026-1 does not say in versions what it affects"}


def test_a_list_of_versions_counts_beside_ranges(tmp_path):
    record = make_advisory("planted")
    record["affected"][0]["versions"] = ["3.0.0", "odd"]
    path = write(tmp_path / "one.json", record)
    assert find(path, planted="3.0").vulnerabilities
    assert not find(path, planted="2.5").vulnerabilities
    assert not find(path, planted="2.5").unanswered


def test_a_range_of_one_version(tmp_path):
    record = make_advisory("planted")
    events = [{"introduced": "1.5"}, {"last_affected": "1.5"}]
    record["affected"][0]["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    path = write(tmp_path / "one.json", record)
    affected = [v for v in ("1.4", "1.5", "1.5.1") if find(path, planted=v).vulnerabilities]
    assert affected == ["1.5"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("7", "not an Open Source Vulnerability record: the record"),
        ({"affected": []}, "not an Open Source Vulnerability record: id"),
        ({"id": "PYSEC-1"}, "not an Open Source Vulnerability record: affected"),
        ({"id": 1, "affected": []}, "not an Open Source Vulnerability record: id"),
        ({"vulns": [make_advisory("x"), 7]}, "not an Open Source Vulnerability record"),
        ({"vulns": {"a": 1}}, "not an Open Source Vulnerability record"),
        (
            {"id": "PYSEC-1", "affected": [{"package": {"name": "x"}}]},
            "affected.0.package.ecosystem",
        ),
        (
            {"id": "PYSEC-1", "affected": [{"ranges": [{"type": "GIT", "events": [[1]]}]}]},
            "affected.0.ranges.0.events.0",
        ),
    ],
)
def test_what_is_no_advisory_is_refused(tmp_path, content, problem):
    path = write(tmp_path / "one.json", content)
    with pytest.raises(RecordError) as caught:
        load_advisories([path])
    assert problem in caught.value.problem
    assert caught.value.where.startswith(str(path))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RecordError, match="cannot read the advisory: No such file"):
        load_advisories([tmp_path / "gone.json"])


@pytest.mark.parametrize("time", ["", "soon", "2020-01-01T00:00:00", "2020-13-01T00:00:00Z"])
def test_a_withdrawal_at_no_time_does_away_with_nothing(tmp_path, time):
    path = write(tmp_path / "one.json", make_advisory("planted") | {"withdrawn": time})
    with pytest.raises(RecordError, match="Open Source Vulnerability"):
        find(path, planted="1")


def test_a_withdrawal_counts_from_its_time_on(tmp_path):
    later = make_advisory("planted", withdrawn="2999-01-01T00:00:00Z")
    earlier = make_advisory("planted", id="PYSEC-2", withdrawn="2020-01-01T00:00:00Z")
    path = write(tmp_path / "some.json", [earlier, later])
    assert [one.id for one in find(path, planted="1").vulnerabilities] == ["PYSEC-2026-1"]


def test_a_version_of_thousands_of_digits_is_none(tmp_path):
    content = json.dumps(make_advisory("planted")).replace('"2.0"', '"' + "9" * 6000 + '"')
    found = find(write(tmp_path / "one.json", content), planted="1")
    assert found.unanswered == {"planted": "PYSEC-2026-1 does not say in versions what it affects"}
