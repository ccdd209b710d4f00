"""``cxr data names``: which file a pseudonym stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, shown_progress
from cxr.plain_text import show_plainly


def names(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A config, a YAML file.")],
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Pseudonyms; default: all.")
    ] = None,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say which files pseudonyms stand for.

    It needs the key that the config names as data.pseudonym_key. What it prints holds real names:
    keep it out of logs and records.

    Example: cxr data names mine.yaml 3f6c1c0a9d2b7e45.dcm
    """
    from cxr.data.sources.names import find_names

    with shown_progress(quiet=quiet) as progress:
        found = find_names(config, wanted or [], progress=progress)
    if json:
        print_json({"names": [{"name": name, "file": str(file)} for name, file in found]})
        return
    for name, file in found:
        print_line(f"{name}  {show_plainly(str(file))}")
