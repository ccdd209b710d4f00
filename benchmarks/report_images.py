"""Draws the pictures of docs/report.md: pages of ``cxr report``, as Chromium shows them.

    python benchmarks/report_images.py PAGE OUT.png --width 390 --height 1600 --dark

The page is one that ``cxr report --out PAGE`` wrote; docs/report.md says of which runs.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image

from cxr.atomic import write_bytes

_QUIET: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_SCHEMES: Final = {"dark": 0, "light": 1}
_NUM_COLOURS: Final = 64


def draw_page(
    page: Path, out: Path, *, browser: str, size_px: tuple[int, int], top_px: int, dark: bool
) -> None:
    """Write a part of a page, in its whole width, as a PNG of few colours.

    Args:
        page: The HTML file.
        out: The PNG.
        browser: The program.
        size_px: Width and height of the picture.
        top_px: How far below the page's beginning it begins.
        dark: Whether the reader prefers a dark page.
    """
    width, height = size_px
    bottom = top_px + height
    scheme = _SCHEMES["dark" if dark else "light"]
    with tempfile.TemporaryDirectory() as place:
        # A window has a least width; a frame has none.
        frame = Path(place) / "frame.html"
        frame.write_text(
            f'<!DOCTYPE html><body style="margin:0"><iframe src="{page.resolve().as_uri()}" '
            f'width="{width}" height="{bottom}" style="border:0"></iframe>',
            encoding="utf-8",
        )
        shot = Path(place) / "shot.png"
        subprocess.run(
            [
                browser,
                *_QUIET,
                f"--blink-settings=preferredColorScheme={scheme}",
                f"--user-data-dir={place}/profile",
                f"--window-size={max(width, 600)},{bottom}",
                f"--screenshot={shot}",
                frame.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        with Image.open(shot) as image:
            cut = image.convert("RGB").crop((0, top_px, width, bottom)).quantize(_NUM_COLOURS)
    content = io.BytesIO()
    cut.save(content, format="PNG", optimize=True)
    write_bytes(out, content.getvalue())


def main() -> None:
    """Draw one picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--browser", default="chromium")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1600)
    parser.add_argument("--top", type=int, default=0)
    parser.add_argument("--dark", action="store_true")
    given = parser.parse_args()
    draw_page(
        given.page,
        given.out,
        browser=given.browser,
        size_px=(given.width, given.height),
        top_px=given.top,
        dark=given.dark,
    )


if __name__ == "__main__":
    main()
