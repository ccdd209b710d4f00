"""What to do about one fact in which two environments differ, in one line.

A table by the beginning of a fact's name, longest first. Values come from a file that somebody may
have sent: what goes into a command is quoted for the shell.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cxr.determinism.levels import Level
from cxr.determinism.variables import HARMLESS_VARIABLES, NOT_RECORDED, OWN_VARIABLES
from cxr.environment.comparison import FactDifference
from cxr.environment.facts import AS_INSTALLED, NOT_READ, Capture
from cxr.environment.install_commands import derive_pin, derive_reinstall

_NO_MATTER: Final = "nothing: bits do not depend on it"
_OTHER_MACHINE: Final = {
    Level.WARN: "no command: {what}; warn promises no bits",
    Level.STRICT: "no command: {what}: strict gives no promise here; determinism: portable does",
    Level.PORTABLE: _NO_MATTER,
}
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_PYTHON: Final = re.compile(r"\d+(\.\d+){1,2}\S*")
_BACKEND: Final = re.compile(r"cpu|cu\d{3}|xpu|rocm[\d.]+")
_OF_TORCH: Final = ("torch", "torchvision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a remedy depends on besides the difference itself.

    Attributes:
        expected: The capture compared with, or what is known of it.
        found: The capture of this machine.
        level: The level at which bits are asked about.
        from_lock: Whether the expected versions are those of a ``uv.lock``.
    """

    expected: Capture
    found: Capture
    level: Level
    from_lock: bool = False


Remedy = Callable[[FactDifference, Situation], str]


def derive_remedy(difference: FactDifference, situation: Situation) -> str:
    """Return what to do about a difference: a command where there is one, else why there is none.

    Args:
        difference: The fact, what was expected and what is here.
        situation: Both captures, and the level.
    """
    field = difference.field
    if difference.found == NOT_READ:
        return "cxr doctor names the library that cannot be asked, and what mends it"
    rows = [prefix for prefix in _REMEDIES if field == prefix or field.startswith(f"{prefix}.")]
    return _REMEDIES[max(rows, key=len)](difference, situation) if rows else _NO_MATTER


def _install_package(difference: FactDifference, situation: Situation) -> str:
    """Return the command that brings a distribution to the expected version."""
    name, version = _name(difference), difference.expected
    if name == "cxr":
        return "install the expected version of cxr, or check its commit out"
    if situation.from_lock or _is_locked(name, version, situation):
        return "uv sync"
    if version is None:
        return f"uv pip uninstall {shlex.quote(name)}"
    backend = str(version).partition("+")[2]
    known = name in _OF_TORCH and _BACKEND.fullmatch(backend)
    option = f" --torch-backend {backend}" if known else ""
    return f"uv pip install {derive_pin(name, version)}{option}"


def _is_locked(name: str, version: Any, situation: Situation) -> bool:
    """Say whether the lock that governs this environment has what is expected."""
    differs = _look_up(situation.found, "lock", "differs")
    if version is None or not isinstance(differs, dict):
        return False
    here = _look_up(situation.found, "packages", name)
    one = differs.get(name)
    if isinstance(one, dict) and one.get("installed") in (here, None):
        return bool(one.get("locked") == version)
    # It is in its locked version, though perhaps from elsewhere; without a lock nothing is locked.
    return _look_up(situation.found, "lock", "digest") is not None and here == version


def _install_origin(difference: FactDifference, situation: Situation) -> str:
    name, origin = _name(difference), difference.expected
    version = _look_up(situation.expected, "packages", name)
    if situation.from_lock:
        return derive_reinstall(name, version, locked=True)
    if isinstance(origin, str) and origin.startswith("wheel") and version is not None:
        return derive_reinstall(name, version, locked=_is_locked(name, version, situation))
    if origin is None:
        return f"uv pip uninstall {shlex.quote(name)}"
    return f"install it from where it came from: {origin}"


def _reinstall(difference: FactDifference, situation: Situation) -> str:
    name = _name(difference)
    version = _look_up(situation.found, "packages", name)
    if version is None:
        return f"install {name} as it was: see packages.{name}"
    return derive_reinstall(name, version, locked=_is_locked(name, version, situation))


def _import_as_installed(difference: FactDifference, _: Situation) -> str:
    name = _name(difference)
    if difference.expected == AS_INSTALLED:
        return f"unset PYTHONPATH, and start where no {name}/ or {name}.py lies"
    return f"put the {name} that was imported there on PYTHONPATH: it was not the installed one"


