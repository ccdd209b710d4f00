"""Package URLs: the name and version of a package in one text that other tools read.

Written here and not by a library, because signed statements are compared byte for byte with what
this version of cxr would have signed: no update of a library may spell them otherwise.
"""

from __future__ import annotations

from urllib.parse import quote

from cxr.environment.origins import is_from_index
from cxr.environment.packages import UNKNOWN


def derive_package_url(name: str, version: str, origin: str = UNKNOWN) -> str:
    """Return the package URL of an installed distribution.

    Args:
        name: Its name.
        version: Its version.
        origin: Where it is from, as `cxr.environment.origins.read_origin` says it.

    Returns:
        ``pkg:pypi/<name>@<version>``; of what is from no index ``pkg:generic/…``, so that nobody
        looks it up by its name.

    Source: https://github.com/package-url/purl-spec, ``PURL-SPECIFICATION.rst`` for the encoding,
    ``PURL-TYPES.rst`` for names of ``pypi``.
    """
    if is_from_index(origin, if_unknown=True):
        return f"pkg:pypi/{_encode(name.lower().replace('_', '-'))}@{_encode(version)}"
    return f"pkg:generic/{_encode(name)}@{_encode(version)}"


def _encode(text: str) -> str:
    return quote(text, safe=":")
