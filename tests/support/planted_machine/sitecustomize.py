"""Makes each Python process see a machine that is full of somebody's names and secrets.

Python imports this module at its start where its directory is on PYTHONPATH, so that processes
which a process under test starts for itself see that machine as well.
"""

from __future__ import annotations

import importlib.machinery
import os
import pathlib
import socket
import sys
from typing import Any

from someones_machine import BUILD, FILES  # beside this module


class _Build:
    """Finds torch's module about its build, and gives it another text to show."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "torch.__config__":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def load_and_plant(module: Any) -> None:
            load(module)
            module.show = lambda: BUILD

        spec.loader.exec_module = load_and_plant
        return spec


def _plant_files() -> None:
    read, exists = pathlib.Path.read_text, pathlib.Path.exists

    def read_text(path: pathlib.Path, *arguments: Any, **options: Any) -> str:
        return FILES[str(path)] if str(path) in FILES else read(path, *arguments, **options)

    def planted_exists(path: pathlib.Path, **options: Any) -> bool:
        # Not in a container of docker's, so that the planted files are looked at.
        return str(path) != "/.dockerenv" and (str(path) in FILES or exists(path, **options))

    pathlib.Path.read_text = read_text
    pathlib.Path.exists = planted_exists


def _plant_name() -> None:
    known = os.uname()
    named = (known.sysname, "planted-host", known.release, known.version, known.machine)
    os.uname = lambda: os.uname_result(named)
    socket.gethostname = lambda: "planted-host"


_plant_files()
_plant_name()
sys.meta_path.insert(0, _Build())
