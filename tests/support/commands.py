"""The commands that there are."""

from __future__ import annotations

from typing import Final

COMMANDS: Final = [
    ["train"],
    ["repeat"],
    ["evaluate"],
    ["diff"],
    ["verify"],
    ["doctor"],
    ["run"],
    ["env", "capture"],
    ["env", "audit"],
    ["env", "verify"],
    ["reproduce"],
    ["report"],
    ["data", "synth"],
    ["data", "verify"],
]
