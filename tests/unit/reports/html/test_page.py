"""A page shows what records hold and never obeys it, is sound to read, and fits its window."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

import pytest

from cxr.reports.html.blocks import Report, Section, Text
from cxr.reports.html.page import begins_as_page, render_page
from support.html_pages import BROWSER, list_faults, measure, read_page
from support.reports import build_hostile_report

STYLE = files("cxr.reports.html").joinpath("style.css").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page() -> str:
    return render_page(build_hostile_report())


def test_what_a_record_holds_breaks_no_page(page: str):
    assert list_faults(page) == []
    found = read_page(page)
    shown = "".join(one.text for one in found.named("p"))
    assert "<script>alert(1)</script>" in shown
    assert "{{ 7 * 7 }}" in shown
    # Controls and marks of direction are shown as what they are.
    assert not re.search("[\x00-\x09\x0b-\x1f\u200e\u200f\u202a-\u202e\u2066-\u2069]", page)
    assert "\\u202e" in shown
    assert "line\\nend\\rand\\ttab\\x00\\x1b[31m" in shown
    page.encode("utf-8")


def test_the_policy_allows_the_pages_own_style_and_nothing_that_loads_or_runs(page: str):
    found = read_page(page)
    (policy,) = (
        one.attributes["content"]
        for one in found.named("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    (style,) = found.named("style")
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    # Ahead of everything that it is about.
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_only_what_begins_as_a_page_of_ours_is_taken_for_one(page: str):
    assert begins_as_page(page.encode())
    assert not begins_as_page(page.replace("cxr report", "another").encode())
    assert not begins_as_page(b"<!DOCTYPE html>\n<html lang='en'>")


def test_a_fault_of_each_kind_would_be_found():
    page = render_page(build_hostile_report(("a", "b")))
    assert list_faults(page) == []
    broken = {
        "<main": "<script>1</script><main",
        'scope="col"': "",
        "<caption>": "<p>",
        '<h2 id="part-1-heading">': '<h2 id="part-0-heading">',
        "<h3>": "<h4>",
        'href="#part-1"': 'href="https://example.org"',
        "</section>": "</div>",
        'role="img"': "",
        'alt="': 'title="',
    }
    for sound, unsound in broken.items():
        assert sound in page
        if sound == 'alt="':
            with pytest.raises(KeyError):
                list_faults(page.replace(sound, unsound))
        else:
            assert list_faults(page.replace(sound, unsound)), sound


@pytest.mark.skipif(
    BROWSER is None, reason="no Chromium or Chrome is installed; .ci/run installs one"
)
def test_no_page_scrolls_sideways(page: str, tmp_path):
    for found in measure(page, (1280, 390, 320), tmp_path):
        assert found["scroll"] <= found["width"], found
        assert found["outside"] == [], found["width"]
        # The style was allowed by the policy, and there is something to see.
        assert found["font"] == "27.2px"
        assert found["text"] > 10_000


@pytest.mark.skipif(
    BROWSER is None, reason="no Chromium or Chrome is installed; .ci/run installs one"
)
def test_a_page_that_scrolls_sideways_would_be_found(tmp_path):
    text = Section(name="a", title="A", blocks=[Text(text="x" * 1000)])
    page = render_page(Report(title="t", subtitle="s", sections=[text]))
    sound = "overflow-wrap: anywhere;"
    broken = page.replace(sound, "")
    digests = [
        base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        for style in (STYLE, STYLE.replace(sound, ""))
    ]
    (found,) = measure(broken.replace(*digests), (390,), tmp_path)
    assert found["scroll"] > found["width"]


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_colours_have_the_contrast_that_readers_need(scheme: str):
    # Source: WCAG 2.2, 1.4.3 (text, 4.5 to 1) and 1.4.11 (graphics, 3 to 1).
    light, dark, paper = map(_read_colours, re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL))
    colours = {"light": light, "dark": {**light, **dark}, "print": {**light, **paper}}[scheme]
    page, card = colours["page"], colours["card"]
    for name in ("text", "quiet", "link", "good", "bad"):
        assert _contrast(colours[name], page) >= 4.5, name
        assert _contrast(colours[name], card) >= 4.5, name
    for style in range(6):
        assert _contrast(colours[f"s{style}"], page) >= 3, style
    shades = [float(share) for share in re.findall(r"rgba\(var\(--shade\), ([\d.]+)\)", STYLE)]
    assert len(shades) == 9
    for share in shades:
        mixed = tuple(
            share * a + (1 - share) * b for a, b in zip(colours["shade"], page, strict=True)
        )
        assert _contrast(colours["text"], mixed) >= 4.5, share


def _read_colours(block: str) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {
        name: tuple(int(value[place : place + 2], 16) for place in (0, 2, 4))
        for name, value in re.findall(r"--(\w+): #([0-9a-f]{6})", block)
    }
    shade = re.search(r"--shade: (\d+), (\d+), (\d+)", block)
    assert shade is not None
    return {**found, "shade": tuple(map(float, shade.groups()))}


def _contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Source: WCAG 2.2, definitions of contrast ratio and relative luminance."""
    lighter, darker = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: tuple[float, ...]) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (part / 255 for part in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
