"""The training image: what it says of itself, who can write in it, and that it trains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from findings import Findings
from image_store import ImageStore, call
from read_only_root import Container

LABELS = "org.opencontainers.image."
ANYBODY = "54321:54321"
"""A user that the image does not know, as ``docker run --user`` may give one."""

_TREES = ("/app", "/opt", "/usr", "/etc")
_REPEAT = ("cxr", "repeat", "-n", "2", "--quiet", "--config", "configs/sample.yaml")
_SHORT = ("--set", "train.epochs=1")


def try_training(
    store: ImageStore, image: str, arguments: Mapping[str, str], findings: Findings
) -> Path:
    """Look at the image, run it, and return the directory of a run that was trained in it."""
    config = store.read_config(image)
    try_labels(config, "training", arguments, findings)
    findings.expect(
        sorted(config["Volumes"]) == ["/cache", "/runs"], "/runs and /cache are volumes"
    )
    try_permissions(store, image, findings)
    volumes = {f"/{name}": store.place / name for name in ("runs", "cache")}
    for directory in volumes.values():
        directory.mkdir()
        directory.chmod(0o1777)
    with store.mounted(image) as root:
        try_files(root, findings)
        container = Container(root=root, config=config, volumes=volumes)
        try_read_only(container, findings)
        try_capture(store, image, container, findings)
        try_repeat(container, findings)
        other = Container(root=root, config=config, volumes=volumes, user=ANYBODY)
        ended = other.run(*_REPEAT, *_SHORT, "--out", "runs/anybody")
        findings.expect(ended.returncode == 0, "another user trains as well", found=ended.stdout)
    return store.place / "runs" / "two" / "run-1"


def try_labels(
    config: Mapping[str, Any], title: str, arguments: Mapping[str, str], findings: Findings
) -> None:
    """Hold the labels and the user against what was built."""
    expected = {
        "base.name": arguments["BASE_IMAGE"],
        "licenses": "MIT",
        "revision": arguments["REVISION"],
        "title": f"cxr {title}",
        "version": arguments["VERSION"],
    }
    labels = {
        name.removeprefix(LABELS): value
        for name, value in config["Labels"].items()
        if name.startswith(LABELS)
    }
    findings.expect(labels == expected, f"{title}: labels say version and commit", found=labels)
    user = config["User"]
    findings.expect(user == "10001:10001", f"{title}: the user is a number, not 0", found=user)


def try_permissions(store: ImageStore, image: str, findings: Findings) -> None:
    """Hold that the user can read all of the project and write none of it.

    The root file system can be written here: it is the modes that are looked at.
    """
    user = store.run(image, ("id", "--user")).strip()
    findings.expect(user == "10001", f"{image}: it does not run as root", found=user)
    for trees, test, what in (
        (_TREES, "-writable ! -type l", "its user can write nothing of it"),
        (_TREES, "-user 10001", "its user owns nothing of it"),
        (("/app",), "! -readable", "its user can read all of /app"),
    ):
        # What cannot be entered is named as an error: nobody writes there.
        look = f"find {' '.join(trees)} {test} 2>/dev/null || true"
        found = store.run(image, ("sh", "-c", look)).split()
        findings.expect(not found, f"{image}: {what}", found=found[:9])


def try_files(root: Path, findings: Findings) -> None:
    """Hold that nothing came along from the checkout or from the building."""
    strangers = call("find", root, "-xdev", "-name", "*smuggled*").split()
    findings.expect(not strangers, "nothing came along from the checkout", found=strangers)
    left = [
        path
        for name in ("run/secrets", "root/.cache", "src")
        for path in (root / name).rglob("*")
        if path.is_file()
    ]
    findings.expect(not left, "nothing is left of the building", found=left)
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    findings.expect(bundle.is_file(), "the base's certificates are there", found="none")
    site = next((root / "app/.venv/lib").glob("python3*/site-packages"))
    for name in (".", "app/.venv"):
        findings.say(f"{name}: {_size(root / name)} GB")
    for name in ("nvidia", "torch", "triton"):
        findings.say(f"{name}: {_size(site / name)} GB")


def _size(path: Path) -> str:
    return f"{int(call('du', '--summarize', '--bytes', path).split()[0]) / 1e9:.2f}"


def try_read_only(container: Container, findings: Findings) -> None:
    """Hold that the trial is one: that not even root could write what is read-only."""
    as_root = Container(root=container.root, config=container.config, user="0:0")
    for name in ("/app/x", "/etc/x", "/runs/x"):
        said = as_root.run("touch", name).stdout
        findings.expect("Read-only file system" in said, f"{name} is read-only", found=said)
    ended = container.run("sh", "-c", "touch /runs/x /cache/x /tmp/x && rm /runs/x /cache/x")
    findings.expect(ended.returncode == 0, "volumes and /tmp are not", found=ended.stdout)
    said = container.run("grep", "-E", "^(CapEff|CapBnd|NoNewPrivs):", "/proc/self/status").stdout
    findings.expect(
        said.split()[1::2] == ["0" * 16, "0" * 16, "1"], "there are no privileges", found=said
    )


def try_capture(store: ImageStore, image: str, container: Container, findings: Findings) -> None:
    """Hold that the image's digest gets into a capture, and nothing else in its place."""
    said = container.run("cxr", "--version").stdout
    version = container.config["Labels"][f"{LABELS}version"]
    findings.expect(said == f"cxr {version}\n", "cxr says the label's version", found=said)
    digest = store.read_digest(image)
    # Docker tells its repository as well: that is refused, and said.
    for told, recorded in ((digest, digest), (f"{image}@{digest}", None)):
        ended = container.run(
            *("sh", "-c", "cxr env capture --json --quiet 2>/dev/null"), CXR_IMAGE_DIGEST=told
        )
        found = json.loads(ended.stdout)["os"]["container_image"]
        findings.expect(found == recorded, f"told {told}, recorded {recorded}", found=found)
    ended = container.run("cxr", "env", "verify", "uv.lock", "--quiet")
    findings.expect(
        ended.returncode == 0, "the environment is that of the lock", found=ended.stdout
    )


def try_repeat(container: Container, findings: Findings) -> None:
    """Train the sample twice for an epoch, and verify what was left."""
    digest = "sha256:" + "5" * 64
    ended = container.run(*_REPEAT, *_SHORT, "--out", "runs/two", CXR_IMAGE_DIGEST=digest)
    findings.expect(ended.returncode == 0, "two runs of the sample are equal", found=ended.stdout)
    runs = container.volumes["/runs"] / "two"
    manifests = [json.loads(path.read_bytes()) for path in sorted(runs.glob("run-*/manifest.json"))]
    outcomes = {one["outcome_digest"] for one in manifests}
    findings.expect(len(manifests) == 2 and len(outcomes) == 1, "in their files", found=outcomes)
    captures = [json.loads(path.read_bytes()) for path in runs.glob("run-*/env.json")]
    found = {one["os"]["container_image"] for one in captures}
    findings.expect(found == {digest}, "with the image that they ran in", found=found)
    kept = (runs / "run-1" / "uv.lock").is_file()
    findings.expect(kept, "and with the lock that they were installed from", found="no uv.lock")
    ended = container.run("cxr", "verify", "runs/two/run-1")
    findings.expect(ended.returncode == 0, "and they verify", found=ended.stdout)
