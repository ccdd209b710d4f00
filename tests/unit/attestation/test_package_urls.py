"""Package URLs are those of the library for them, which the program itself does without."""

from __future__ import annotations

from importlib.metadata import distributions

import pytest
from packageurl import PackageURL

from cxr.attestation.package_urls import derive_package_url

ODD = [
    ("Some_Name", "1.0"),
    ("torch", "2.9.0+cu126"),
    ("a.b-c~d", "1!2.0.post1.dev3"),
    ("a b", "1@3?4#5:6%7"),
]


def test_those_of_everything_installed_here_are_as_in_the_library():
    found = {(one.name, one.version) for one in distributions()}
    assert len(found) > 50
    for name, version in [*found, *ODD]:
        wanted = PackageURL(type="pypi", name=name, version=version).to_string()
        assert derive_package_url(name, version) == wanted


@pytest.mark.parametrize(("name", "version"), ODD)
@pytest.mark.parametrize("origin", ["editable", "directory", "git 0123", "archive"])
def test_what_is_from_no_index_is_generic(name: str, version: str, origin: str):
    wanted = PackageURL(type="generic", name=name, version=version).to_string()
    assert derive_package_url(name, version, origin) == wanted


@pytest.mark.parametrize("origin", ["wheel py3-none-any", "sdist", "unknown"])
def test_what_is_from_an_index_is_of_pypi(origin: str):
    assert derive_package_url("torch", "2.9", origin) == "pkg:pypi/torch@2.9"
