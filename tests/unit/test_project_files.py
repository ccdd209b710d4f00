"""What the project's own files promise each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
MAIN_JOB = "pip install uv && uv run cxr repeat -n 3 --config configs/sample.yaml"
TESTS = "uv run pytest"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_locked_package_has_a_hash() -> None:
    packages = tomllib.loads(read("uv.lock"))["package"]
    assert len(packages) > 50
    for package in packages:
        if package["name"] == "cxr":
            continue
        files = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]


def test_the_readme_has_exactly_two_setup_commands() -> None:
    setup = read("README.md").partition("## Set up")[2].partition("\n## ")[0]
    commands = re.findall(r"```sh\n(.*?)\n```", setup, flags=re.DOTALL)
    assert commands == [MAIN_JOB, TESTS]


def test_the_readme_says_in_five_lines_what_it_is_for() -> None:
    first = read("README.md").partition("\n\n")[2].partition("\n\n")[0]
    assert len(first.splitlines()) == 5


def test_the_workflow_and_the_local_checks_call_the_readme_commands() -> None:
    workflow = yaml.safe_load(read(".github/workflows/ci.yml"))
    steps = [step.get("run", "") for step in workflow["jobs"]["readme"]["steps"]]
    assert MAIN_JOB in steps
    assert TESTS in steps
    assert any("cxr env capture" in step for step in steps)
    matrix = workflow["jobs"]["readme"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert TESTS in read(".ci/run").splitlines()[-1]
    assert "uv lock --check" in read(".ci/run")


def test_the_readme_maps_every_source_folder_and_top_level_folder() -> None:
    folders = [path for path in (ROOT / "src" / "cxr").iterdir() if (path / "__init__.py").exists()]
    readme = read("README.md")
    assert len(folders) > 8
    for folder in folders:
        assert f"`src/cxr/{folder.name}/`" in readme
    for name in ("configs", "data/sample", "docs", "benchmarks", "tests"):
        assert f"`{name}/`" in readme


def test_the_order_of_imports_is_that_of_the_linter_and_names_every_room() -> None:
    contract = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]
    layers = [layer.replace("cxr.", "").split(" | ") for layer in contract["layers"]]
    rule = read("CONTRIBUTING.md").partition("- **Imports run one way**")[2]
    told = re.findall(r"`(\w+)`", rule.partition("A module imports")[0])
    for layer in layers:
        assert sorted(told[: len(layer)]) == sorted(layer)
        del told[: len(layer)]
    assert told == []
    rooms = {path.stem for path in (ROOT / "src" / "cxr").iterdir() if path.suffix in ("", ".py")}
    assert {room for layer in layers for room in layer} == rooms - {
        "__init__",
        "__main__",
        "__pycache__",
    }


def test_every_config_says_what_to_expect() -> None:
    for path in (ROOT / "configs").glob("*.yaml"):
        if path.name in ("base.yaml", "kermany_base.yaml"):
            continue
        comment = "".join(line for line in read(f"configs/{path.name}").splitlines() if "#" in line)
        assert "Expect:" in comment, path.name


def test_local_links_of_the_documents_lead_somewhere() -> None:
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for document in documents:
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (document.parent / target).exists(), f"{document}: {target}"
