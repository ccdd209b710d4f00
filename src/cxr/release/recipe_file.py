"""``recipe.yaml``: a config that trains an exported model again, from the run's manifest alone."""

from __future__ import annotations

from typing import Any, Final

from cxr.config.strict_yaml import dump_plain
from cxr.records.manifest import Manifest

_HEAD: Final = (
    "# Trains the exported model again. Where the data set is, and weights from a file, are yours\n"
    "# to name: --set data.root=DIR. README.md says which digests to expect.\n"
)
_KEPT: Final = ("name", "determinism", "data.accept", "evaluate.split")
"""Fields that training needs, or that a reader looks for, whether they affect bits or not."""


def render_recipe(manifest: Manifest) -> str:
    """Return the recipe as YAML: fields that affect bits, and what training needs besides.

    Args:
        manifest: Of the run; it holds no path.
    """
    recipe, rest = manifest["config"]["recipe"], manifest["config"]["rest"]
    fields = {name: rest[name] for name in _KEPT if rest.get(name)} | recipe
    # Counted as bits at some levels only, and asked for at all of them.
    fields |= {name: rest[name] for name in ("threads",) if name in rest}
    if (origin := manifest["weights_origin"]) is not None and origin["source"] == "hub":
        fields["model.weights"] = {
            "source": "hub",
            "repo": origin["repo"],
            "revision": origin["revision"],
            "file": rest.get("model.weights.file", "model.safetensors"),
            "sha256": origin["file_sha256"],
        }
    return _HEAD + dump_plain(_nest(fields))


def _nest(fields: dict[str, Any]) -> dict[str, Any]:
    """Return dotted names as a tree."""
    tree: dict[str, Any] = {}
    for name in sorted(fields):
        *sections, last = name.split(".")
        holder = tree
        for section in sections:
            holder = holder.setdefault(section, {})
        holder[last] = fields[name]
    return tree
