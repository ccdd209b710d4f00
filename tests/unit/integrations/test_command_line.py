from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cxr.digests.files import digest_file
from cxr.errors import UsageError
from cxr.integrations.command_line import describe_command


def describe(directory: Path, *words: str) -> list[str]:
    return list(describe_command([sys.executable, *words], directory).arguments[1:])


def test_the_program_is_known_by_its_file_and_not_by_its_place(tmp_path):
    command = describe_command([sys.executable, "fit.py"], tmp_path)
    assert command.program["digest"] == digest_file(Path(sys.executable).resolve())
    assert command.program["name"] == Path(sys.executable).name
    assert list(command.arguments) == ["elsewhere", "fit.py"]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--token", "mild"], ["--token", "not_recorded"]),
        (["--api-key=mild", "x"], ["--api-key=not_recorded", "x"]),
        (["DB_PASSWORD=mild"], ["DB_PASSWORD=not_recorded"]),
        (["--key", "--verbose"], ["--key", "--verbose"]),
        (["--pad-token=3"], ["--pad-token=3"]),
        (["--tokenizer", "bert"], ["--tokenizer", "bert"]),
        (["x-hf_abcdefghijklmnopqrstuvwxyz"], ["not_recorded"]),
        (["https://me:mild@example.org/x"], ["not_recorded"]),
        (["https://example.org/x"], ["https://example.org/x"]),
        (["/opt/tools/fit.py"], ["elsewhere/fit.py"]),
        (["--data=/opt/images"], ["--data=elsewhere"]),
        (["~/notes"], ["elsewhere"]),
        (["s/a/b/", "-x", ""], ["s/a/b/", "-x", ""]),
        (["--token", "-mild", "-v"], ["--token", "not_recorded", "-v"]),
        (["../../patients/doe/ct.dcm", ".."], ["elsewhere/ct.dcm", "elsewhere"]),
        (["a/../../doe/", "./../Jane Doe", "..."], ["elsewhere", "elsewhere", "..."]),
        (
            ["--in=../doe", "-I../doe", "-I/srv/doe"],
            ["--in=elsewhere", "-Ielsewhere", "-Ielsewhere"],
        ),
        (["cat /srv/doe | wc </srv/x.csv -l"], ["cat elsewhere | wc <elsewhere/x.csv -l"]),
        (["cat ../../doe && true ../x.csv"], ["cat elsewhere && true elsewhere/x.csv"]),
        ([r"ls /srv/Jane\ Doe; ls '/srv/Jane Doe/ct 1'"], ["ls elsewhere; ls 'elsewhere'"]),
        (["u:/srv/Jane Doe/x y"], ["u:elsewhere"]),
        (
            ["print(open('/srv/doe/x.csv').read(), 1 / 2, 1//3)"],
            ["print(open('elsewhere/x.csv').read(), 1 / 2, 1//3)"],
        ),
        (["curl https://example.org/x > a/b"], ["curl https://example.org/x > a/b"]),
        (["file:///srv/doe"], ["file:elsewhere"]),
    ],
)
def test_words_are_recorded_without_secrets_and_places(tmp_path, words, wanted):
    assert describe(tmp_path, *words) == wanted


def test_a_path_in_the_working_directory_is_named_from_there(tmp_path):
    assert describe(tmp_path, str(tmp_path / "a" / "b"), f"--in={tmp_path}/c") == [
        "a/b",
        "--in=c",
    ]
    inside = f"../{tmp_path.name}/d"
    assert describe(tmp_path, inside, f"cat {tmp_path}/e x") == ["d", "cat e x"]


def test_a_program_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such program"):
        describe_command(["no-such-program-anywhere"], tmp_path)
