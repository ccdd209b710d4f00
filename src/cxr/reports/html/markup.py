"""HTML that is safe by its type: text becomes markup only through `element`, which escapes it.

A record is untrusted: a class may be called ``<script>``, a path may hold a line end or a mark that
turns the direction of writing around. So there is no other way from text into a page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from cxr.plain_text import show_plainly

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9:-]*")
_VOID: Final = frozenset({"meta", "br", "img"})


class Markup(str):
    """Text that is HTML or SVG already."""

    __slots__ = ()


Child = str | None
"""Text, which is escaped; `Markup`, which is not; or nothing."""


def element(tag: str, /, *children: Child, **attributes: str | int | None) -> Markup:
    """Return an element.

    Args:
        tag: Name of the element.
        children: What stands in it, in this order.
        attributes: By name, ``_`` at the end left out and ``_`` within written as ``-``. None: left
            out; an empty text: the name alone.

    Raises:
        ValueError: A name is none.
    """
    written = "".join(
        _write_attribute(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None
    )
    if not _NAME.fullmatch(tag):
        raise ValueError(f"{tag!r} is no name of an element")
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{''.join(map(escape, children))}</{tag}>")


def join(children: Iterable[Child], *, in_lines: bool = False) -> Markup:
    """Return children one after the other, each in a line of its own where that is asked for."""
    return Markup(("\n" if in_lines else "").join(map(escape, children)))


def escape(child: Child) -> Markup:
    """Return text as markup that shows it, controls and marks of direction as their codes."""
    if child is None:
        return Markup()
    if isinstance(child, Markup):
        return child
    # Most text has nothing to be escaped but signs of HTML, and there is much of it.
    return Markup(html.escape(child if child.isprintable() else show_plainly(child)))


def _write_attribute(name: str, value: str | int) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an attribute")
    return f" {name}" if value == "" else f' {name}="{escape(str(value))}"'
