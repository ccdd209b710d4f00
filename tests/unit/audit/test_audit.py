from __future__ import annotations

import pytest

from cxr.audit.audit import (
    AuditReport,
    Candidate,
    audit_packages,
    list_installed,
    list_locked,
)
from cxr.audit.vulnerabilities import Findings, Vulnerability
from cxr.environment.lock_file import load_lock
from cxr.environment.packages import Installed, find_distributions
from cxr.errors import RecordError
from support.distributions import plant_distribution
from support.locks import write_lock


class Asked:
    """A place to look packages up that remembers what it was asked."""

    def __init__(self, vulnerable=(), unanswered=None):
        self.packages = None
        self.vulnerable = vulnerable
        self.unanswered = unanswered or {}

    def __call__(self, packages):
        self.packages = dict(packages)
        found = tuple(
            Vulnerability(
                package=name,
                version=packages[name],
                id="PYSEC-1",
                aliases=(),
                fixed_in=(),
                summary="",
            )
            for name in self.vulnerable
            if name in packages
        )
        return Findings(vulnerabilities=found, unanswered=self.unanswered)


def candidate(name, version="1.0", obstacle=None, *, is_public=True):
    return Candidate(name=name, version=version, obstacle=obstacle, is_public=is_public)


def audit(*candidates, asked=None, allowed=(), publish=True):
    return audit_packages(candidates, asked or Asked(), allowed=allowed, publish=publish)


def unchecked(report):
    return {one.package: (one.reason, one.allowed) for one in report.unchecked}


def test_clean_means_that_every_package_was_looked_up():
    report = audit(candidate("one"), candidate("two"))
    assert (report.verdict, report.num_audited, report.unchecked) == ("clean", 2, ())


def test_one_package_that_was_not_looked_up_is_no_pass_unless_allowed_by_name():
    asked = Asked(unanswered={"two": "not found at the service"})
    report = audit(candidate("one"), candidate("two"), asked=asked)
    assert (report.verdict, report.num_audited) == ("unchecked", 1)
    assert unchecked(report) == {"two": ("not found at the service", False)}
    report = audit(candidate("one"), candidate("two"), asked=asked, allowed=["TWO"])
    assert (report.verdict, report.num_audited) == ("clean", 1)
    assert unchecked(report) == {"two": ("not found at the service", True)}
    report = audit(candidate("one"), candidate("two"), asked=asked, allowed=["one"])
    assert report.verdict == "unchecked"


def test_a_vulnerability_weighs_more_than_what_was_not_looked_up_and_is_not_allowed_away():
    asked = Asked(vulnerable=["one"], unanswered={"two": "no answer"})
    report = audit(candidate("one"), candidate("two"), asked=asked, allowed=["one", "two"])
    assert report.verdict == "vulnerable"
    assert [one.package for one in report.vulnerabilities] == ["one"]
    assert unchecked(report) == {"two": ("no answer", True)}


def test_names_of_what_is_from_no_index_are_told_to_no_service_but_looked_for_in_files():
    private = candidate("private", obstacle="not from an index: editable", is_public=False)
    odd = candidate("odd", "2004d", obstacle="odd", is_public=False)
    asked = Asked(vulnerable=["private"])
    report = audit(private, odd, candidate("one"), asked=asked)
    assert asked.packages == {"one": "1.0"}
    assert (report.verdict, report.num_audited) == ("unchecked", 1)
    report = audit(private, odd, candidate("one"), asked=asked, publish=False)
    assert asked.packages == {"private": "1.0", "one": "1.0"}
    assert report.verdict == "vulnerable"
    assert unchecked(report).keys() == {"private", "odd"}


def test_no_package_at_all_is_no_pass():
    with pytest.raises(RecordError, match="no package to look up"):
        audit()


def test_the_answer_as_json_has_it():
    report = audit(candidate("one"), asked=Asked(["one"], {"one": "not all is known"}))
    assert report.describe() == {
        "verdict": "vulnerable",
        "audited": 0,
        "vulnerabilities": [
            {
                "package": "one",
                "version": "1.0",
                "id": "PYSEC-1",
                "aliases": (),
                "fixed_in": (),
                "summary": "",
            }
        ],
        "unchecked": [
            {"package": "one", "version": "1.0", "reason": "not all is known", "allowed": False}
        ],
    }
    assert AuditReport(num_packages=1, vulnerabilities=(), unchecked=()).verdict == "clean"


