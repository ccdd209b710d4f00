"""A report as one HTML page that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Final

from cxr.reports.html.block_html import render_block
from cxr.reports.html.blocks import Report, Section
from cxr.reports.html.markup import Markup, element, join

GENERATOR: Final = "cxr report"
"""Stands in each page's head: what `cxr report` wrote, it may write over."""

_START: Final = Markup("<!DOCTYPE html>\n")


def render_page(report: Report) -> str:
    """Return a report as HTML. Equal reports are equal text."""
    style = files("cxr.reports.html").joinpath("style.css").read_text(encoding="utf-8")
    contents = element(
        "nav",
        element("ul", join(_link(section) for section in report.sections)),
        aria_label="Contents",
    )
    body = element(
        "body",
        element("a", "Skip to the report", href="#report", class_="skip"),
        element("header", element("h1", report.title), element("p", report.subtitle)),
        contents,
        element("main", join(map(_render_section, report.sections), in_lines=True), id="report"),
        element(
            "footer",
            element("p", "Written by cxr report from the records alone. Not a medical device."),
        ),
    )
    return _START + element("html", _render_head(report, style), body, lang="en") + "\n"


def begins_as_page(content: bytes) -> bool:
    """Say whether a file begins as a page of `render_page` does."""
    start = _START + f'<html lang="en"><head><meta charset="utf-8">{_generator()}'
    return content.startswith(start.encode())


def _render_head(report: Report, style: str) -> Markup:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return element(
        "head",
        element("meta", charset="utf-8"),
        _generator(),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", report.title),
        # The digest of the policy is that of these very bytes: nothing is escaped in a style.
        element("style", Markup(style)),
    )


def _generator() -> Markup:
    return Markup(f'<meta name="generator" content="{GENERATOR}">')


def _link(section: Section) -> Markup:
    return element("li", element("a", section.title, href=f"#{section.name}"))


def _render_section(section: Section) -> Markup:
    heading = f"{section.name}-heading"
    return element(
        "section",
        element("h2", section.title, id=heading),
        join(map(render_block, section.blocks), in_lines=True),
        id=section.name,
        aria_labelledby=heading,
    )
