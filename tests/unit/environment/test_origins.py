from __future__ import annotations

import json

import pytest

from cxr.environment.origins import capture_origins, read_origin
from cxr.environment.packages import capture_packages, find_distributions
from support.distributions import plant_distribution

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "ab" * 32
ADDRESS = "https://someone:planted-password@packages.invalid/home/planted-home/x"


@pytest.mark.parametrize(
    ("direct", "origin"),
    [
        ({"url": ADDRESS, "dir_info": {"editable": True}}, "editable"),
        ({"url": ADDRESS, "dir_info": {}}, "directory"),
        ({"url": ADDRESS, "dir_info": {"editable": "yes"}}, "directory"),
        ({"url": ADDRESS, "vcs_info": {"vcs": "git", "commit_id": COMMIT}}, f"git {COMMIT}"),
        ({"url": ADDRESS, "vcs_info": {"vcs": "git", "commit_id": f"{ADDRESS} "}}, "unknown"),
        ({"url": ADDRESS, "vcs_info": {"vcs": "git", "commit_id": "planted-home"}}, "unknown"),
        ({"url": ADDRESS, "vcs_info": {"vcs": "svn", "commit_id": "4711"}}, "svn 4711"),
        ({"url": ADDRESS, "vcs_info": {"vcs": "git"}}, "unknown"),
        (
            {"url": ADDRESS, "archive_info": {"hash": f"sha256={DIGEST}"}},
            f"archive sha256:{DIGEST}",
        ),
        (
            {"url": ADDRESS, "archive_info": {"hashes": {"sha256": DIGEST, "md5": "x"}}},
            f"archive sha256:{DIGEST}",
        ),
        ({"url": ADDRESS, "archive_info": {}}, "archive"),
        ({"url": ADDRESS, "archive_info": {"hashes": {"sha256": ADDRESS}}}, "archive"),
        ({"url": ADDRESS, "archive_info": {"hashes": [ADDRESS]}}, "unknown"),
        ({"url": ADDRESS}, "unknown"),
        ([ADDRESS], "unknown"),
        ("{not json", "unknown"),
        ("[" * 100_000, "unknown"),
    ],
)
def test_an_origin_is_told_without_its_address(tmp_path, direct, origin):
    installed = plant_distribution(tmp_path, "planted", "1.0", direct=direct)
    assert read_origin(installed.distribution) == origin


def test_a_wheel_is_told_by_its_tags_in_one_order(tmp_path):
    tags = ["cp313-cp313-manylinux_2_28_x86_64", "cp313-cp313-manylinux2014_x86_64"]
    one = plant_distribution(tmp_path / "a", "planted", "1.0", tags=tags)
    other = plant_distribution(tmp_path / "b", "planted", "1.0", tags=[*reversed(tags), tags[0]])
    built = plant_distribution(tmp_path / "c", "planted", "1.0", tags=["cp313-cp313-linux_x86_64"])
    assert capture_origins({"one": one, "other": other, "built": built}) == {
        "one": f"wheel {tags[1]} {tags[0]}",
        "other": f"wheel {tags[1]} {tags[0]}",
        "built": "wheel cp313-cp313-linux_x86_64",
    }


def test_a_tag_that_is_no_tag_is_not_recorded(tmp_path):
    planted = plant_distribution(tmp_path, "planted", "1.0", tags=["py3-none-any", ADDRESS])
    assert read_origin(planted.distribution) == "wheel py3-none-any"


def test_what_came_without_a_wheel(tmp_path):
    planted = plant_distribution(tmp_path, "planted", "1.0", tags=[])
    assert read_origin(planted.distribution) == "unknown"
    (tmp_path / "planted-1.0.dist-info" / "PKG-INFO").write_text("Name: planted\n")
    assert read_origin(planted.distribution) == "sdist"
    (tmp_path / "planted-1.0.dist-info" / "direct_url.json").write_bytes(b"\xff\xfe")
    assert read_origin(planted.distribution) == "unknown"


def test_this_environment():
    found = find_distributions()
    origins = capture_origins(found)
    assert origins.keys() == capture_packages(found).keys() == capture_packages().keys()
    assert origins["cxr"] == "editable"
    assert origins["torch"].startswith("wheel cp3")
    assert json.dumps(origins).find("://") == -1


def test_the_first_of_two_with_one_name_counts_and_a_name_has_one_spelling(monkeypatch, tmp_path):
    plant_distribution(tmp_path, "Planted_._Thing", "2.0")
    plant_distribution(tmp_path / "later", "planted-thing", "1.0")
    (tmp_path / "remains-1.0.dist-info").mkdir()
    monkeypatch.setattr("sys.path", [str(tmp_path), str(tmp_path / "later")])
    assert capture_packages() == {"planted-thing": "2.0"}


@pytest.mark.parametrize("planted", ["/home/planted-home", "hf_plantedtoken", "planted home", ""])
def test_a_version_that_is_none_is_not_recorded(tmp_path, monkeypatch, planted):
    plant_distribution(tmp_path, "odd", "1.0")
    metadata = tmp_path / "odd-1.0.dist-info" / "METADATA"
    metadata.write_text(f"Name: odd\nVersion: {planted}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert capture_packages(find_distributions())["odd"] == "unknown"
