"""Capturing the environment of this process.

Nothing here imports torch: what torch alone knows is ``not_read`` until a process that computes
has imported it. No host name, user name, home path or variable outside a short list is read.
"""

from __future__ import annotations

from cxr.determinism.variables import read_variables
from cxr.environment.code import capture_code
from cxr.environment.facts import NOT_READ, SCHEMA, Capture
from cxr.environment.gpu import capture_gpu
from cxr.environment.images import capture_images
from cxr.environment.numerics import capture_numerics
from cxr.environment.packages import capture_packages
from cxr.environment.processor import capture_cpu
from cxr.environment.python_and_os import capture_os, capture_python


def capture_environment() -> Capture:
    """Read the environment of this process.

    Returns:
        ``schema``, and the groups ``python``, ``os``, ``cpu``, ``gpu``, ``numerics``, ``switches``,
        ``variables``, ``packages``, ``code`` and ``images``.
    """
    return {
        "schema": SCHEMA,
        "python": capture_python(),
        "os": capture_os(),
        "cpu": capture_cpu(),
        "gpu": capture_gpu(),
        "numerics": capture_numerics(),
        "switches": NOT_READ,
        "variables": read_variables(),
        "packages": capture_packages(),
        "code": capture_code(),
        "images": capture_images(),
    }
