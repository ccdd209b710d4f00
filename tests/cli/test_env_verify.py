"""``cxr env verify`` names what is other here, and says what to do; real processes throughout."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cxr.digests.canonical import canonical_json
from support.program import Finished, read_answer, read_error, run_cxr
from support.recipes import vectors
from support.runs import HEAVY, FinishedRuns, Run, copy_run

ROOT = Path(__file__).parents[2]
RELEASED = ROOT / "tests" / "formats" / "v0.1.0"

SLOW = ("gpu", "numerics", "switches")
"""What only a process that has imported torch can tell."""

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of this environment, taken without torch."""
    path = tmp_path_factory.mktemp("captured") / "env.json"
    assert run_cxr("env", "capture", "-q", "--out", path, blocked=HEAVY).returncode == 0
    return path


@pytest.fixture(scope="module")
def run(finished_run: FinishedRuns) -> Run:
    return finished_run(vectors())


def edit(capture: Path, place: Path, change: Change) -> Path:
    """Return a copy of a capture that was taken somewhere else."""
    content = json.loads(capture.read_bytes())
    change(content)
    path = place / "other.json"
    path.write_bytes(canonical_json(content))
    return path


def verify(*arguments: str | Path, code: int, **options: Any) -> dict[str, Any]:
    """Return the JSON answer, once the exit code is right and nothing else was said."""
    finished = run_cxr("env", "verify", *arguments, "--json", "-q", **options)
    answer = read_answer(finished)
    assert (finished.returncode, finished.stderr) == (code, ""), answer
    assert answer["verdict"] == ("differs" if code else "verified")
    return answer


def list_fields(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["field"], one["affects_bits"]) for one in answer["differences"]]


# Against a capture


def test_the_same_environment_is_verified_without_torch(capture: Path):
    answer = verify(capture, code=0, blocked=HEAVY)
    unread = answer.pop("unread")
    assert answer == {
        "verdict": "verified",
        "against": "capture",
        "level": "strict",
        "differences": [],
        "ignored": 0,
    }
    assert {"numerics", "switches"} <= set(unread)
    groups = {name.partition(".")[0] for name in unread}
    assert {"gpu", "numerics", "switches"} <= groups <= {*SLOW, "installed"}


def test_a_person_is_told_in_a_few_lines(capture: Path):
    finished = run_cxr("env", "verify", capture)
    assert (finished.returncode, finished.stderr) == (0, "")
    lines = finished.stdout.splitlines()
    assert lines[0] == "verified: this environment is as in the capture, at strict"
    assert lines[1].startswith("not compared, the capture does not tell: gpu")
    assert max(map(len, lines)) <= 80
    assert run_cxr("env", "verify", capture, "-q").stdout == ""


