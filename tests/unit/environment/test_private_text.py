from __future__ import annotations

import getpass
import socket
from pathlib import Path

import pytest

import cxr
from cxr.determinism.numerical_variables import KNOWN_NAMES
from cxr.determinism.variables import OWN_VARIABLES
from cxr.environment.private_text import find_private_line, names_a_secret

# Put together here, so that no scanner takes this file for a leak.
TOKENS = [
    "hf_" + "a" * 24,
    "ghp_" + "b" * 36,
    "github_" + "pat_" + "c" * 30,
    "glpat-" + "d" * 20,
    "AKIA" + "E" * 16,
    "sk-" + "f" * 24,
    "eyJ" + "g" * 12 + ".eyJ" + "h" * 12,
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_is_found_and_not_repeated(token):
    found = find_private_line(f"fine\nvalue = {token}\n")
    assert found == "its line 2 looks like a token"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("+API_KEY = 'planted-0123'", "a secret"),
        ('+    "db_password": "planted0123",', "a secret"),
        ("+secret_token: str = f'planted0123'", "a secret"),
        ("+index = 'https://somebody:planted@packages.invalid/simple'", "a password in an address"),
        ('+os.environ["HF_TOKEN"] = "abcdefghij1234567"', "a secret"),
        ('+PASSWORD = "hunter2"', "a secret"),
        ('+PASSPHRASE = "correct horse battery staple"', "a secret"),
        ('+password: str = ("several words")', "a secret"),
        ('+TOKEN = """planted0123"""', "a secret"),
        ('+headers = {"Authorization": "Bearer planted0123"}', "a secret"),
        ('+pwd = "planted0123"', "a secret"),
        ('+credentials = ("bob", "planted0123")', "a secret"),
        ("+root = '/home/alice.miller/patients'", "a home directory"),
        ("+# in /Users/alice/x", "a home directory"),
        ("+-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
    ],
)
def test_a_line_that_looks_like_a_secret_is_found(line, what):
    assert find_private_line(line) == f"its line 1 looks like {what}"


@pytest.mark.parametrize(
    "line",
    [
        "+token = read_token()",
        "+password = None",
        "+sort_key = 'balanced'",
        "+url = 'https://example.invalid/a@b'",
        "+# the secret is patience: try it",
        "index 0123456789abcdef0123456789abcdef01234567..89abcdef0123456789abcdef0123456789abcdef",
        "+digest = 'sha256:3ba87855eb8b2488419bce790514e967544806dc9b3e6e8344379b03590c01d2'",
    ],
)
def test_ordinary_code_is_not_taken_for_one(line):
    assert find_private_line(line) is None


def test_home_user_and_machine_are_found(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    monkeypatch.setattr(getpass, "getuser", lambda: "somebody")
    monkeypatch.setattr(socket, "gethostname", lambda: "xray-7")
    names = "its line 1 names a person, a home directory or this machine"
    assert find_private_line("root = '/home/somebody/data'").endswith("a home directory")
    for line in ("# ask somebody", "host = 'xray-7'"):
        assert find_private_line(line) == names
    for line in ("xray-77", "somebody-else"):
        assert find_private_line(line) is None


def test_a_text_that_was_fine_for_one_user_is_looked_at_again_for_another(monkeypatch):
    text = "+# ask somebody-else\n"
    for user, found in (("nobody-here", None), ("somebody-else", "its line 1 names a person")):
        monkeypatch.setattr(getpass, "getuser", lambda user=user: user)
        told = find_private_line(text)
        assert told is None if found is None else str(told).startswith(found)


def test_an_account_called_as_all_are_is_no_name(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/root"))
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    assert find_private_line("data.root = root  # on localhost") is None
    assert find_private_line("open('/root/notes')") is not None


def test_a_user_without_home_or_name_is_no_error(monkeypatch):
    def refuse():
        raise KeyError("no such user")

    def refuse_home():
        raise RuntimeError("no home")

    monkeypatch.setattr(getpass, "getuser", refuse)
    monkeypatch.setattr(Path, "home", refuse_home)
    assert find_private_line("anything") is None


def test_none_of_our_own_sources_looks_private():
    # Sources that do are packed with no run.
    package = Path(cxr.__file__).parent
    found = {
        path.relative_to(package): find_private_line(path.read_text("utf-8"))
        for path in package.rglob("*.py")
    }
    assert {path: line for path, line in found.items() if line} == {}


def test_no_variable_that_says_how_to_compute_is_called_like_a_secret():
    names = (
        *KNOWN_NAMES,
        *OWN_VARIABLES,
        "PATH",
        "PYTHONPATH",
        "LD_LIBRARY_PATH",
        "GLIBC_TUNABLES",
    )
    assert len(names) > 100
    assert not [name for name in names if names_a_secret(name)]
