from __future__ import annotations

import locale
import os
import platform
import sys
import time

import pytest

from cxr.environment.python_and_os import capture_os, capture_python


def test_python_is_told_by_version_build_and_compiler():
    found = capture_python()
    assert found["version"] == platform.python_version()
    assert found["implementation"] == sys.implementation.name.replace("cpython", "CPython")
    assert all(part in found["build"] for part in platform.python_build())
    assert found["compiler"] == platform.python_compiler()


def test_kernel_and_system(tmp_path):
    found = capture_os(tmp_path)
    assert (found["system"], found["release"]) == (os.uname().sysname, os.uname().release)


def test_without_marks_there_is_no_container(tmp_path, monkeypatch):
    monkeypatch.delenv("CXR_IMAGE_DIGEST", raising=False)
    found = capture_os(tmp_path)
    assert (found["container"], found["container_image"]) == (None, None)
    (tmp_path / ".dockerenv").touch()
    monkeypatch.setenv("CXR_IMAGE_DIGEST", f"sha256:{'0' * 64}")
    found = capture_os(tmp_path)
    assert (found["container"], found["container_image"]) == ("docker", f"sha256:{'0' * 64}")


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("UTC", "UTC"),
        ("CEST", "CEST"),
        ("-03", "-03"),
        ("+0545", "+0545"),
        ("planteduser", None),
        ("a b", None),
        ("/planted-home/zone", None),
        ("", None),
    ],
)
def test_a_time_zone_is_an_abbreviation_or_nothing(tmp_path, monkeypatch, name, recorded):
    monkeypatch.setattr(time, "tzname", (name, name))
    assert capture_os(tmp_path)["time_zone"] == recorded


@pytest.mark.parametrize(
    ("known", "recorded"),
    [(("de_DE", "UTF-8"), "de_DE.UTF-8"), (("C", None), "C"), ((None, None), None)],
)
def test_a_locale_is_language_and_encoding(tmp_path, monkeypatch, known, recorded):
    monkeypatch.setattr(locale, "getlocale", lambda: known)
    assert capture_os(tmp_path)["locale"] == recorded


def test_a_locale_that_python_does_not_know_is_no_fault(tmp_path, monkeypatch):
    def refuse():
        raise ValueError("unknown locale: UTF-8")

    monkeypatch.setattr(locale, "getlocale", refuse)
    assert capture_os(tmp_path)["locale"] is None
