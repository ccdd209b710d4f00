"""What Python would import is held against what is installed, and nothing is imported for it."""

from __future__ import annotations

import sys
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from cxr.environment.imported import capture_imported
from support.distributions import plant_distribution

FILES = {"timm/__init__.py": b"VALUE = 1\n", "timm/layers.py": b"VALUE = 2\n"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment of its own: nothing but what the test plants can be imported."""
    site = tmp_path / "planted-site"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [str(site)])
    return site


def shadow(place: Path, content: str = "VALUE = 3\n") -> Path:
    """Put a package without any metadata before all others."""
    (place / "timm").mkdir(parents=True, exist_ok=True)
    (place / "timm" / "__init__.py").write_text(content)
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
    invalidate_caches()
    return place


def test_a_package_is_found_where_it_was_installed(site: Path):
    timm = plant_distribution(site, "timm", "1.0", files=FILES)
    assert capture_imported({"timm": timm}) == {"timm": "as installed"}


def test_one_that_stands_before_it_is_named_by_its_sources_and_not_by_its_place(
    site: Path, tmp_path: Path
):
    timm = plant_distribution(site, "timm", "1.0", files=FILES)
    place = shadow(tmp_path / "planted-shadow")
    first = capture_imported({"timm": timm})["timm"]
    assert first.startswith("elsewhere sha256:")
    assert "planted" not in first
    shadow(place, "VALUE = 4\n")
    assert capture_imported({"timm": timm})["timm"] not in (first, "as installed")


def test_one_file_may_stand_before_it(site: Path, tmp_path: Path):
    timm = plant_distribution(site, "timm", "1.0", files=FILES)
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "timm.py").write_text("VALUE = 5\n")
    sys.path.insert(0, str(tmp_path / "first"))
    assert capture_imported({"timm": timm})["timm"].startswith("elsewhere sha256:")


def test_what_was_never_installed_is_from_elsewhere_too(site: Path):
    shadow(site)
    assert capture_imported({})["timm"].startswith("elsewhere")


def test_what_is_installed_and_cannot_be_found_is_nowhere(site: Path):
    timm = plant_distribution(site, "timm", "1.0")
    assert capture_imported({"timm": timm}) == {"timm": "nowhere"}
    assert capture_imported({}) == {}


@pytest.mark.parametrize("found", ["in its checkout", "by a finder of its own", "elsewhere"])
def test_an_editable_project_is_found_in_its_checkout(site: Path, tmp_path: Path, found: str):
    checkout = tmp_path / "a checkout"
    direct: Any = {"url": checkout.as_uri(), "dir_info": {"editable": True}}
    timm = plant_distribution(site, "timm", "1.0", direct=direct)
    if found != "by a finder of its own":
        shadow(checkout / "src" if found == "in its checkout" else tmp_path / "other")
    told = capture_imported({"timm": timm})["timm"]
    assert told.startswith("elsewhere" if found == "elsewhere" else "as installed")


def test_a_link_to_the_environment_is_no_other_place(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    timm = plant_distribution(site, "timm", "1.0", files=FILES)
    (tmp_path / "link").symlink_to(site)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "link")])
    assert capture_imported({"timm": timm}) == {"timm": "as installed"}
