"""``cxr env capture``."""

from __future__ import annotations

import json as json_text
import textwrap
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_note, shorten, shown_progress
from cxr.errors import ExitCode
from cxr.interruption import held
from cxr.plain_text import show_plainly


class CaptureFormat(StrEnum):
    """How a capture is written."""

    JSON = "json"
    CYCLONEDX = "cyclonedx"


_NAME_COLUMNS: Final = 11
_COLUMNS: Final = 80
_NAMED: Final = 5
_FILES_ARE_RIGHT: Final = (
    "those that were installed are as they were; bytecode and added files are not looked at"
)
_UNREAD: Final = "not looked for; --deep reads it"


def capture(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write as JSON.")] = None,
    *,
    format_: Annotated[
        CaptureFormat, typer.Option("--format", help="The capture, or a bill of materials.")
    ] = CaptureFormat.JSON,
    deep: Annotated[
        bool, typer.Option("--deep", help="Import torch, in a process of its own, and ask it.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record what a run depends on besides its recipe.

    Python, system, processor, packages, code and image decoders. With --deep also GPUs, the
    libraries that compute and every switch, as torch tells them; without it torch is not imported.

    Example: cxr env capture --deep --out env.json
    """
    from cxr.atomic import write_output
    from cxr.digests.canonical import canonical_json
    from cxr.environment.facts import NOT_READ

    if out is not None:
        from cxr.records.free_place import require_outside_records

        require_outside_records(out, what="capture")
    found = _read(deep=deep, quiet=quiet)
    content = canonical_json(found) + b"\n"
    bill = None
    if format_ is CaptureFormat.CYCLONEDX:
        from cxr.reports.cyclonedx import render_cyclonedx

        bill = render_cyclonedx(found)
        content = bill.encode("ascii")
    if out is not None:
        with held():
            write_output(out, content)
        if not quiet:
            print_note(f"written: {out}")
    if bill is not None and (json or out is None):
        print_json(json_text.loads(bill))
    elif json:
        print_json(found)
    elif out is None and not quiet:
        show_environment(found, deep=deep)
    _note_oddities(found)
    if deep and found["switches"] == NOT_READ:
        if quiet:
            print_note("note: torch cannot be asked; what it alone knows stays not_read")
        raise typer.Exit(ExitCode.UNCHECKED)


def _read(*, deep: bool, quiet: bool) -> dict[str, Any]:
    """Capture the environment, as deep as was asked for."""
    if deep:
        from cxr.environment.deep import capture_deep_environment

        with shown_progress(quiet=quiet) as progress:
            return capture_deep_environment(progress)
    from cxr.environment.capture import capture_environment

    return capture_environment()


def _note_oddities(found: dict[str, Any]) -> None:
    """Say what is not as anybody would expect it."""
    from cxr.environment.container import IMAGE_VARIABLE, image_digest_is_refused

    if found["images"]["canaries"] is None:
        print_note("note: pillow cannot be imported; nothing is known of how images decode")
    if found["images"]["canaries_changed"]:
        changed = ", ".join(found["images"]["canaries_changed"])
        print_note(f"note: images decode to other pixels here than expected: {changed}")
    if image_digest_is_refused():
        print_note(f"note: {IMAGE_VARIABLE} is not sha256:<64 hex digits>; it is not recorded")


def show_environment(found: dict[str, Any], *, deep: bool) -> None:
    """Print the facts that a person looks for first, in 80 columns.

    Args:
        found: The capture.
        deep: Whether torch was to be asked.
    """
    packages = found["packages"]
    shown = {
        "python": f"{found['python']['version']} ({found['python']['compiler']})",
        **_describe_machine(found),
        **{name: packages.get(name, "not installed") for name in ("torch", "timm", "numpy")},
        "pillow": _describe_decoders(found["images"]["decoders"]),
        "code": _describe_code(found["code"]),
        **_describe_deep(found, unread="torch cannot be asked" if deep else _UNREAD),
        "packages": f"{len(packages)}; --json or --out has all facts",
        **_describe_packages(found),
    }
    for name, value in shown.items():
        lines = textwrap.wrap(show_plainly(value), _COLUMNS - _NAME_COLUMNS) or [""]
        for line_name, line in zip([name, *[""] * len(lines)], lines, strict=False):
            print_line(f"{line_name:<{_NAME_COLUMNS}}{line}")


def _describe_machine(found: dict[str, Any]) -> dict[str, str]:
    """Return system, container, processor and memory in words."""
    system, cpu = found["os"], found["cpu"]
    image = f", image {shorten(system['container_image'])}" if system["container_image"] else ""
    quota = f", quota {cpu['cores_quota']:g}" if cpu["cores_quota"] is not None else ""
    limit = cpu["memory_limit_bytes"]
    return {
        "system": f"{system['system']} {system['release']}, {system['libc'] or 'libc unknown'}",
        "container": f"{system['container'] or 'none seen'}{image}",
        "processor": f"{cpu['model'] or 'model unknown'}, {cpu['machine']}",
        "cores": f"{cpu['cores_available']} of {cpu['cores']}{quota}",
        "memory": _describe_bytes(cpu["memory_bytes"])
        + (f", limited to {_describe_bytes(limit)}" if limit is not None else ""),
    }


def _describe_packages(found: dict[str, Any]) -> dict[str, str]:
    """Return in words how packages differ from their lock, and imports and files from those."""
    from cxr.environment.facts import AS_INSTALLED, NOT_READ

    shown = {}
    differs = found.get("lock", {}).get("differs", NOT_READ)
    if differs and differs != NOT_READ:
        shown["lock"] = f"differs from what is installed: {_name_some(list(differs))}"
    imported = found.get("imported", {})
    if shadowed := [name for name, place in imported.items() if place != AS_INSTALLED]:
        shown["imports"] = f"not from where it was installed: {_name_some(shadowed)}"
    installed = found.get("installed", NOT_READ)
    if installed != NOT_READ:
        edited = [name for name, problems in installed.items() if problems]
        shown["files"] = f"not as installed: {_name_some(edited)}" if edited else _FILES_ARE_RIGHT
    return shown


def _name_some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _describe_bytes(size_bytes: int | None) -> str:
    return "unknown" if size_bytes is None else f"{size_bytes / 2**30:,.1f} GiB"


def _describe_decoders(decoders: dict[str, str | None] | None) -> str:
    if decoders is None:
        return "cannot be imported"
    zlib = decoders["zlib_ng"] or decoders["zlib"]
    return (
        f"{decoders['pil']}, libjpeg-turbo {decoders['libjpeg_turbo'] or 'not used'}, "
        f"{'zlib-ng' if decoders['zlib_ng'] else 'zlib'} {zlib}"
    )


def _describe_code(code: dict[str, Any]) -> str:
    branch = f" on {code['branch']}" if code["branch"] else ""
    unknown = code["commit"] is not None and code["dirty"] is None
    dirty = ", with changes" if code["dirty"] else ", changes unknown" if unknown else ""
    return f"cxr {code['version']}, commit {code['commit'] or 'unknown'}{branch}{dirty}"


def _describe_deep(found: dict[str, Any], *, unread: str) -> dict[str, str]:
    """Return GPUs, numerical libraries and switches in words."""
    from cxr.environment.facts import NOT_READ

    gpu, numerics, switches = found["gpu"], found["numerics"], found["switches"]
    if switches == NOT_READ:
        known = gpu["driver"] not in (None, NOT_READ)
        devices = f"driver {gpu['driver']}, devices {unread}" if known else unread
        return {"gpu": devices, "numerics": unread, "switches": unread}
    libraries = "libraries unknown: threadpoolctl cannot be imported"
    if numerics["libraries"] != NOT_READ:
        libraries = ", ".join(
            f"{library['prefix']} {library['version'] or ''}".strip()
            + f" with {numerics['threads'][library['prefix']]} threads"
            for library in numerics["libraries"]
        )
    return {
        "gpu": _describe_gpus(gpu),
        "numerics": f"{numerics['cpu_capability']}, oneDNN "
        f"{numerics['onednn']['version'] or 'not built in'}; {libraries}",
        "switches": f"{len(switches)} read back; --json or --out has them",
    }


def _describe_gpus(gpu: dict[str, Any]) -> str:
    if not gpu["devices"]:
        return "none that torch can use"
    devices = ", ".join(
        f"{device['name']} ({device['capability']}, {_describe_settings(settings)})"
        for device, settings in zip(gpu["devices"], gpu["device_settings"], strict=True)
    )
    versions = ", ".join(
        f"{label} {gpu[name] or 'unknown'}"
        for name, label in (
            ("driver", "driver"),
            ("cuda", "CUDA"),
            ("cudnn", "cuDNN"),
            ("nccl", "NCCL"),
            ("cublas", "cuBLAS"),
        )
    )
    return f"{devices}; {versions}"


def _describe_settings(settings: dict[str, Any]) -> str:
    words = {True: "on", False: "off"}
    modes = [
        f"{name.upper()} {words[settings[name]]}"
        for name in ("ecc", "mig")
        if settings[name] is not None
    ]
    return ", ".join([_describe_bytes(settings["memory_bytes"]), *modes])