def test_what_stands_in_the_way_of_looking_an_installed_package_up(tmp_path):
    editable = {"url": "file:///x", "dir_info": {"editable": True}}
    commit = {"url": "x", "vcs_info": {"vcs": "git", "commit_id": "abc"}}
    planted = [
        plant_distribution(tmp_path, "fine", "1.0"),
        plant_distribution(tmp_path, "local", "1.0rc1+cu126"),
        plant_distribution(tmp_path, "edited", "1.0", direct=editable),
        plant_distribution(tmp_path, "checkout", "1.0", direct=commit),
        plant_distribution(tmp_path, "file", "1.0", direct={"url": "x", "archive_info": {}}),
        plant_distribution(tmp_path, "stray", "1.0", tags=[]),
        plant_distribution(tmp_path, "odd", "2004d"),
    ]
    found = {one.distribution.metadata["Name"]: one for one in planted}
    found["not a name"] = Installed(version="1.0", distribution=planted[0].distribution)
    listed = {one.name: (one.obstacle, one.is_public) for one in list_installed(found)}
    odd = "its name or version is none that an index has"
    assert listed == {
        "fine": (None, True),
        "local": ("a local version: only 1.0rc1 was looked up", True),
        "edited": ("not from an index: editable", False),
        "checkout": ("not from an index: git", False),
        "file": ("not from an index: archive", False),
        "stray": ("not from an index: unknown", False),
        "odd": (odd, False),
        "not a name": (odd, False),
    }


def test_every_installed_distribution_is_a_candidate_and_cxr_cannot_be_looked_up():
    listed = {one.name: one for one in list_installed()}
    assert listed.keys() == find_distributions().keys()
    assert listed["cxr"].obstacle == "not from an index: editable"
    assert listed["torch"].is_public


def test_locked_packages_and_the_project_itself_are_candidates(tmp_path):
    more = (
        '[[package]]\nname = "forge"\nversion = "1.0"\nsource = { git = "https://u:p@x/y#abc" }\n'
        '[[package]]\nname = "beside"\nsource = { directory = "../beside" }\n'
    )
    needs = ['{ name = "one" }', '{ name = "forge" }', '{ name = "beside" }', '{ name = "cpu" }']
    path = write_lock(
        tmp_path / "uv.lock", {"one": "1.0", "cpu": "2+cpu", "no": "1"}, needs=needs, more=more
    )
    listed = {one.name: (one.version, one.obstacle) for one in list_locked(load_lock(path))}
    assert listed == {
        "beside": ("", "not from an index: directory"),
        "cpu": ("2+cpu", "a local version: only 2 was looked up"),
        "forge": ("1.0", "not from an index: git"),
        "mine": ("0.1.0", "not from an index: editable"),
        "one": ("1.0", None),
    }


# Of one name, several versions

CONFLICT = (
    '[package.optional-dependencies]\nold = [{ name = "twin", version = "1.0" }]\n'
    'new = [{ name = "twin", version = "2.0" }]\n'
    '[[package]]\nname = "twin"\nversion = "1.0"\nsource = { registry = "x" }\n'
    '[[package]]\nname = "twin"\nversion = "2.0"\nsource = { registry = "x" }\n'
    'dependencies = [{ name = "below", marker = "extra == \'extra-4-mine-new\'" }]\n'
)


def test_every_version_that_the_lock_asks_for_is_looked_up(tmp_path):
    path = write_lock(tmp_path / "uv.lock", {"below": "3"}, needs=[], more=CONFLICT)
    candidates = list_locked(load_lock(path))
    assert [(one.name, one.version) for one in candidates] == [
        ("below", "3"),
        ("mine", "0.1.0"),
        ("twin", "1.0"),
        ("twin", "2.0"),
    ]
    for vulnerable in ("1.0", "2.0"):

        def look_up(packages, bad=vulnerable):
            names = ["twin"] if packages.get("twin") == bad else []
            return Asked(vulnerable=names, unanswered={})(packages)

        report = audit_packages(candidates, look_up, allowed=["mine"], publish=True)
        assert (report.verdict, report.num_audited) == ("vulnerable", 3)
        assert [(one.package, one.version) for one in report.vulnerabilities] == [
            ("twin", vulnerable)
        ]


def test_one_version_that_was_not_answered_for_is_no_pass():
    class Silent(Asked):
        def __call__(self, packages):
            self.unanswered = {"twin": "no answer"} if packages.get("twin") == "2.0" else {}
            return super().__call__(packages)

    report = audit(candidate("twin", "1.0"), candidate("twin", "2.0"), asked=Silent())
    assert (report.verdict, report.num_audited) == ("unchecked", 1)
    assert [(one.package, one.version) for one in report.unchecked] == [("twin", "2.0")]


def test_the_same_version_from_a_repository_hides_none_from_an_index():
    private = candidate("twin", obstacle="not from an index: git", is_public=False)
    for candidates in ([private, candidate("twin")], [candidate("twin"), private]):
        report = audit(*candidates, asked=Asked(vulnerable=["twin"]), allowed=["twin"])
        assert (report.verdict, len(report.unchecked)) == ("vulnerable", 1)
