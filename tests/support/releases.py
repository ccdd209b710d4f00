"""Exports of a small run, published on a hub of this machine without asking the program."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxr.digests.canonical import canonical_json, digest_json
from cxr.digests.files import digest_file
from cxr.publication.fetch_release import Fetched
from cxr.records.manifest import write_manifest
from cxr.release import layout
from cxr.release.export_record import RUN_DIGESTS, write_export_record
from cxr.release.recipe_file import render_recipe
from support.hub_state import ATTRIBUTES, Files, Hub, Repository
from support.recipes import images
from support.runs import FinishedRuns, Run

REPO = "group/model"
TAG = "v1.0.0"


def set_changed_code(run: Path, *, dirty: bool) -> None:
    """Make a run one of changed code, or of a clean commit; checkouts are of both kinds."""
    environment = json.loads((run / "env.json").read_bytes())
    environment["code"]["dirty"] = dirty
    (run / "env.json").write_text(json.dumps(environment))
    manifest = json.loads((run / "manifest.json").read_bytes())
    manifest["code"]["dirty"] = dirty
    manifest["files"]["env.json"] = digest_file(run / "env.json")
    write_manifest(run, manifest)


def train_small(finished_run: FinishedRuns, radiographs: Path) -> Run:
    return finished_run(images(radiographs, train={"epochs": 1, "batch_size": 4}))


def write_small_export(run: Path, place: Path) -> Path:
    """Write an export of a fabricated run that nothing was measured of; it verifies."""
    place.mkdir(parents=True)
    for name in ("manifest.json", "model.safetensors"):
        shutil.copyfile(run / name, place / name)
    manifest = json.loads((run / "manifest.json").read_bytes())
    head = canonical_json(layout.describe_ledger_head(manifest)) + b"\n"
    (place / layout.LEDGER_HEAD).write_bytes(head)
    labels = manifest["config"]["recipe"]["data.classes"]
    (place / "labels.json").write_text(json.dumps({"labels": labels}))
    (place / "recipe.yaml").write_text(render_recipe(manifest))
    for name in ("README.md", "config.json", "preprocessing.json"):
        (place / name).write_text(f'{{"{name}": "of a fabricated run"}}\n')
    write_export_record(place, {"run": {name: manifest[name] for name in RUN_DIGESTS}})
    return place


def read_files(directory: Path) -> Files:
    """Return the content of each file of a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def put(hub: Hub, files: Files, *, repo: str = REPO, tag: str | None = TAG) -> str:
    """Put files into a repository, as a commit that a tag names."""
    repository = hub.repositories.setdefault(repo, Repository(private=False))
    commit = repository.add_commit({".gitattributes": ATTRIBUTES, **files})
    if tag is not None:
        repository.tags[tag] = commit
    return commit


def name_findings(found: Fetched) -> list[tuple[str, str]]:
    """Return what is wrong with a release that was fetched."""
    return [(one.path, one.problem) for one in found.findings]


def seal_anew(directory: Path, change: Callable[[dict[str, Any]], None] | None = None) -> None:
    """Write ``export.json`` as somebody would who edited a file and knows the format."""
    path = directory / "export.json"
    record = json.loads(path.read_bytes())
    companions = ("export.json", *layout.COMPANIONS)
    record["files"] = {
        one.name: digest_file(one) for one in directory.iterdir() if one.name not in companions
    }
    if change is not None:
        change(record)
    body = {name: value for name, value in record.items() if name != "export_digest"}
    path.write_bytes(canonical_json({**body, "export_digest": digest_json(body)}) + b"\n")
