"""Torch's description of its own build, as text that may be shown to anybody."""

from __future__ import annotations

import re
from typing import Final

# What is quoted and has a slash in it; or from where a path, a home directory or an address begins
# to the end of the word that it is in.
# Some words that are none of these ("N/A") are shortened too: rather that than somebody's home.
_PATH: Final = re.compile(r"""(["'])[^"']*[/\\][^"']*\1|(?:[A-Za-z]:\\|~[\\/]|\\\\|/)[^\s,;'"]*""")
# A setting that is a path as a whole may have spaces in it; a comma ends it.
_SETTING: Final = re.compile(r"(?<=[A-Z_]=)\s*(?:[A-Za-z]:\\|~|/)[^,]*")
_PLACE: Final = "<path>"

# Source: torch, aten/src/ATen/Version.cpp, get_mkldnn_version().
_ONEDNN: Final = re.compile(r"\b(?:MKL-DNN|oneDNN)\b.*? v(\d+(?:\.\d+)+)")

_OF_THIS_PROCESS: Final = "CPU capability"
"""What the line with this tells is no part of the build."""


def split_build(text: str) -> list[str]:
    """Return the lines that describe the build, without the one that tells how it is used here."""
    return [line for line in text.splitlines() if _OF_THIS_PROCESS not in line]


def hide_build_paths(lines: list[str]) -> list[str]:
    """Return the lines with ``<path>`` in place of whatever may be a path or an address."""
    return [_PATH.sub(_PLACE, _SETTING.sub(_PLACE, line)).strip() for line in lines]


def find_onednn_version(lines: list[str]) -> str | None:
    """Return the version of oneDNN that the build names, or None where it was built without."""
    found = (_ONEDNN.search(line) for line in lines)
    return next((match[1] for match in found if match), None)