def _run_python(difference: FactDifference, _: Situation) -> str:
    version = str(difference.expected)
    if not _PYTHON.fullmatch(version):
        return "run it with the expected version of Python"
    # Isolated: otherwise uv would put the other Python in place of the project's environment.
    return f"uv run --isolated -p {shlex.quote(version)} cxr ..."


def _set_variable(difference: FactDifference, _: Situation) -> str:
    name, value = _name(difference), difference.expected
    if name in OWN_VARIABLES:
        return "nothing: cxr sets it for every run, by the recipe"
    if name in HARMLESS_VARIABLES:
        return _NO_MATTER
    if value == NOT_RECORDED:
        return "set it as it was: its value was not recorded"
    if value is None:
        return f"unset {shlex.quote(name)}"
    return f"export {shlex.quote(name)}={shlex.quote(str(value))}"


def _machine(what: str) -> Remedy:
    """Return a remedy that says what no command can give."""
    return lambda _, situation: _OTHER_MACHINE[situation.level].format(what=what)


def _says(text: str) -> Remedy:
    return lambda _difference, _situation: text


def _install_decoder(_: FactDifference, situation: Situation) -> str:
    """Return the command for the Pillow whose decoders gave the expected pixels."""
    wanted = _find_pillow(situation.expected)
    if wanted is None:
        return "install the Pillow that was there: its version is not known"
    locked = _is_locked("pillow", wanted, situation)
    if wanted == _find_pillow(situation.found):
        return derive_reinstall("pillow", wanted, locked=locked)
    return "uv sync" if locked else f"uv pip install {derive_pin('pillow', wanted)}"


def _find_pillow(capture: Capture) -> str | None:
    version = _look_up(capture, "packages", "pillow")
    if version is None:
        decoders = _look_up(capture, "images", "decoders")
        version = decoders.get("pil") if isinstance(decoders, dict) else None
    return None if version is None else str(version)


def _check_code_out(_: FactDifference, situation: Situation) -> str:
    """Return the command that brings cxr's sources back, where a commit names them."""
    commit = _look_up(situation.expected, "code", "commit")
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        return "install the cxr that has these sources: no commit is known"
    if _look_up(situation.expected, "code", "dirty"):
        return f"git checkout {commit}, and the changes that no commit holds"
    return f"git checkout {commit}"


def _clean_code(difference: FactDifference, _: Situation) -> str:
    if difference.found is None:
        return "git status says why git cannot tell what was changed"
    if difference.expected is False:
        return "commit the changes, or git stash"
    return "none: the other checkout had changes that no commit holds"


_REMEDIES: Final[dict[str, Remedy]] = {
    "packages": _install_package,
    "origins": _install_origin,
    "imported": _import_as_installed,
    "installed": _reinstall,
    "lock": _says("bring the expected uv.lock back, then: uv sync"),
    "python.version": _run_python,
    "variables": _set_variable,
    "cpu.machine": _machine("another kind of processor"),
    "cpu.model": _machine("other processor"),
    "cpu.instruction_sets": _machine("other processor"),
    "cpu.cores": _says("nothing: the recipe says how many threads compute"),
    "cpu.cores_available": _says("nothing: the recipe says how many threads compute"),
    "cpu.cores_quota": _says("nothing: the recipe says how many threads compute"),
    "gpu.devices": _machine("other GPU"),
    "gpu.cuda": _says("it comes with torch: install the same build, see packages.torch"),
    "gpu.cudnn": _says("it comes with torch: install the same build, see packages.torch"),
    "numerics.build": _says("another build of torch: install the same wheel, see packages.torch"),
    "numerics.cpu_capability": _machine("torch takes other instruction sets"),
    "numerics.libraries": _says("install the same numpy and torch: other BLAS or OpenMP is loaded"),
    "numerics.threads": _says("nothing: the recipe says how many threads compute"),
    "switches": _says("cxr doctor: a switch does not read back as on the other machine"),
    "os.system": _machine("another operating system"),
    "os.libc": _says("use the same container image: the C library is another"),
    "images.canaries": _install_decoder,
    "images.resizing": _install_decoder,
    "images.canaries_changed": _says("install the cxr that expects what was expected there"),
    "arithmetic.version": _check_code_out,
    "code": _check_code_out,
    "code.dirty": _clean_code,
}
"""By the beginning of a fact's dotted name; the longest that fits counts."""


def _name(difference: FactDifference) -> str:
    return difference.field.partition(".")[2]


def _look_up(capture: Capture, group: str, fact: str) -> Any:
    """Return a fact that a capture may lack."""
    facts = capture.get(group)
    return facts.get(fact) if isinstance(facts, dict) else None
