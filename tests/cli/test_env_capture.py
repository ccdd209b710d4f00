"""``cxr env capture`` records what a run depends on; torch is asked only where that is wanted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from cxr.cli.env_capture import show_environment
from support.distributions import plant_distribution
from support.places import PLANTED, elsewhere
from support.program import build_command, build_environment, read_answer, read_error, run_cxr
from support.runs import HEAVY

GROUPS = {
    "schema",
    "python",
    "os",
    "cpu",
    "gpu",
    "numerics",
    "switches",
    "variables",
    "packages",
    "code",
    "arithmetic",
    "images",
}

FOUND: dict[str, Any] = {
    "python": {"version": "3.13.0", "compiler": "GCC 12.2.0"},
    "os": {
        "system": "Linux",
        "release": "6.1",
        "libc": "glibc 2.36",
        "container": None,
        "container_image": None,
    },
    "cpu": {
        "model": "A processor",
        "machine": "x86_64",
        "cores": 8,
        "cores_available": 4,
        "cores_quota": None,
        "memory_bytes": 32 * 2**30,
        "memory_limit_bytes": None,
    },
    "gpu": {"driver": None},
    "numerics": {},
    "switches": "not_read",
    "packages": {"torch": "2.15.0", "numpy": "2.5.5"},
    "code": {"version": "0.1.0", "commit": None, "branch": None, "dirty": None},
    "images": {
        "decoders": {"pil": "13.0.0", "libjpeg_turbo": "3.2.0", "zlib": "1.2", "zlib_ng": None}
    },
}

SHALLOW = """\
python     3.13.0 (GCC 12.2.0)
system     Linux 6.1, glibc 2.36
container  none seen
processor  A processor, x86_64
cores      4 of 8
memory     32.0 GiB
torch      2.15.0
timm       not installed
numpy      2.5.5
pillow     13.0.0, libjpeg-turbo 3.2.0, zlib 1.2
code       cxr 0.1.0, commit unknown
gpu        not looked for; --deep reads it
numerics   not looked for; --deep reads it
switches   not looked for; --deep reads it
packages   2; --json or --out has all facts
"""

DEEP: dict[str, Any] = {
    **FOUND,
    "os": {**FOUND["os"], "container": "podman", "container_image": f"sha256:{'0' * 64}"},
    "cpu": {**FOUND["cpu"], "cores_quota": 1.5, "memory_limit_bytes": 2**30},
    "gpu": {
        "devices": [{"name": "NVIDIA H200", "capability": "9.0"}],
        "device_settings": [{"memory_bytes": 141 * 2**30, "ecc": True, "mig": None}],
        "driver": "570.1",
        "cuda": "13.2",
        "cudnn": 92600,
        "nccl": "2.30.7",
        "cublas": None,
    },
    "numerics": {
        "cpu_capability": "AVX512",
        "onednn": {"version": "3.13.3", "enabled": True},
        "libraries": [
            {"prefix": "libopenblas", "version": "0.3"},
            {"prefix": "libgomp", "version": None},
        ],
        "threads": {"libgomp": 4, "libopenblas": 8},
    },
    "switches": {"a": 1, "b": True},
    "code": {"version": "0.1.0", "commit": "0" * 40, "branch": "main", "dirty": True},
}

SHOWN_DEEP = f"""\
python     3.13.0 (GCC 12.2.0)
system     Linux 6.1, glibc 2.36
container  podman, image sha256:000000000000000000…
processor  A processor, x86_64
cores      4 of 8, quota 1.5
memory     32.0 GiB, limited to 1.0 GiB
torch      2.15.0
timm       not installed
numpy      2.5.5
pillow     13.0.0, libjpeg-turbo 3.2.0, zlib 1.2
code       cxr 0.1.0, commit {"0" * 40} on main,
           with changes
gpu        NVIDIA H200 (9.0, 141.0 GiB, ECC on); driver 570.1, CUDA 13.2, cuDNN
           92600, NCCL 2.30.7, cuBLAS unknown
