"""The optional libraries that the service needs."""

from __future__ import annotations

from cxr.errors import IMPORT_FAULTS, InstallationError


def require_serving_libraries() -> None:
    """Load what the service is built on.

    Raises:
        InstallationError: A library is missing or cannot be loaded.
    """
    try:
        import fastapi  # noqa: F401 - asked for, not used
        import h11  # noqa: F401 - likewise
        import python_multipart  # noqa: F401 - likewise
        import uvicorn  # noqa: F401 - likewise
    except IMPORT_FAULTS as error:
        raise InstallationError(
            "a service needs FastAPI, uvicorn and python-multipart, which are not installed or "
            "cannot be imported",
            where="cxr serve",
            hint="uv sync --extra serve, or pip install 'cxr[serve]'",
        ) from error
