"""The commands that there are."""

from __future__ import annotations

from typing import Final

COMMANDS: Final = [
    ["train"],
    ["repeat"],
    ["evaluate"],
    ["predict"],
    ["serve"],
    ["diff"],
    ["verify"],
    ["attest"],
    ["doctor"],
    ["run"],
    ["env", "capture"],
    ["env", "audit"],
    ["env", "verify"],
    ["reproduce"],
    ["report"],
    ["export"],
    ["publish"],
    ["fetch"],
    ["data", "synth"],
    ["data", "verify"],
]
