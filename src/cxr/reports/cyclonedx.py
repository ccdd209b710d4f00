"""A capture as a bill of materials that other tools read: CycloneDX 1.6, as JSON.

The same capture gives the same bytes: there is no time in it, and its serial number is derived from
the content. Which distribution needs which is not captured, so there is no dependency graph: an
empty one would say that none needs any.
"""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from cxr.digests.canonical import PREFIX, canonical_json, digest_json
from cxr.environment.facts import Capture
from cxr.environment.origins import is_from_index
from cxr.environment.packages import UNKNOWN

if TYPE_CHECKING:
    from cyclonedx.model import HashType, Property
    from cyclonedx.model.component import Component

_NAME: Final = "cxr"
_COMPONENT_GROUPS: Final = ("packages", "origins", "installed")
"""Groups that are told with the components."""


def render_cyclonedx(capture: Capture) -> str:
    """Return a capture as a CycloneDX bill of materials.

    cxr is what it describes, with the digest of its sources; every other distribution is a library.
    A package that is from no index has a package address of the kind ``generic``, so that nobody
    looks it up by its name. Facts are properties ``cxr:<group>.<fact>``.

    Returns:
        One JSON document, with a line end.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.output.json import JsonV1Dot6

    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, digest_json(capture)),
        metadata=BomMetaData(component=_describe_cxr(capture), properties=_list_facts(capture)),
        components=list(_list_components(capture)),
    )
    with warnings.catch_warnings():
        # The library warns of the missing graph.
        warnings.filterwarnings("ignore", message="The Component this BOM is describing")
        document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    del document["metadata"]["timestamp"], document["dependencies"]
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _describe_cxr(capture: Capture) -> Component:
    """Return cxr itself, with the digest of its sources."""
    from cyclonedx.model.component import Component, ComponentType

    code = capture["code"]
    return Component(
        name=_NAME,
        type=ComponentType.APPLICATION,
        version=code["version"],
        bom_ref=f"{_NAME}@{code['version']}",
        hashes=list(_list_hashes(code["digest"])),
        properties=_list_own_properties(capture, _NAME),
    )


def _list_hashes(digest: str) -> Iterator[HashType]:
    """Yield a digest as the format has it, where there is one."""
    from cyclonedx.model import HashAlgorithm, HashType

    if digest.startswith(PREFIX):
        yield HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix(PREFIX))


def _list_components(capture: Capture) -> Iterator[Component]:
    """Yield every distribution but cxr."""
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    origins = _read_group(capture, "origins")
    for name, version in _read_group(capture, "packages").items():
        if name == _NAME:
            continue
        known = is_from_index(origins.get(name, UNKNOWN), if_unknown=True)
        address = PackageURL(type="pypi" if known else "generic", name=name, version=version)
        yield Component(
            name=name,
            type=ComponentType.LIBRARY,
            version=version,
            bom_ref=address.to_string(),
            purl=address,
            properties=_list_own_properties(capture, name),
        )


def _list_own_properties(capture: Capture, name: str) -> list[Property]:
    """Return the origin of a distribution, and what is wrong with its files."""
    from cyclonedx.model import Property

    origin = _read_group(capture, "origins").get(name)
    problems = _read_group(capture, "installed").get(name, [])
    found = [Property(name="cxr:origin", value=origin)] if origin is not None else []
    return found + [Property(name="cxr:problem", value=problem) for problem in problems]


def _list_facts(capture: Capture) -> list[Property]:
    """Return all facts but those about single distributions; groups that were not read as such."""
    from cyclonedx.model import Property

    facts: list[tuple[str, Any]] = []
    for group, value in capture.items():
        if not isinstance(value, dict):
            facts.append((group, value))
        elif group not in _COMPONENT_GROUPS:
            facts += [(f"{group}.{fact}", found) for fact, found in value.items()]
    return [Property(name=f"cxr:{name}", value=_show(found)) for name, found in facts]


def _show(value: Any) -> str:
    """Return a fact as text: text as it is, all else as canonical JSON."""
    return value if isinstance(value, str) else canonical_json(value).decode("ascii")


def _read_group(capture: Capture, group: str) -> dict[str, Any]:
    """Return a group of facts, none where it was not read."""
    facts = capture.get(group)
    return facts if isinstance(facts, dict) else {}
