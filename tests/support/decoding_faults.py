"""Planting faults in processes that decode: each acts on images that end with its mark."""

from __future__ import annotations

from pathlib import Path

_DEEDS = {
    "SEGV": "os.kill(os.getpid(), signal.SIGSEGV)",
    "HANG": "time.sleep(3600)",
    # The system took it for its memory, and there is some now.
    "ONCE": ("os.path.exists({flag!r}) or (open({flag!r}, 'w').close(), os.kill(os.getpid(), 9))"),
    "RAISE": "raise RuntimeError('the planted library gave up on PLANTNAME^JANE')",
}


def mark(content: bytes, name: str) -> bytes:
    """Return an image that a process with planted faults does something over."""
    return content + name.encode()


def write_faults(directory: Path, *, changes_decoder: bool = False) -> dict[str, str]:
    """Write what interpreters run as they start, and return the variables that make them.

    Args:
        directory: Where to write it.
        changes_decoder: Whether a canary decodes to other pixels there.
    """
    lines = [
        "import os, signal, time",
        "import cxr.data.inspection.inspect_file as module",
        "real = module.inspect_file",
        "def faulty(content, *, name):",
    ]
    for name, deed in _DEEDS.items():
        done = deed.format(flag=str(directory / "flag"))
        lines += [f"    if content.endswith({name.encode()!r}):", f"        {done}"]
    lines += ["    return real(content, name=name)", "module.inspect_file = faulty"]
    if changes_decoder:
        lines += [
            "from cxr.environment import canaries",
            "canaries._FILES['jpeg_grey'] = canaries._FILES['png_grey']",
        ]
    (directory / "sitecustomize.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"PYTHONPATH": str(directory)}
