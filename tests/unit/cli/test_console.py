from __future__ import annotations

from cxr.cli.console import print_table


def test_no_terminal_obeys_what_stands_in_a_table(capsys):
    print_table("figures", ["metric", "a"], [["loss\x1b[31m", "a\rb"]])
    shown = capsys.readouterr().out
    assert r"loss\x1b[31m" in shown
    assert r"a\rb" in shown
    assert "\x1b" not in shown


def test_a_cell_of_several_lines_has_them_and_a_line_end_of_a_name_is_no_line(capsys):
    print_table("found", ["files", "kind"], [[["one.png", "two\n.png"], "same bytes"]])
    shown = capsys.readouterr().out.splitlines()
    assert [line.split() for line in shown[3:]] == [
        ["one.png", "same", "bytes"],
        [r"two\n.png"],
    ]
