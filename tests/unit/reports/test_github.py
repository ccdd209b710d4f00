"""What GitHub is told cannot be made to tell it something else."""

from __future__ import annotations

import re

import pytest

from cxr.reports.github import (
    defuse,
    escape_markdown,
    render_annotation,
    render_annotations,
    render_summary,
)

PLANTED = (
    "x\n::add-mask::y",
    "x\r\n::set-output name=a::b",
    "::stop-commands::z",
    "title,file=/etc/passwd::x",
    "100%0A::error::forged",
    "##[set-output name=a]b",
)


@pytest.mark.parametrize("planted", PLANTED)
def test_an_annotation_is_one_command_and_its_text_is_kept(planted: str):
    line = render_annotation("error", planted, planted)
    assert "\n" not in line
    assert "\r" not in line
    found = re.fullmatch(r"::error title=([^:,]*)::(.*)", line)
    assert found is not None, line
    decoded = []
    for text in found.groups():
        plain = text
        for code, letter in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ",")):
            plain = plain.replace(code, letter)
        decoded.append(plain.replace("%25", "%"))
    assert decoded == [planted, planted]


def test_known_escapes():
    assert render_annotation("warning", "a:b,c", "50%\nd: e, f") == (
        "::warning title=a%3Ab%2Cc::50%25%0Ad: e, f"
    )


def test_github_shows_ten_of_a_kind_so_the_tenth_says_how_many_more_there_are():
    findings = [("error", f"e{number}") for number in range(12)]
    findings += [("warning", f"w{number}") for number in range(10)]
    lines = render_annotations("t", findings)
    assert len(lines) == 20
    assert lines[8:10] == [
        "::error title=t::e8",
        "::error title=t::and 3 more: the step's summary has them",
    ]
    assert lines[-1] == "::warning title=t::w9"


@pytest.mark.parametrize(
    "planted",
    ["a | b", "a\nb", "`code`", "<script>", "[x](http://x)", "**bold**", "a \\| b", "&lt;", "# h"],
)
def test_a_cell_of_the_summary_is_shown_as_it_is(planted: str):
    text = render_summary("t", "verdict", ["note"], ["field", "found"], [[planted, "x"]])
    row = text.splitlines()[8]
    assert row.count("|") == 3
    assert not re.search(r"[`<>*\[\]\\]|&(?!#\d+;)", row)
    shown = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), row)
    assert shown == f"| {' '.join(planted.split())} | x |"


def test_a_summary_is_a_section_with_a_table():
    assert render_summary("t", "it differs", ["one more"], ["a"], [["1"]]).splitlines() == [
        *("### t", "", "it differs", "", "- one more", "", "| a |", "| --- |", "| 1 |", "")
    ]
    assert render_summary("t", "verified") == "### t\n\nverified\n\n"
    assert render_summary("t", "v", (), ["a"], [["1"]] * 203).splitlines()[-2] == "and 3 more"


def test_long_texts_are_cut():
    assert len(escape_markdown("x" * 5000)) == 1000
    assert len(render_annotation("error", "t", "x" * 5000)) < 1100


@pytest.mark.parametrize("planted", PLANTED)
def test_a_line_of_the_log_holds_no_command(planted: str):
    for line in defuse(planted).splitlines():
        assert not line.strip().startswith("::")
        assert "##[" not in line
    assert "::" not in defuse(":::::")
