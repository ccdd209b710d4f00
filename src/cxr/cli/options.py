"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class FigureSet(StrEnum):
    """How many figures a table shows."""

    MAIN = "main"
    ALL = "all"


Config = Annotated[
    Path, typer.Option("--config", "-c", help="The config, a YAML file.", show_default=False)
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one field, as in train.lr=3e-4."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Directory to write; must be new or empty."),
]
Data = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Root of the run's data set, where it is another here."),
]
Tolerance = Annotated[
    list[str] | None,
    typer.Option(metavar="METRIC=ABS", help="Call runs this close equivalent."),
]
Figures = Annotated[FigureSet, typer.Option(help="Figures that tables show.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)]
