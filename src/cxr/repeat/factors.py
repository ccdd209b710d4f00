"""What ``--vary`` may change beside a recipe, and what each value of it stands for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cxr.config.schema import RunConfig
from cxr.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a factor that is environment variables.

    Attributes:
        variables: Their values.
        needs: Instruction sets without which a machine cannot take it.
        capability: What torch then says of itself; None where it says nothing.
    """

    variables: Mapping[str, str]
    needs: frozenset[str] = frozenset()
    capability: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """Something that may be varied: a whole number of the config, or a choice of variables.

    Attributes:
        section: The config's section that holds the field; empty: the top level.
        name: The field's name there; empty for variables.
        least: Its least value.
        most: Its greatest.
        choices: By value, what the variables are.
    """

    section: str = ""
    name: str = ""
    least: int = 0
    most: int = 0
    choices: Mapping[str, Choice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value of one factor.

    Attributes:
        factor: Its name, a key of `FACTORS`.
        value: As it was given.
    """

    factor: str
    value: str

    def __str__(self) -> str:
        """Return it as it was given."""
        return f"{self.factor}={self.value}"


_AVX2: Final = frozenset({"avx2", "fma"})
_AVX512: Final = frozenset({"avx512f", "avx512bw", "avx512vl"})
_NEEDS: Final[Mapping[str, frozenset[str]]] = {
    "sse41": frozenset({"sse4_1"}),
    "sse4_2": frozenset({"sse4_2"}),
    "avx": frozenset({"avx"}),
    "avx2": _AVX2,
    "avx512": _AVX512,
    "avx512_core": _AVX512,
}


def _list_isa(torch_value: str, onednn: str, mkl: str, needs: frozenset[str]) -> Choice:
    """Return the variables by which torch, oneDNN and MKL are held to one instruction set."""
    return Choice(
        variables={
            "ATEN_CPU_CAPABILITY": torch_value,
            "ONEDNN_MAX_CPU_ISA": onednn,
            "MKL_ENABLE_INSTRUCTIONS": mkl,
        },
        needs=needs,
        capability=torch_value.upper(),
    )


FACTORS: Final[Mapping[str, Factor]] = {
    "threads": Factor(name="threads", least=1, most=1024),
    "workers": Factor(name="workers", least=0, most=256),
    "batch_eval": Factor(section="evaluate", name="batch_size", least=1, most=65_536),
    # Source: torch, aten/src/ATen/native/DispatchStub.cpp; oneDNN, "CPU Dispatcher Control"; Intel
    # oneMKL developer guide, "Instruction Set Specific Dispatching".
    "isa": Factor(
        choices={
            "default": _list_isa("default", "SSE41", "SSE4_2", frozenset()),
            "avx2": _list_isa("avx2", "AVX2", "AVX2", _AVX2),
            "avx512": _list_isa("avx512", "AVX512_CORE", "AVX512", _AVX512),
        }
    ),
    # Source: Intel oneMKL developer guide, "Conditional Numerical Reproducibility Control".
    "mkl_cbwr": Factor(
        choices={
            value: Choice(
                variables={"MKL_CBWR": value.upper()}, needs=_NEEDS.get(value, frozenset())
            )
            for value in ("compatible", "sse4_2", "avx", "avx2", "avx512")
        }
    ),
    # Source: oneDNN, "CPU Dispatcher Control".
    "onednn_isa": Factor(
        choices={
            value: Choice(variables={"ONEDNN_MAX_CPU_ISA": value.upper()}, needs=_NEEDS[value])
            for value in ("sse41", "avx", "avx2", "avx512_core")
        }
    ),
}
"""By the name on the command line."""


def parse_settings(texts: Sequence[str]) -> tuple[Setting, ...]:
    """Return what texts such as ``threads=1,2,4`` name, in order.

    Raises:
        UsageError: There is none, a factor or a value is not known, or one is named twice.
    """
    settings: list[Setting] = []
    for text in texts:
        name, equals, values = text.partition("=")
        if name not in FACTORS:
            raise _refuse(f"no factor is called {name[:40]!r}", text)
        if not equals:
            raise _refuse(f"the factor {name} is named without values", text)
        for value in values.split(","):
            _require_value(name, value, text)
            setting = Setting(factor=name, value=value)
            if setting in settings:
                raise _refuse(f"{setting} is named twice", text)
            settings.append(setting)
    return tuple(settings)


def find_reason_to_pass(
    config: RunConfig, setting: Setting, instruction_sets: Collection[str]
) -> str | None:
    """Return why a run of a setting would say nothing, or None.

    Args:
        config: The recipe.
        setting: One value of one factor.
        instruction_sets: Those of this machine, as `cxr.environment.processor` names them.
    """
    factor = FACTORS[setting.factor]
    if factor.name:
        own = getattr(_find_section(config, factor), factor.name)
        return "it is the recipe's own value" if own == int(setting.value) else None
    missing = factor.choices[setting.value].needs - set(instruction_sets)
    return f"this machine has no {', '.join(sorted(missing))}" if missing else None


def apply_setting(config: RunConfig, setting: Setting) -> tuple[RunConfig, dict[str, str | None]]:
    """Return the recipe and the environment variables that a setting stands for."""
    factor = FACTORS[setting.factor]
    if not factor.name:
        return config, dict(factor.choices[setting.value].variables)
    changed = {factor.name: int(setting.value)}
    if factor.section:
        section = _find_section(config, factor).model_copy(update=changed)
        return config.model_copy(update={factor.section: section}), {}
    return config.model_copy(update=changed), {}


def find_capability(setting: Setting) -> str | None:
    """Return what torch must say of itself in a run of a setting; None where it may say all."""
    choice = FACTORS[setting.factor].choices.get(setting.value)
    return choice.capability if choice is not None else None


def _find_section(config: RunConfig, factor: Factor) -> RunConfig:
    return getattr(config, factor.section) if factor.section else config


def _require_value(name: str, value: str, text: str) -> None:
    factor = FACTORS[name]
    if factor.choices:
        if value not in factor.choices:
            raise _refuse(f"{name} is one of {', '.join(factor.choices)}, not {value[:40]!r}", text)
    elif not value.isascii() or not value.isdecimal() or value != str(int(value)):
        raise _refuse(f"{name} is a whole number, not {value[:40]!r}", text)
    elif not factor.least <= int(value) <= factor.most:
        raise _refuse(f"{name} is from {factor.least} to {factor.most}, not {value[:40]}", text)


def _refuse(problem: str, text: str) -> UsageError:
    return UsageError(
        problem,
        where=f"--vary {text[:60]}",
        hint=f"name values of {', '.join(FACTORS)}, as in --vary threads=1,2,4 workers=0,2",
    )
