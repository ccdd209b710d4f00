"""What computes: threads, libraries and torch's build, without anybody's paths."""

from __future__ import annotations

import sys

import pytest
import threadpoolctl
import torch

from cxr.digests.canonical import canonical_json, digest_json
from cxr.environment.build_text import find_onednn_version, hide_build_paths, split_build
from cxr.environment.facts import NOT_READ
from cxr.environment.numerics import capture_numerics

BUILD = """PyTorch built with:
  - GCC 13.3
  - Intel(R) MKL-DNN v3.7.1 (Git Hash 8d263e693366ef8db40acc569cc7d8edf644556d)
  - CPU capability usage: AVX512
  - Build settings: BLAS_INFO=mkl, CXX_COMPILER=/home/planted somebody/bin/c++, CXX_FLAGS=-O2 \
-I/home/planted/include -isystem ~/planted -DX="/opt/planted dir/x" \
-ffile-prefix-map=/tmp/planted=/x -DURL=https://planted:token@host.planted/x \
C:\\Users\\planted \\\\planted\\share, USE_CUDA=1,
"""


def test_no_path_of_whoever_built_it_is_told():
    text = "\n".join(hide_build_paths(split_build(BUILD)))
    assert "planted" not in text
    assert "home" not in text
    assert "token" not in text


def test_what_is_no_path_stays():
    lines = hide_build_paths(split_build(BUILD))
    assert lines[:2] == ["PyTorch built with:", "- GCC 13.3"]
    assert "BLAS_INFO=mkl, CXX_COMPILER=<path>, CXX_FLAGS=-O2 -I<path>" in lines[-1]
    assert lines[-1].endswith("USE_CUDA=1,")


def test_how_the_build_is_used_here_is_no_part_of_it():
    assert not any("capability" in line for line in split_build(BUILD))


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("  - Intel(R) MKL-DNN v3.7.1 (Git Hash 8d263e69)", "3.7.1"),
        ("  - oneDNN v4.0 (Git Hash 8d263e69)", "4.0"),
        ("  - MKL-DNN (Git Hash v1)", None),
        ("  - OpenMP 201511", None),
    ],
)
def test_the_version_of_onednn(line, version):
    assert find_onednn_version(["PyTorch built with:", line]) == version


def test_the_digest_of_the_build_is_that_of_its_text_with_paths(monkeypatch):
    monkeypatch.setattr(torch.__config__, "show", lambda: BUILD)
    found = capture_numerics()
    assert found["build"] == digest_json(split_build(BUILD))
    assert found["onednn"]["version"] == "3.7.1"
    assert b"planted" not in canonical_json(found)
    other = BUILD.replace("-I/home/planted/include", "-I/home/other/include")
    monkeypatch.setattr(torch.__config__, "show", lambda: other)
    assert capture_numerics()["build"] != found["build"]
    assert capture_numerics()["build_text"] == found["build_text"]


def test_a_backend_that_is_switched_off_is_told():
    assert capture_numerics()["onednn"]["enabled"] is True
    with torch.backends.mkldnn.flags(enabled=False, allow_tf32=None):
        assert capture_numerics()["onednn"]["enabled"] is False


def test_threads_are_counted_by_library():
    found = capture_numerics()
    assert found["threads"].keys() == {library["prefix"] for library in found["libraries"]}
    with threadpoolctl.threadpool_limits(1):
        assert set(capture_numerics()["threads"].values()) == {1}


def test_of_two_libraries_with_one_name_the_more_threads_count(monkeypatch):
    pools = [{"prefix": "libgomp", "num_threads": count} for count in (1, 5, 2)]
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: pools)
    found = capture_numerics()
    assert found["threads"] == {"libgomp": 5}
    assert len(found["libraries"]) == 3


def test_no_library_is_told_by_its_place(monkeypatch):
    pool = {"prefix": "libgomp", "num_threads": 1, "filepath": "/home/planted/libgomp.so"}
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: [pool])
    assert b"planted" not in canonical_json(capture_numerics())


def test_without_torch_nothing_is_read(monkeypatch):
    names = capture_numerics().keys()
    monkeypatch.delitem(sys.modules, "torch")
    assert capture_numerics() == dict.fromkeys(names, NOT_READ)
