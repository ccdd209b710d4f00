"""The deep capture compares installed files; without being asked to, it does not."""

from __future__ import annotations

import pytest

from cxr.environment import deep, installed_files
from cxr.environment.deep import capture_deep_environment
from cxr.environment.packages import find_distributions
from support.distributions import plant_distribution


@pytest.fixture(autouse=True)
def _edited_package(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    planted = plant_distribution(tmp_path / "site", "torch", "2.0", files={"torch/adamw.py": b"1"})
    (tmp_path / "site" / "torch" / "adamw.py").write_bytes(b"2")
    monkeypatch.setattr(installed_files, "find_distributions", lambda: {"torch": planted})
    # What torch knows is asked elsewhere.
    monkeypatch.setattr(deep, "probe_environment", lambda: {"error": "not asked"})


def test_a_package_that_was_edited_in_place_is_in_the_capture():
    captured = capture_deep_environment()
    assert captured["installed"] == {"torch": ["torch/adamw.py was changed"]}


def test_without_files_none_is_read():
    assert capture_deep_environment(files=False)["installed"] == "not_read"


def test_packages_that_nobody_edited_are_intact():
    found = find_distributions()
    some = {name: found[name] for name in ("cxr", "numpy", "pyyaml", "typer", "pip", "ruff")}
    assert installed_files.capture_installed(found=some) == {name: [] for name in sorted(some)}
