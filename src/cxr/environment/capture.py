"""Capturing the environment of this process.

Nothing here imports torch: what torch alone knows is ``not_read`` until a process that computes
has imported it. No host name, user name, home path or variable outside a short list is read.
"""

from __future__ import annotations

from cxr.determinism.portable.version import ARITHMETIC_VERSION
from cxr.determinism.variables import read_variables
from cxr.environment.code import capture_code
from cxr.environment.facts import NOT_READ, SCHEMA, Capture
from cxr.environment.gpu import capture_gpu
from cxr.environment.images import capture_images
from cxr.environment.imported import capture_imported
from cxr.environment.locked_packages import capture_lock
from cxr.environment.numerics import capture_numerics
from cxr.environment.origins import capture_origins
from cxr.environment.packages import capture_packages, find_distributions
from cxr.environment.processor import capture_cpu
from cxr.environment.python_and_os import capture_os, capture_python


def capture_environment() -> Capture:
    """Read the environment of this process.

    Returns:
        ``schema``, and the groups ``python``, ``os``, ``cpu``, ``gpu``, ``numerics``, ``switches``,
        ``variables``, ``packages``, ``origins``, ``imported``, ``installed``, ``lock``,
        ``code``, ``arithmetic`` and ``images``.
    """
    distributions = find_distributions()
    packages = capture_packages(distributions)
    origins = capture_origins(distributions)
    return {
        "schema": SCHEMA,
        "python": capture_python(),
        "os": capture_os(),
        "cpu": capture_cpu(),
        "gpu": capture_gpu(),
        "numerics": capture_numerics(),
        "switches": NOT_READ,
        "variables": read_variables(),
        "packages": packages,
        "origins": origins,
        "imported": capture_imported(distributions),
        "installed": NOT_READ,
        "lock": capture_lock(packages, origins),
        "code": capture_code(),
        "arithmetic": {"version": ARITHMETIC_VERSION},
        "images": capture_images(),
    }
