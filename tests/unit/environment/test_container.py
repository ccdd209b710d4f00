"""A container is told by the marks that it leaves, and its image by digest or not at all."""

from __future__ import annotations

import pytest

from cxr.environment.container import (
    IMAGE_VARIABLE,
    find_container,
    find_container_image,
    image_digest_is_refused,
)

HEX = "0123456789abcdef" * 4
OTHER = "f" * 64
PODMAN = f"""engine="podman-5.4.0"
name="planted-user-box"
id="{OTHER}"
image="registry.invalid/planted-user/cxr:latest"
imageid="{HEX}"
rootless=1
"""


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch):
    monkeypatch.delenv(IMAGE_VARIABLE, raising=False)


def plant(root, name, text=""):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("mark", "text", "kind"),
    [
        (".dockerenv", "", "docker"),
        ("run/.containerenv", "", "podman"),
        (".singularity.d/runscript", "", "apptainer"),
        ("var/run/secrets/kubernetes.io/serviceaccount/namespace", "", "kubernetes"),
        ("run/systemd/container", "lxc\n", "lxc"),
        ("run/systemd/container", "systemd-nspawn", "systemd-nspawn"),
        ("run/systemd/container", "planted-user's own\n", None),
        ("etc/hostname", "planted-host", None),
    ],
)
def test_each_kind_is_told_by_its_mark(tmp_path, mark, text, kind):
    assert find_container(plant(tmp_path, mark, text)) == kind


def test_podman_tells_the_image_and_nothing_else_of_it_is_read(tmp_path):
    assert find_container_image(plant(tmp_path, "run/.containerenv", PODMAN)) == f"sha256:{HEX}"


@pytest.mark.parametrize(
    "text",
    ["", f'id="{HEX}"\n', 'imageid="planted-user"\n', f'imageid="{HEX}0"\n', f"x imageid={HEX}\n"],
)
def test_without_an_image_there_is_none(tmp_path, text):
    assert find_container_image(plant(tmp_path, "run/.containerenv", text)) is None


def test_what_the_operator_tells_goes_before_what_podman_tells(tmp_path, monkeypatch):
    plant(tmp_path, "run/.containerenv", PODMAN)
    monkeypatch.setenv(IMAGE_VARIABLE, f"sha256:{OTHER}")
    assert find_container_image(tmp_path) == f"sha256:{OTHER}"
    assert not image_digest_is_refused()


@pytest.mark.parametrize(
    "told",
    [
        "",
        "latest",
        OTHER,
        f"sha256:{OTHER}0",
        f"sha256:{OTHER.upper()}",
        f"sha256:{OTHER}\n",
        f"https://planted-user:planted-token@registry.invalid/cxr@sha256:{OTHER}",
    ],
)
def test_what_is_no_digest_is_not_recorded(tmp_path, monkeypatch, told):
    monkeypatch.setenv(IMAGE_VARIABLE, told)
    assert find_container_image(plant(tmp_path, "run/.containerenv", PODMAN)) is None
    assert image_digest_is_refused()


def test_nothing_is_refused_where_nothing_is_told(tmp_path):
    assert not image_digest_is_refused()
    assert (find_container(tmp_path), find_container_image(tmp_path)) == (None, None)
