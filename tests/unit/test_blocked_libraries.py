from __future__ import annotations

import json
import subprocess
import sys

import pytest

BLOCKED = ("torch", "timm", "torchvision", "numpy")

# What must work, and fast, where no numerical library can be imported.
MODULES = (
    "cxr.errors",
    "cxr.progress",
    "cxr.config.load",
    "cxr.config.fields",
    "cxr.determinism.variables",
    "cxr.determinism.levels",
    "cxr.determinism.seeding",
    "cxr.determinism.streams",
    "cxr.digests.canonical",
    "cxr.digests.files",
    "cxr.digests.weights_file",
    "cxr.environment.canaries",
    "cxr.environment.code",
    "cxr.records.data_lock",
    "cxr.audit.advisories",
    "cxr.audit.audit",
    "cxr.environment.capture",
    "cxr.environment.installed_files",
    "cxr.environment.lock_file",
    "cxr.environment.install_commands",
    "cxr.environment.locked_origins",
    "cxr.environment.locked_packages",
    "cxr.environment.wanted_packages",
    "cxr.audit.vulnerability_service",
    "cxr.environment.facts",
    "cxr.records.ledger",
    "cxr.records.manifest",
    "cxr.records.predictions",
    "cxr.records.recipe",
    "cxr.records.run_directory",
    "cxr.environment.remedies",
    "cxr.compare.diff",
    "cxr.compare.environment_reference",
    "cxr.compare.verify_environment",
    "cxr.repeat.against",
    "cxr.repeat.run",
    "cxr.compare.verify_run",
    "cxr.release.verify_export",
    "cxr.publication.fetch_release",
    "cxr.publication.publish_run",
    "cxr.evaluation.metrics",
    "cxr.reports.cyclonedx",
    "cxr.reports.environment_text",
    "cxr.reports.github",
)

PROGRAM = """
import importlib, json, sys
blocked, modules = json.loads(sys.argv[1])
for name in blocked:
    sys.modules[name] = None
failed = {}
for name in modules:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed[name] = str(error)
print(json.dumps([failed, sorted(name for name in blocked if sys.modules[name])]))
"""


@pytest.fixture(scope="module")
def answer():
    given = json.dumps([BLOCKED, [*MODULES, "cxr.digests.tensors"]])
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, given], check=True, capture_output=True, text=True
    )
    return json.loads(ran.stdout)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_that_reads_records_imports_without_numerical_libraries(answer, module):
    failed, loaded = answer
    assert failed.get(module) is None
    assert loaded == []


def test_the_one_module_that_needs_torch_shows_that_the_block_holds(answer):
    failed, _ = answer
    assert failed.keys() == {"cxr.digests.tensors"}
