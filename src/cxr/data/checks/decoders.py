"""Whether this machine decodes images to the pixels that cxr, or a lock, knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.environment.canaries import EXPECTED, find_changed_canaries, read_canaries


def capture_decoder() -> dict[str, dict[str, str]]:
    """Return the versions of the libraries that decode here, and the digests of the canaries."""
    from PIL import features

    versions = {name: features.version(name) for name in ("pil", "libjpeg_turbo", "zlib")}
    return {
        "versions": {name: version for name, version in versions.items() if version is not None},
        "canaries": read_canaries(),
    }


def find_unknown_decoder(decoder: Mapping[str, Mapping[str, str]]) -> Iterator[DataProblem]:
    """Yield a problem where canaries decode to other pixels than cxr knows.

    Args:
        decoder: What `capture_decoder` returned here; empty where nothing was decoded.
    """
    if decoder and (changed := find_changed_canaries(dict(decoder["canaries"]))):
        yield describe_problem("decoder-differs", [], f"{_name(changed)}: not as cxr knows")


def find_other_decoder(
    decoder: Mapping[str, Mapping[str, str]], locked: Mapping[str, Mapping[str, str]]
) -> Iterator[DataProblem]:
    """Yield a problem where canaries decode to other pixels than when the set was locked.

    Args:
        decoder: What `capture_decoder` returned here; empty where nothing was decoded.
        locked: What it returned then; empty where that is not known.
    """
    if not decoder:
        return
    found, then = decoder["canaries"], locked.get("canaries", {})
    if changed := [name for name in EXPECTED if name in then and then[name] != found.get(name)]:
        libraries = _name_versions(decoder["versions"], locked.get("versions", {}))
        detail = f"{_name(changed)}: not as when the set was locked{libraries}"
        yield describe_problem("decoder-differs", [], detail)


def _name(canaries: list[str]) -> str:
    return f"decoder canary {', '.join(canaries)}"


def _name_versions(now: Mapping[str, str], then: Mapping[str, str]) -> str:
    changed = [
        f"{name} {then.get(name, 'none')} then, {now.get(name, 'none')} here"
        for name in sorted({*now, *then})
        if now.get(name) != then.get(name)
    ]
    return f" ({'; '.join(changed)})" if changed else ""
