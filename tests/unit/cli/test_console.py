from __future__ import annotations

from cxr.cli.console import print_table


def test_no_terminal_obeys_what_stands_in_a_table(capsys):
    print_table("figures", ["metric", "a"], [["loss\x1b[31m", "a\rb"]])
    shown = capsys.readouterr().out
    assert r"loss\x1b[31m" in shown
    assert r"a\rb" in shown
    assert "\x1b" not in shown
