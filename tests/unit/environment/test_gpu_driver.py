"""The driver is asked through a program that a test puts in its place."""

from __future__ import annotations

import pytest

from cxr.environment import gpu_driver
from cxr.environment.gpu_driver import (
    DriverDevice,
    ask_driver,
    parse_answer,
    read_driver_version,
)

PROPRIETARY = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
    "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
)
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build  "
    "(planted-user@planted-host)  Fri Aug 16 21:22:33 UTC 2024\n"
)


def plant_version(root, text):
    path = root / "proc/driver/nvidia/version"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "version"), [(PROPRIETARY, "550.54.15"), (OPEN, "560.35.03"), ("anything\n", None)]
)
def test_the_loaded_module_tells_its_version_and_not_who_built_it(tmp_path, text, version):
    plant_version(tmp_path, text)
    assert read_driver_version(tmp_path) == version


def test_without_a_module_there_is_no_version(tmp_path):
    assert read_driver_version(tmp_path) is None


@pytest.fixture
def driver_says(tmp_path, monkeypatch):
    """Put a program in place of nvidia-smi that runs the lines of a shell script."""

    def say(*lines):
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir()
        program.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))

    return say


def test_each_device_has_its_settings(driver_says):
    driver_says(
        'test "$1" = --query-gpu=pci.bus_id,driver_version,ecc.mode.current,mig.mode.current '
        "|| exit 6",
        'test "$2" = --format=csv,noheader,nounits || exit 6',
        "echo '00000000:3B:00.0, 550.54.15, Enabled, Disabled'",
        "echo '00000001:AF:00.0, 550.54.15, Disabled, [N/A]'",
    )
    assert ask_driver() == [
        DriverDevice(bus=(0, 0x3B, 0), driver="550.54.15", ecc=True, mig=False),
        DriverDevice(bus=(1, 0xAF, 0), driver="550.54.15", ecc=False, mig=None),
    ]


def test_a_missing_program_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_driver() == []


def test_a_driver_that_fails_is_no_error(driver_says):
    driver_says("echo '00000000:3B:00.0, 550.54.15, Enabled, Disabled'", "exit 9")
    assert ask_driver() == []


def test_a_driver_that_hangs_is_no_error(driver_says, monkeypatch):
    monkeypatch.setattr(gpu_driver, "_TIMEOUT_S", 0.2)
    driver_says("echo '00000000:3B:00.0, 550.54.15, Enabled, Disabled'", "exec /bin/sleep 100")
    assert ask_driver() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No devices were found\n",
        "one, two\n",
        "NVIDIA-SMI has failed, because, of, that, too\n",
    ],
)
def test_lines_of_another_form_are_passed_over(text):
    assert parse_answer(text) == []


def test_a_value_of_another_form_is_unknown():
    unknown = DriverDevice(bus=None, driver=None, ecc=None, mig=None)
    assert parse_answer("planted-host, planted-user, [Not Supported], planted-token\n") == [unknown]
