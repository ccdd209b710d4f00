"""Builds the images of the Dockerfile without Docker, on a base of Debian's, and tries them.

Debootstrap makes the base, buildah builds, and Linux's namespaces run what was built with a root
file system that cannot be written, no network but loopback, and no privilege. All of it lies in one
temporary directory, which is removed. It needs root, the network, 35 GB of disk and ten minutes.

Exit codes: 0 all that was checked is as it should be, 1 something is not or could not be built,
3 this machine lacks what it takes. What was not checked is said at the end, each time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from findings import Findings
from image_store import BuildError, ImageStore, call
from serving_image import try_serving
from training_image import try_training

ROOT: Final = Path(__file__).parents[2]
TOOLS: Final = (
    *("buildah", "debootstrap", "git", "unshare", "nsenter", "setpriv", "chroot", "mount", "ip"),
)
NEEDED_BYTES: Final = 35 * 10**9

STRANGERS: Final = (
    *(".env.smuggled", ".git/smuggled", "runs/smuggled/manifest.json", "data/mine/smuggled.png"),
    *("src/cxr/.env.smuggled", "src/cxr/smuggled.key", "configs/smuggled.pem"),
    *("data/sample/smuggled.pt", "src/cxr/runs/smuggled.json"),
)
"""What somebody's checkout may hold beside the sources, and no image may."""

NEVER_CHECKED: Final = (
    "a build by Docker itself, and Docker's own image of Python as the base",
    "that an engine calls the health check by itself, and its limits of memory and time",
    "a GPU inside of a container, and any machine but this one's architecture",
    "publishing: .github/workflows/container.yml runs on GitHub alone",
)


def find_missing(place: Path) -> list[str]:
    """Return what this machine lacks, in words."""
    missing = [f"no program {name}" for name in TOOLS if shutil.which(name) is None]
    if sys.platform != "linux" or os.geteuid() != 0:
        return [*missing, "this is no Linux, or the user is not root"]
    free_bytes = shutil.disk_usage(place).free
    if free_bytes < NEEDED_BYTES:
        missing.append(f"{free_bytes / 1e9:.0f} GB free under {place}: 35 are needed")
    if not missing and not _carries_overlays(place):
        missing.append(f"no overlay can be mounted under {place}: name another with --work")
    return missing


def _carries_overlays(place: Path) -> bool:
    with tempfile.TemporaryDirectory(dir=place) as temporary:
        for name in ("lower", "upper", "work", "merged"):
            Path(temporary, name).mkdir()
        mount = "mount -t overlay o -o lowerdir=lower,upperdir=upper,workdir=work merged"
        return (
            subprocess.run(
                ["unshare", "--mount", "sh", "-c", mount],
                cwd=temporary,
                stderr=subprocess.DEVNULL,
                check=False,
            ).returncode
            == 0
        )


def copy_checkout(place: Path) -> Path:
    """Copy what git tracks, and plant what may lie beside it, and modes that a umask may leave."""
    context = place / "context"
    for name in call("git", "-C", ROOT, "ls-files", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, context / name)
    for name in STRANGERS:
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text("nobody else's business\n", encoding="utf-8")
    (context / "uv.lock").chmod(0o666)
    (context / "configs" / "sample.yaml").chmod(0o666)
    (context / "configs" / "base.yaml").chmod(0o600)
    (context / "configs").chmod(0o777)
    return context


def try_refusals(
    build: Callable[[str, dict[str, str]], str], arguments: dict[str, str], findings: Findings
) -> None:
    """Hold that an image is not built which would say something false of itself."""
    name = arguments["BASE_IMAGE"].partition("@")[0]
    for argument, value, words in (
        ("BASE_IMAGE", f"{name}:3.13-slim", "names no digest"),
        ("VERSION", "99.0", "VERSION is '99.0', the sources are cxr"),
        ("VERSION", "", "VERSION is ''"),
        ("REVISION", "main", "REVISION is no commit"),
    ):
        try:
            said = build("training", {**arguments, argument: value})
        except BuildError as error:
            said = str(error)
        findings.expect(words in said, f"{argument}={value!r} is refused, in words", found=said)


def try_all(store: ImageStore, options: argparse.Namespace, findings: Findings) -> None:
    """Make the base, build both images and try each."""
    findings.say(f"making the base: Debian {options.suite}")
    base = store.make_base(options.suite, options.mirror)
    context = copy_checkout(store.place)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    arguments = {
        "BASE_IMAGE": base,
        "VERSION": project["version"],
        "REVISION": call("git", "-C", ROOT, "rev-parse", "HEAD").strip(),
    }

    def build(target: str, told: dict[str, str]) -> str:
        return store.build(target, context, told)

    findings.say("building the training image")
    training = build("training", arguments)
    try_refusals(build, arguments, findings)
    run = try_training(store, training, arguments, findings)
    if "serve" in project["optional-dependencies"]:
        findings.say("building the serving image")
        try_serving(store, build("serving", arguments), arguments, run, findings)
    else:
        findings.not_checked.insert(0, "THE SERVING IMAGE: pyproject.toml has no extra `serve` yet")


@contextmanager
def opened_store(options: argparse.Namespace) -> Iterator[ImageStore]:
    """Give a store in a temporary place; it is gone afterwards, whatever happened."""
    place = Path(tempfile.mkdtemp(prefix="cxr-containers-", dir=options.work))
    store = ImageStore(place=place, certificates=options.certificates)
    try:
        yield store
    finally:
        store.remove()


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    told = os.environ.get("SSL_CERT_FILE")
    parser.add_argument("--suite", default="trixie", help="Debian's release (default: trixie)")
    parser.add_argument("--mirror", default="http://deb.debian.org/debian", help="its packages")
    parser.add_argument(
        "--work",
        metavar="DIR",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="where the temporary directory is made",
    )
    parser.add_argument(
        "--certificates",
        metavar="FILE",
        type=Path,
        default=Path(told) if told else None,
        help="what a proxy of this network is trusted by (default: SSL_CERT_FILE)",
    )
    return parser.parse_args()


def main() -> int:
    """Try everything, and say what was not checked."""
    options = parse_options()
    missing = find_missing(options.work)
    if missing:
        print("not tried:", *missing, sep="\n  ", file=sys.stderr)
        return 3
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    findings = Findings(not_checked=[*NEVER_CHECKED])
    try:
        with opened_store(options) as store:
            try_all(store, options, findings)
    except BuildError as error:
        findings.expect(is_so=False, what="every step can be done", found=error)
    for what in findings.not_checked:
        print(f"NOT CHECKED: {what}", file=sys.stderr)
    print(f"{len(findings.wrong)} wrong", *findings.wrong, sep="\n  ")
    return 1 if findings.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
