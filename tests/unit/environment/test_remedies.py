"""Each kind of difference has one line that says what to do, and it is safe to copy."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from cxr.determinism.levels import Level
from cxr.environment.comparison import FactDifference
from cxr.environment.facts import NOT_READ
from cxr.environment.remedies import _REMEDIES, Situation, derive_remedy

THERE: dict[str, Any] = {
    "packages": {"pillow": "12.0.0", "torch": "2.9.0"},
    "code": {"commit": "0123456789abcdef", "dirty": False},
    "images": {"decoders": {"pil": "12.0.0"}},
}
HERE: dict[str, Any] = {
    "packages": {"pillow": "13.0.0", "torch": "2.10.0", "timm": "1.1"},
    "lock": {"digest": "sha256:0", "differs": {"timm": {"locked": "1.0.1", "installed": "1.1"}}},
}

ROWS = [
    ("packages.torch", "2.9.0", "2.10.0", "uv pip install torch==2.9.0"),
    (
        "packages.torch",
        "2.9.0+cu128",
        "2.9.0",
        "uv pip install torch==2.9.0+cu128 --torch-backend cu128",
    ),
    ("packages.timm", "1.0.1", "1.1", "uv sync"),
    ("packages.timm", "1.0.2", "1.1", "uv pip install timm==1.0.2"),
    ("packages.rich", None, "14.0", "uv pip uninstall rich"),
    ("packages.cxr", "0.1.0", "0.2.0", "install the expected version of cxr, or check its commit"),
    (
        "origins.torch",
        "wheel cp313",
        "sdist",
        "uv pip install --reinstall-package torch --no-deps torch==2.9.0",
    ),
    ("origins.torch", "git 0123", "sdist", "install it from where it came from: git 0123"),
    ("origins.torch", None, "sdist", "uv pip uninstall torch"),
    (
        "imported.timm",
        "as installed",
        "elsewhere",
        "unset PYTHONPATH, and start where no timm/ or timm.py lies",
    ),
    (
        "imported.timm",
        "elsewhere",
        "as installed",
        "put the timm that was imported there on PYTHONPATH: it was not the installed one",
    ),
    ("installed.torch", [], ["a.py was changed"], "uv sync --reinstall-package torch"),
    ("installed.rich", [], ["a.py was changed"], "install rich as it was: see packages.rich"),
    ("lock.digest", "sha256:1", "sha256:0", "bring the expected uv.lock back, then: uv sync"),
    ("python.version", "3.11.9", "3.13.0", "uv run --isolated -p 3.11.9 cxr ..."),
    ("python.version", "-c; rm", "3.13.0", "run it with the expected version of Python"),
    ("python.compiler", "GCC 12", "Clang 20", "nothing: bits do not depend on it"),
    ("variables.MKL_CBWR", "AVX2", None, "export MKL_CBWR=AVX2"),
    ("variables.MKL_CBWR", None, "AVX2", "unset MKL_CBWR"),
    ("variables.MKL_CBWR", "not_recorded", None, "set it as it was: its value was not recorded"),
    ("variables.OMP_NUM_THREADS", "1", "2", "nothing: cxr sets it for every run, by the recipe"),
    ("variables.OMP_WAIT_POLICY", "PASSIVE", None, "nothing: bits do not depend on it"),
    ("cpu.machine", "x86_64", "aarch64", "no command: another kind of processor: strict gives no"),
    ("cpu.model", "A", "B", "no command: other processor: strict gives no promise here; det"),
    ("cpu.instruction_sets", ["avx2"], [], "no command: other processor: strict gives no promise"),
    ("cpu.cores", 4, 2, "nothing: the recipe says how many threads compute"),
    ("cpu.cores_available", 4, 2, "nothing: the recipe says how many threads compute"),
    ("cpu.cores_quota", None, 1.5, "nothing: the recipe says how many threads compute"),
    ("cpu.memory_bytes", 4, 2, "nothing: bits do not depend on it"),
    ("gpu.devices", [{"name": "A"}], [], "no command: other GPU: strict gives no promise here"),
    ("gpu.cuda", "13.0", "12.8", "it comes with torch: install the same build"),
    ("gpu.cudnn", 91000, 90000, "it comes with torch: install the same build"),
    ("numerics.build", "sha256:0", "sha256:1", "another build of torch: install the same wheel"),
    ("numerics.cpu_capability", "AVX512", "AVX2", "no command: torch takes other instruction sets"),
    ("numerics.libraries", [], [{}], "install the same numpy and torch: other BLAS or OpenMP"),
    ("numerics.threads", {}, {"a": 1}, "nothing: the recipe says how many threads compute"),
    ("switches.torch.default_dtype", "float32", "float64", "cxr doctor: a switch does not read"),
    ("os.system", "Linux", "Darwin", "no command: another operating system: strict gives no"),
    ("os.libc", "glibc 2.36", "glibc 2.40", "use the same container image: the C library"),
    ("os.release", "6.1", "6.2", "nothing: bits do not depend on it"),
    ("images.canaries", {"a": "0"}, {"a": "1"}, "uv pip install pillow==12.0.0"),
    ("images.resizing", {"tall": "0"}, {"tall": "1"}, "uv pip install pillow==12.0.0"),
    ("images.canaries_changed", [], ["a"], "install the cxr that expects what was expected there"),
    ("arithmetic.version", 1, 2, "git checkout 0123456789abcdef"),
    ("code.digest", "sha256:0", "sha256:1", "git checkout 0123456789abcdef"),
    ("code.dirty", False, True, "commit the changes, or git stash"),
    ("code.dirty", True, False, "none: the other checkout had changes that no commit holds"),
]


def remedy(
    field: str, before: Any, now: Any, *, there: Any = THERE, here: Any = HERE, **changes: Any
) -> str:
    difference = FactDifference(field=field, expected=before, found=now, affects_bits="yes")
    given = {"expected": there, "found": here, "level": Level.STRICT, **changes}
    return derive_remedy(difference, Situation(**given))


@pytest.mark.parametrize(("field", "expected", "found", "do"), ROWS)
def test_a_difference_has_its_remedy(field: str, expected: Any, found: Any, do: str):
    assert remedy(field, expected, found).startswith(do)


def test_every_row_of_the_table_is_shown_here():
    fields = {field for field, *_ in ROWS}
    assert {
        prefix
        for prefix in _REMEDIES
        if not any(field == prefix or field.startswith(f"{prefix}.") for field in fields)
    } == set()


def governed(differs: Any, digest: Any = "sha256:0") -> dict[str, Any]:
    return {"packages": {"torch": "2.9.0"}, "lock": {"digest": digest, "differs": differs}}


@pytest.mark.parametrize(
    ("here", "locked"),
    [
        (governed({}), True),
        (governed({"torch": {"locked": "2.9.0", "installed": None}}), True),
        (governed({"torch": {"locked": "index", "installed": "editable"}}), True),
        (governed({"torch": {"locked": "2.8.0", "installed": "2.9.0"}}), False),
        (governed({"torch": {"locked": None, "installed": "2.9.0"}}), False),
        (governed({}, None), False),
        (governed(NOT_READ), False),
        ({"packages": {"torch": "2.9.0"}}, False),
    ],
)
def test_one_package_is_installed_again_and_what_it_needs_is_left(here: Any, locked: bool):  # noqa: FBT001
    apart = "uv pip install --reinstall-package torch --no-deps torch==2.9.0"
    do = "uv sync --reinstall-package torch" if locked else apart
    assert remedy("origins.torch", "wheel cp313", "sdist", here=here) == do
    assert remedy("installed.torch", [], ["a.py was changed"], here=here) == do


def test_no_remedy_installs_all_that_a_package_needs_again():
    for field, expected, found, _ in ROWS:
        for from_lock in (False, True):
            words = remedy(field, expected, found, from_lock=from_lock).split()
            assert "--reinstall" not in words
            assert words[:2] != ["uv", "run"] or "--isolated" in words


def test_where_a_lock_is_asked_about_it_is_the_remedy():
    assert remedy("packages.torch", "2.9.0", "2.10.0", from_lock=True) == "uv sync"


@pytest.mark.parametrize(
    ("level", "says"),
    [
        (Level.WARN, "no command: other processor; warn promises no bits"),
        (Level.PORTABLE, "nothing: bits do not depend on it"),
    ],
)
def test_another_processor_matters_by_the_promise(level: Level, says: str):
    assert remedy("cpu.model", "A", "B", level=level) == says


def test_what_could_not_be_read_points_to_the_library():
    assert remedy("numerics.build", "sha256:0", NOT_READ).startswith("cxr doctor names")


def test_the_same_pillow_with_other_pixels_is_installed_again():
    do = remedy("images.canaries", {}, {"a": "1"}, here=THERE)
    assert do == "uv pip install --reinstall-package pillow --no-deps pillow==12.0.0"
    locked = {**THERE, "lock": {"digest": "sha256:0", "differs": {}}}
    assert remedy("images.canaries", {}, {"a": "1"}, here=locked) == (
        "uv sync --reinstall-package pillow"
    )
    assert remedy("images.canaries", {}, {}, there={"images": {"decoders": {"pil": "9"}}}) == (
        "uv pip install pillow==9"
    )
    assert "not known" in remedy("images.canaries", {}, {}, there={})


def test_sources_without_a_clean_commit_are_owned_up_to():
    dirty = {"code": {"commit": "0123456789", "dirty": True}}
    assert remedy("code.digest", "0", "1", there=dirty) == (
        "git checkout 0123456789, and the changes that no commit holds"
    )
    for commit in (None, "$(reboot)", "--force"):
        do = remedy("code.digest", "0", "1", there={"code": {"commit": commit}})
        assert do == "install the cxr that has these sources: no commit is known"


@pytest.mark.parametrize("planted", ["1; reboot", "1' && reboot '", "$(reboot)", "1\nreboot"])
def test_a_value_from_a_file_is_one_word_of_the_command(planted: str):
    """Somebody's capture must not put a command of its own into the line that is copied."""
    for do in (
        remedy("packages.rich", planted, "14"),
        remedy(f"packages.{planted}", None, "14"),
        remedy("variables.MKL_CBWR", planted, None),
    ):
        words = shlex.split(do)
        assert sum(planted in word for word in words) == 1, do
        assert "reboot" not in words
