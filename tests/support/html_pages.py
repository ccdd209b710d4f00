"""Looking at an HTML page as a reader of its source, and as a browser, does."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

BROWSER: Final = os.environ.get("CXR_TESTS_BROWSER") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
"""The program; ``.ci/run`` names one, so that there nothing is skipped."""

WITHOUT_END: Final = frozenset({"meta", "br", "img"})


@dataclass
class Element:
    """One element, with all the text in it."""

    name: str
    attributes: dict[str, str]
    parents: tuple[str, ...]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """The elements of a page in their order; `broken` has what is not closed as it was opened."""

    elements: list[Element] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        element = Element(tag, attributes, tuple(one.name for one in self._open))
        self.elements.append(element)
        if tag not in WITHOUT_END:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].name != tag:
            self.broken.append(tag)
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def named(self, *names: str) -> list[Element]:
        return [element for element in self.elements if element.name in names]


def read_page(text: str) -> Page:
    """Return the elements of a page."""
    page = Page()
    page.feed(text)
    page.close()
    page.broken += [element.name for element in page._open]
    return page


def list_faults(text: str) -> list[str]:
    """Return what a reader, a screen reader or a policy would object to in a page."""
    page = read_page(text)
    faults = [f"not closed as opened: {name}" for name in page.broken]
    allowed = {"meta", "title", "style", "head", "html", "body", "svg", "path", "rect", "g", "desc"}
    allowed |= {"text", "header", "nav", "main", "footer", "section", "div", "figure", "figcaption"}
    allowed |= {"h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "a", "strong", "details"}
    allowed |= {"summary", "table", "caption", "thead", "tbody", "tr", "th", "td", "img"}
    faults += [f"element {one.name}" for one in page.elements if one.name not in allowed]
    for one in page.elements:
        for name, value in one.attributes.items():
            if name.startswith("on") or name == "style":
                faults.append(f"attribute {name} of {one.name}")
            if name in ("src", "href") and not value.startswith(("#", "data:image/png;base64,")):
                faults.append(f"{name} leads to {value}")
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    faults += [f"id {name} twice" for name in set(ids) if ids.count(name) > 1]
    faults += _list_reading_faults(page, set(ids))
    return faults


def _list_reading_faults(page: Page, ids: set[str]) -> list[str]:
    faults = []
    levels = [int(one.name[1]) for one in page.named("h1", "h2", "h3")]
    if levels[:1] != [1] or levels.count(1) != 1:
        faults.append("not one heading of the first order")
    faults += [f"heading {b} after {a}" for a, b in pairwise(levels) if b > a + 1]
    parts = ("header", "nav", "main", "footer")
    faults += [f"no {name}" for name in parts if not page.named(name)]
    faults += ["a picture without words" for one in page.named("img") if not one.attributes["alt"]]
    for one in page.named("svg"):
        named = one.attributes.get("aria-labelledby", "-").split()
        if one.attributes.get("role") != "img" or not set(named) <= ids:
            faults.append("a drawing without words")
    for one in page.named("a"):
        if one.attributes["href"][1:] not in ids:
            faults.append(f"a link to nowhere: {one.attributes['href']}")
    cells = page.named("th")
    faults += ["a heading cell without scope" for one in cells if "scope" not in one.attributes]
    if len(page.named("caption")) != len(page.named("table")):
        faults.append("a table without a caption")
    if any(not one.text.strip() for one in page.named("caption", "desc", "h1", "h2", "h3")):
        faults.append("an empty caption, description or heading")
    return faults


def measure(text: str, widths_px: tuple[int, ...], place: Path) -> list[dict[str, Any]]:
    """Return how wide a page is in a browser, at each width of a window.

    The page itself allows no script: it is shown in frames of another page, whose script looks.

    Args:
        text: The page.
        widths_px: Of the window.
        place: An empty directory.
    """
    inside = f'height="900" style="border:0" srcdoc="{html.escape(text)}"'
    frames = "".join(f'<iframe width="{width}" {inside}></iframe>' for width in widths_px)
    script = """
    onload = () => {
      const found = [...document.querySelectorAll("iframe")].map((frame) => {
        const page = frame.contentDocument, width = frame.clientWidth;
        for (const folded of page.querySelectorAll("details")) folded.open = true;
        const outside = [...page.querySelectorAll("body *")].filter((one) =>
          !one.closest(".scroll") && !one.closest(".skip") && !one.closest("svg *")
          && one.getBoundingClientRect().right > width + 1);
        return {width, scroll: page.documentElement.scrollWidth,
                outside: outside.map((one) => one.tagName + "." + one.className),
                text: page.body.innerText.length,
                font: getComputedStyle(page.querySelector("h1")).fontSize};
      });
      const answer = document.createElement("pre");
      answer.textContent = JSON.stringify(found);
      document.body.replaceChildren(answer);
    };"""
    (place / "looking.html").write_text(
        f"<!DOCTYPE html><meta charset=utf-8><script>{script}</script><body>{frames}", "utf-8"
    )
    assert BROWSER is not None
    finished = subprocess.run(
        [
            BROWSER,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            f"--user-data-dir={place / 'profile'}",
            "--window-size=2000,1000",
            "--dump-dom",
            (place / "looking.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    found = re.search(r"<pre>(.*)</pre>", finished.stdout, re.DOTALL)
    assert found is not None, finished.stdout[:2000] + finished.stderr[:2000]
    return json.loads(html.unescape(found[1]))