numerics   AVX512, oneDNN 3.13.3; libopenblas 0.3 with 8 threads, libgomp with 4
           threads
switches   2 read back; --json or --out has them
packages   2; --json or --out has all facts
"""


@pytest.mark.parametrize(
    ("found", "shown"), [(FOUND, SHALLOW), (DEEP, SHOWN_DEEP)], ids=["shallow", "deep"]
)
def test_what_a_person_looks_for_fits_80_columns(
    found: dict[str, Any], shown: str, capsys: pytest.CaptureFixture[str]
):
    show_environment(found, deep=False)
    text = capsys.readouterr().out
    assert text == shown
    assert max(map(len, text.splitlines())) <= 80


def test_what_torch_could_not_be_asked_is_not_said_to_be_read_by_deep(
    capsys: pytest.CaptureFixture[str],
):
    show_environment({**FOUND, "gpu": {"driver": "570.1"}}, deep=True)
    text = capsys.readouterr().out
    assert "\ngpu        driver 570.1, devices torch cannot be asked\n" in text
    assert "--deep" not in text


def test_what_a_processor_calls_itself_is_not_obeyed(capsys: pytest.CaptureFixture[str]):
    show_environment({**FOUND, "cpu": {**FOUND["cpu"], "model": "A\x1b[31m\n"}}, deep=False)
    assert "processor  A\\x1b[31m\\n, x86_64\n" in capsys.readouterr().out


def test_json_has_every_group_and_needs_no_heavy_library():
    finished = run_cxr("env", "capture", "--json", blocked=HEAVY)
    found = read_answer(finished)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert found.keys() >= GROUPS
    assert found.keys() == {
        "schema",
        "python",
        "os",
        "cpu",
        "gpu",
        "numerics",
        "switches",
        "variables",
        "packages",
        "origins",
        "imported",
        "installed",
        "lock",
        "code",
        "arithmetic",
        "images",
    }
    assert found["packages"]["torch"] == version("torch")
    assert found["images"]["canaries_changed"] == []
    assert len(found["images"]["canaries"]) >= 4
    assert found["gpu"]["devices"] == "not_read"


def test_without_deep_no_heavy_library_is_imported_even_where_that_would_work():
    finished = run_cxr("env", "capture", "-q", interpreter_options=["-X", "importtime"])
    imported = set(re.findall(r"\| +([\w.]+)$", finished.stderr, re.MULTILINE))
    assert "cxr.environment.capture" in imported
    assert imported.isdisjoint(HEAVY)


def test_deep_reads_what_torch_knows_and_shows_it():
    finished = run_cxr("env", "capture", "--deep")
    assert finished.returncode == 0
    assert finished.stderr.startswith("importing torch in a process of its own")
    assert "--deep reads it" not in finished.stdout
    assert re.search(r"^switches   \d{2} read back", finished.stdout, re.MULTILINE)
    quiet = run_cxr("env", "capture", "--deep", "--json", "-q")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    found = read_answer(quiet)
    shallow = read_answer(run_cxr("env", "capture", "--json"))
    assert isinstance(found["gpu"]["devices"], list)
    assert found["numerics"]["build"].startswith("sha256:")
    assert found["switches"]["torch.deterministic_algorithms"] is True
    for group in ("python", "os", "cpu", "variables", "packages", "code", "images"):
        assert found[group] == shallow[group]


def test_deep_without_torch_says_why_and_is_incomplete(tmp_path: Path):
    out = tmp_path / "env.json"
    finished = run_cxr("env", "capture", "--deep", "--json", "--out", out, blocked=["torch"])
    assert finished.returncode == 3
    assert "note: torch cannot be asked: torch is blocked in this test\n" in finished.stderr
    found = read_answer(finished)
    assert found["switches"] == found["gpu"]["devices"] == "not_read"
    assert json.loads(out.read_bytes()) == found
    quiet = run_cxr("env", "capture", "--deep", "-q", blocked=["torch"])
    assert (quiet.returncode, quiet.stdout) == (3, "")
    assert quiet.stderr == "note: torch cannot be asked; what it alone knows stays not_read\n"


def test_deep_without_a_temporary_directory_says_so():
    finished = run_cxr("env", "capture", "--deep", "-q", "--json", fault="no-temporary-directory")
    assert finished.returncode == 3
    assert read_answer(finished)["switches"] == "not_read"


def test_two_captures_are_equal_and_the_file_holds_the_same(tmp_path: Path):
    first = run_cxr("env", "capture", "--json", "--out", tmp_path / "env.json", "-q")
    assert first.stderr == ""
    assert json.loads((tmp_path / "env.json").read_bytes()) == read_answer(first)
    second = run_cxr("env-capture", "--out", tmp_path / "second.json")
    assert (second.stdout, second.stderr) == ("", f"written: {tmp_path / 'second.json'}\n")
    assert (tmp_path / "second.json").read_bytes() == (tmp_path / "env.json").read_bytes()


def test_a_person_is_shown_what_matters_first():
    lines = run_cxr("env", "capture").stdout.splitlines()
    assert lines[0].startswith(f"python     {'.'.join(map(str, sys.version_info[:3]))} (")
    assert f"torch      {version('torch')}" in lines
    assert lines[-1].startswith("packages   ")
    assert run_cxr("env", "capture", "-q").stdout == ""


def test_it_names_no_machine_no_person_and_no_home(tmp_path: Path):
    finished = run_cxr("env", "capture", "--json", **elsewhere(tmp_path))
    planted = [*PLANTED, str(tmp_path), sys.prefix]
    assert [name for name in planted if name in finished.stdout] == []
    assert read_answer(finished)["os"]["system"]


@pytest.mark.parametrize("missing", ["git", "HOME", "system files"])
def test_it_works_where_much_is_missing(missing: str, tmp_path: Path):
    variables = build_environment({"CI": "true"})
    fault = ""
    if missing == "git":
        variables["PATH"] = str(tmp_path)
    elif missing == "HOME":
        del variables["HOME"]
    else:
        fault = "unseen:/proc,/sys,/run"
    finished = subprocess.run(
        build_command("env", "capture", "--json", fault=fault),
        capture_output=True,
        text=True,
        env=variables,
        cwd=tmp_path,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    found = read_answer(finished)
    assert found["os"]["ci"] is True
    if missing == "git":
        code = found["code"]
        assert (code["commit"], code["branch"], code["dirty"]) == (None, None, None)
    if missing == "system files":
        assert found["cpu"]["instruction_sets"] == []
        assert found["cpu"]["cores"] == os.cpu_count()


def test_a_decoder_that_gives_other_pixels_is_named():
    finished = run_cxr("env", "capture", "--json", fault="changed-canary")
    assert read_answer(finished)["images"]["canaries_changed"] == ["jpeg_grey"]
    assert finished.stderr == (
        "note: images decode to other pixels here than expected: jpeg_grey\n"
    )


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path):
    out = tmp_path / "nowhere" / "env.json"
    problem, where, _ = read_error(run_cxr("env", "capture", "--out", out, "--json"), code=3)
    assert problem == "cannot write: No such file or directory"
    assert where == str(out)


def test_a_capture_is_not_written_into_a_record(tmp_path: Path):
    (tmp_path / "export.json").touch()
    out = tmp_path / "env.json"
    problem, _, hint = read_error(run_cxr("env", "capture", "--out", out), code=2)
    assert problem == "the capture would be written into an export or a release"
    assert "--out" in hint
    assert not out.exists()


def test_a_bill_of_materials_is_one_valid_document_wherever_it_goes(tmp_path: Path):
    out = tmp_path / "bill.json"
    printed = run_cxr("env", "capture", "--format", "cyclonedx", blocked=HEAVY)
    assert (printed.returncode, printed.stderr) == (0, "")
    both = run_cxr("env", "capture", "--format", "cyclonedx", "--json", "--out", out, "-q")
    written = run_cxr("env", "capture", "--format", "cyclonedx", "--out", out)
    assert (written.stdout, written.stderr) == ("", f"written: {out}\n")
    assert out.read_text(encoding="ascii") == printed.stdout == both.stdout
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(printed.stdout)
    assert fault is None
    assert read_answer(printed)["metadata"]["component"]["name"] == "cxr"


def test_a_package_newer_than_the_lock_and_its_origin_are_told(tmp_path: Path):
    plant_distribution(tmp_path, "typer", "99.0", tags=["cp313-cp313-linux_x86_64"])
    plant_distribution(tmp_path, "stranger", "1.0", direct={"url": "x", "dir_info": {}})
    found = read_answer(
        run_cxr("env", "capture", "--json", env={"PYTHONPATH": str(tmp_path)}, blocked=HEAVY)
    )
    assert found["lock"]["digest"].startswith("sha256:")
    assert found["lock"]["differs"]["typer"]["installed"] == "99.0"
    assert found["lock"]["differs"]["typer"]["locked"].startswith("0.")
    assert found["lock"]["differs"]["stranger"] == {"locked": None, "installed": "1.0"}
    assert found["origins"]["typer"] == "wheel cp313-cp313-linux_x86_64"
    assert found["origins"]["stranger"] == "directory"
    assert found["origins"]["cxr"] == "editable"
    assert found["installed"] == "not_read"


def test_a_package_that_is_not_as_locked_or_as_installed_is_shown(
    capsys: pytest.CaptureFixture[str],
):
    differs = {name: {"locked": "1", "installed": None} for name in "abcdefg"}
    installed = {"torch": ["torch/optim/adamw.py was changed"], "numpy": []}
    show_environment({**FOUND, "lock": {"differs": differs}, "installed": installed}, deep=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        "lock       differs from what is installed: a, b, c, d, e and 2 more",
        "files      not as installed: torch",
    ]
    imported = {"numpy": "as installed", "timm": "elsewhere", "torch": "nowhere"}
    show_environment({**FOUND, "imported": imported}, deep=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "imports    not from where it was installed: timm, torch"
    show_environment({**FOUND, "lock": {"differs": {}}, "installed": {"numpy": []}}, deep=False)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "files      those that were installed are as they were; bytecode and added files",
        "           are not looked at",
    ]


def test_a_pillow_that_cannot_be_imported_is_noted_and_stops_nothing():
    finished = run_cxr("env", "capture", "--json", blocked=["PIL"])
    note = "note: pillow cannot be imported; nothing is known of how images decode\n"
    assert (finished.returncode, finished.stderr) == (0, note)
    assert set(read_answer(finished)["images"].values()) == {None}
    shown = run_cxr("env", "capture", blocked=["PIL"]).stdout
    assert "\npillow     cannot be imported\n" in shown


def test_deep_without_what_knows_thread_pools_says_so():
    finished = run_cxr("env", "capture", "--deep", "-q", "--json", blocked=["threadpoolctl"])
    assert finished.returncode == 3
    assert finished.stderr == "note: torch cannot be asked; what it alone knows stays not_read\n"
    assert read_answer(finished)["numerics"]["libraries"] == "not_read"


def test_metadata_that_is_no_text_stops_nothing(tmp_path: Path):
    plant_distribution(tmp_path, "planted", "1.5")
    (tmp_path / "planted-1.5.dist-info" / "METADATA").write_bytes(b"Name: pl\xe4nted\n")
    plant_distribution(tmp_path, "neighbour", "2.0")
    variables = {"PYTHONPATH": str(tmp_path)}
    packages = read_answer(run_cxr("env", "capture", "--json", env=variables))["packages"]
    assert (packages["planted"], packages["neighbour"]) == ("1.5", "2.0")
    assert packages["torch"] == version("torch")