@pytest.mark.parametrize(
    ("options", "field", "affects", "do"),
    [
        (
            {"env": {"ATEN_CPU_CAPABILITY": "default"}},
            "variables.ATEN_CPU_CAPABILITY",
            "yes",
            "unset ATEN_CPU_CAPABILITY",
        ),
        ({"env": {"MKL_CBWR": "AVX2"}}, "variables.MKL_CBWR", "yes", "unset MKL_CBWR"),
        (
            {"env": {"OMP_NUM_THREADS": "7"}},
            "variables.OMP_NUM_THREADS",
            "no",
            "nothing: cxr sets it for every run, by the recipe",
        ),
        (
            {"fault": "hidden-distribution:timm"},
            "packages.timm",
            "yes",
            f"uv pip install timm=={version('timm')}",
        ),
        (
            {"fault": "other-version:torch==9.9.9"},
            "packages.torch",
            "yes",
            f"uv pip install torch=={version('torch')}",
        ),
        (
            {"fault": "other-version:rich==9.9.9"},
            "packages.rich",
            "no",
            f"uv pip install rich=={version('rich')}",
        ),
        (
            {"fault": "other-decoder"},
            "images.canaries",
            "yes",
            "uv sync --reinstall-package pillow",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_other_here_is_named_with_what_to_do(
    capture: Path, options: dict[str, Any], field: str, affects: str, do: str
):
    answer = verify(capture, code=1, **options)
    assert list_fields(answer) == [(field, affects)]
    one = answer["differences"][0]
    # Where a lock governs these packages, it is what mends them.
    assert one["do"] in ([do, "uv sync"] if field.startswith("packages.") else [do])
    assert one["expected"] != one["found"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_cores_that_were_taken_away_are_named(capture: Path, tmp_path: Path):
    # As on a machine with two cores, however many there are here.
    there = edit(capture, tmp_path, lambda content: content["cpu"].update(cores_available=2))
    answer = verify(there, code=1, fault="one-core")
    fields = [one for one in answer["differences"] if one["field"] == "cpu.cores_available"]
    assert [(one["expected"], one["found"], one["affects_bits"]) for one in fields] == [
        (2, 1, "no")
    ]


def test_another_machine_is_named_and_no_command_is_made_up(capture: Path, tmp_path: Path):
    def move(content: dict[str, Any]) -> None:
        content["cpu"]["model"] = "Another CPU @ 9 GHz"
        content["python"]["version"] = "3.11.2"
        content["os"]["release"] = "1.2.3"
        content["code"]["digest"] = "sha256:0"

    answer = verify(edit(capture, tmp_path, move), code=1)
    assert list_fields(answer) == [
        ("cpu.model", "yes"),
        ("python.version", "yes"),
        ("code.digest", "unknown"),
        ("os.release", "no"),
    ]
    does = {one["field"]: one["do"] for one in answer["differences"]}
    assert does["python.version"] == "uv run --isolated -p 3.11.2 cxr ..."
    assert "strict gives no promise here" in does["cpu.model"]


def test_a_table_fits_the_screen_and_shows_what_a_list_lost(capture: Path, tmp_path: Path):
    def move(content: dict[str, Any]) -> None:
        content["cpu"]["instruction_sets"].append("planted_set")
        content["packages"] |= {f"planted-package-number-{number}": "1" for number in range(30)}
        content["os"]["release"] = "x" * 300

    finished = run_cxr("env", "verify", edit(capture, tmp_path, move), env={"NO_COLOR": "1"})
    lines = finished.stdout.splitlines()
    assert finished.returncode == 1
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in finished.stdout
    assert lines[0] == "differs from the capture at strict: 32 differences (bits: 1 yes, 31 no)"
    row = next(line for line in lines if line.startswith("cpu.instruction_sets"))
    assert row.split()[1:] == ["only", "planted_set", "nothing", "more", "yes"]
    assert "and 12 more; --json has all of them" in lines


def test_what_is_to_be_ignored_is_counted_and_a_slip_is_refused(capture: Path):
    given = {"fault": "other-version:rich==9.9.9", "env": {"MKL_CBWR": "AVX2"}}
    ignored = ["--ignore", "packages", "--ignore", "variables.MKL_CBWR"]
    assert verify(capture, *ignored, code=0, **given)["ignored"] == 2
    assert verify(capture, "--ignore", "packages.rich", code=1, **given)["ignored"] == 1
    said = run_cxr("env", "verify", capture, *ignored, **given).stdout.splitlines()
    assert "ignored, as asked for: 2 differences" in said
    problem, where, hint = read_error(
        run_cxr("env", "verify", capture, "--ignore", "variable.MKL_CBWR", **given), code=2
    )
    assert (problem, where) == ("no fact is called 'variable.MKL_CBWR'", "--ignore")
    assert "variables.MKL_CBWR" in hint


def test_a_level_asks_about_bits_alone(capture: Path):
    given = {"fault": "other-version:rich==9.9.9", "env": {"MKL_CBWR": "AVX2"}}
    answer = verify(capture, "--level", "strict", code=1, **given)
    assert (answer["level"], list_fields(answer)) == ("strict", [("variables.MKL_CBWR", "yes")])
    assert verify(capture, "--level", "portable", code=0, **given)["level"] == "portable"
    read_error(run_cxr("env", "verify", capture, "--level", "loose"), code=2)


# Against runs


def test_a_run_of_this_machine_is_verified_and_torch_is_asked(run: Run):
    finished = run_cxr("env", "verify", run.directory, "--json")
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"], answer["against"]) == (0, "verified", "run")
    assert not [name for name in answer["unread"] if name.startswith(("gpu", "numerics"))]
    assert finished.stderr == "importing torch in a process of its own: 1\n"


def test_against_a_run_the_variables_of_a_shell_do_not_count(run: Run):
    variables = {"OMP_NUM_THREADS": "7", "PYTHONHASHSEED": "5"}
    assert verify(run.directory, code=0, env=variables)["differences"] == []


def test_another_choice_of_instructions_is_seen_by_what_torch_says(run: Run):
    answer = verify(run.directory, code=1, env={"ATEN_CPU_CAPABILITY": "default"})
    assert list_fields(answer) == [("variables.ATEN_CPU_CAPABILITY", "yes")]


def test_where_torch_cannot_be_asked_that_is_a_difference(run: Run):
    answer = verify(run.directory, "--level", "strict", code=1, blocked=["torch"])
    found = {one["field"]: one["found"] for one in answer["differences"]}
    assert {"numerics.build", "numerics.libraries", "gpu.devices"} <= found.keys()
    assert set(found.values()) == {"not_read"}
    # What is not asked about is not looked for.
    ignored = [text for name in ("numerics", "gpu") for text in ("--ignore", name)]
    assert verify(run.directory, *ignored, code=0, blocked=["torch"])["verdict"] == "verified"


def test_an_environment_that_was_edited_is_not_compared(run: Run, tmp_path: Path):
    edited = copy_run(run, tmp_path / "edited")
    path = edited / "env.json"
    path.write_bytes(path.read_bytes().replace(b'"x86_64"', b'"x86-64"') + b" ")
    problem, where, _ = read_error(run_cxr("env", "verify", edited, "-q"), code=3)
    assert "was changed: its bytes have another digest" in problem
    assert where == str(path)


def test_a_manifest_alone_tells_less_and_that_is_said(run: Run, tmp_path: Path):
    path = tmp_path / "manifest.json"
    path.write_bytes((run.directory / "manifest.json").read_bytes())
    answer = verify(path, code=0)
    assert answer["against"] == "manifest"
    recorded = run.manifest.get("environment", {})
    assert ("images" in answer["unread"]) == ("images.canaries" not in recorded)
    changed = verify(path, code=1, env={"MKL_CBWR": "AVX2"}, fault="other-version:rich==9.9.9")
    assert list_fields(changed) == [("variables.MKL_CBWR", "yes"), ("packages.rich", "no")]


@pytest.mark.parametrize("name", ["run", "repeat", "run/manifest.json", "run/evaluations"])
def test_records_of_the_first_release_are_compared(name: str):
    path = RELEASED / name
    if path.name == "evaluations":
        path = next(path.iterdir())
    answer = verify(path, "--level", "strict", code=1)
    # Its sources are others; of which machine it was is not for this test to know.
    assert ("code.digest", "unknown") in list_fields(answer)
    assert "switches" in answer["unread"]


# Against a lock


def test_the_lock_governs_the_packages():
    finished = run_cxr("env", "verify", ROOT / "uv.lock", "--json")
    answer = read_answer(finished)
    assert (answer["against"], "numerics" in answer["unread"]) == ("lock", True)
    assert "origins" not in answer["unread"]
    fields = {one["field"] for one in answer["differences"]}
    for group in ("packages", "origins"):
        assert not {f"{group}.{name}" for name in ("torch", "timm", "numpy", "cxr")} & fields
    newer = verify(ROOT / "uv.lock", code=1, fault="other-version:torch==9.9.9")
    one = newer["differences"][0]
    assert (one["field"], one["found"]) == ("packages.torch", "9.9.9")
    assert (one["affects_bits"], one["do"]) == ("yes", "uv sync")


# What cannot be compared


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "the record is not JSON"),
        ("[1]", "the record is not a JSON object"),
        ('{"schema": "cxr.repeat/1"}', "no environment can be compared with this"),
        ('{"schema": "cxr.environment/3"}', "the capture is not whole: it lacks python"),
        ('{"schema": "cxr.environment/9"}', "no environment can be compared with this"),
        ("\x00\xff", "the record is not JSON"),
    ],
)
def test_what_would_show_nothing_is_refused(tmp_path: Path, content: str, problem: str):
    path = tmp_path / "file.json"
    path.write_text(content, encoding="latin-1")
    said, where, _ = read_error(run_cxr("env", "verify", path, "--json"), code=3)
    assert said.startswith(problem)
    assert where == str(path)


def test_what_is_not_there_is_said(tmp_path: Path):
    assert read_error(run_cxr("env", "verify", tmp_path / "x"), code=3)[1] == str(tmp_path / "x")
    assert read_error(run_cxr("env", "verify", tmp_path), code=3)[1] == str(tmp_path)


# In GitHub Actions


def in_github(capture: Path, place: Path, *options: str, **more: Any) -> tuple[Finished[str], str]:
    summary = place / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    variables = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    env = {**variables, **more.pop("env", {})}
    finished = run_cxr("env", "verify", capture, "-q", *options, env=env, **more)
    return finished, summary.read_text(encoding="utf-8")


def test_github_is_told_in_annotations_and_on_a_page(capture: Path, tmp_path: Path):
    finished, summary = in_github(
        capture, tmp_path, "--json", env={"MKL_CBWR": "AVX2"}, fault="other-version:rich==9.9.9"
    )
    assert finished.returncode == 1
    assert json.loads(finished.stdout)["verdict"] == "differs"
    error, warning = finished.stderr.splitlines()
    assert error == (
        "::error title=cxr env verify::variables.MKL_CBWR: expected -, found AVX2; unset MKL_CBWR"
    )
    assert warning.startswith("::warning title=cxr env verify::packages.rich: expected ")
    assert summary.startswith("before\n### cxr env verify\n\ndiffers from the capture at strict")
    assert "| field | expected | found | bits | what to do |" in summary
    assert "| variables.MKL&#95;CBWR | - | AVX2 | yes | unset MKL&#95;CBWR |" in summary


def test_github_is_told_of_a_pass_too(capture: Path, tmp_path: Path):
    finished, summary = in_github(capture, tmp_path)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert "verified&#58; this environment is as in the capture, at strict" in summary


def test_a_capture_from_outside_gives_github_no_command(capture: Path, tmp_path: Path):
    planted = "1\n::add-mask::x\r\n::set-output name=a::b ##[set-output name=c]d | `e` %0A::x"

    def plant(content: dict[str, Any]) -> None:
        content["packages"]["rich"] = planted
        content["packages"][f"n{planted}"] = planted
        content["os"]["release"] = planted

    there = edit(capture, tmp_path, plant)
    finished, summary = in_github(there, tmp_path)
    obeyed = [line for line in finished.stderr.splitlines() if line.lstrip().startswith("::")]
    assert len(obeyed) == len(finished.stderr.splitlines()) == 3
    assert all(line.startswith("::warning title=cxr env verify::") for line in obeyed)
    assert not [line for line in finished.stdout.splitlines() if line.strip().startswith("::")]
    assert "##[" not in finished.stdout
    answer, _ = in_github(there, tmp_path, "--json")
    assert "##[" not in answer.stdout
    expected = {one["field"]: one["expected"] for one in json.loads(answer.stdout)["differences"]}
    assert expected["packages.rich"] == planted
    rows = [line for line in summary.splitlines() if line.startswith("|")]
    assert [row.count("|") for row in rows] == [6] * 5
    assert "`" not in summary


def test_a_summary_that_cannot_be_written_changes_no_verdict(capture: Path, tmp_path: Path):
    variables = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "file")}
    finished = run_cxr("env", "verify", capture, "-q", env=variables)
    assert finished.returncode == 0
    assert finished.stderr == (
        "note: the step's summary cannot be written: No such file or directory\n"
    )
    # Elsewhere nothing is written, whatever the variable says.
    summary = tmp_path / "summary"
    assert run_cxr("env", "verify", capture, env={"GITHUB_STEP_SUMMARY": str(summary)}).stderr == ""
    assert not summary.exists()


@pytest.mark.parametrize("name", ["pipe", "zero", "zero.lock", "run/manifest.json"])
def test_what_would_never_end_is_refused(tmp_path: Path, name: str):
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for link in ("zero", "zero.lock", "run/manifest.json"):
        (tmp_path / link).symlink_to("/dev/zero")
    said, where, _ = read_error(run_cxr("env", "verify", tmp_path / name, "-q"), code=3)
    assert said.endswith("it is no regular file")
    assert where == str(tmp_path / name)
