"""What a bad hand can do to a release: all of it is named, and nothing kept."""

from __future__ import annotations

import json
import shutil

import pytest

from cxr.attestation.export_signatures import sign_export
from cxr.cli.fetch import _describe, _show
from cxr.errors import RecordError
from support.attesting import OTHER, SIGNER
from support.hub_state import TOKEN
from support.releases import TAG, name_findings, put, read_files, seal_anew


def test_a_release_is_fetched_by_tag_and_by_commit(hub, fetch, export, tmp_path):
    commit = put(hub, read_files(export))
    for revision in (TAG, commit):
        found = fetch(revision, kept=True)
        assert (found.commit, found.findings) == (commit, [])
        assert read_files(tmp_path / "place" / "got") == read_files(export)
        shutil.rmtree(tmp_path / "place" / "got")
    assert {(name, token) for name, _, token in hub.asked} == {
        ("hub", f"Bearer {TOKEN}"),
        ("storage", None),
    }


@pytest.mark.parametrize(
    ("edit", "path", "problem"),
    [
        ({"README.md": b"Other words\n"}, "README.md", "was changed: its bytes have another"),
        ({"model.safetensors": b"\0" * 64}, "model.safetensors", "was changed: its bytes have"),
        ({"labels.json": None}, "labels.json", "is missing"),
        ({"model.onnx": b"onnx"}, "model.onnx", "was added: export.json does not name it"),
        ({"run.py": b"import os\n"}, "run.py", "was added: it is no file of a release"),
        ({"../../out": b"out"}, "../../out", "was added: it is no file of a release"),
        ({"sub/README.md": b""}, "sub/README.md", "was added: it is no file of a release"),
        ({"/etc/motd": b"out"}, "/etc/motd", "was added: it is no file of a release"),
    ],
)
def test_other_missing_and_additional_files_are_named(hub, fetch, export, edit, path, problem):
    files = {**read_files(export), **edit}
    put(hub, {name: content for name, content in files.items() if content is not None})
    found = name_findings(fetch())
    assert found
    assert found[0][0] == path
    assert found[0][1].startswith(problem)


@pytest.mark.parametrize(
    ("name", "swap", "problem"),
    [
        (
            "labels.json",
            lambda text: text.replace('["A", "B"]', '["B", "A"]'),
            "the class names, or their order, are not those of the run",
        ),
        (
            "recipe.yaml",
            lambda text: text.replace("epochs: 2", "epochs: 3"),
            "is another recipe than recipe.config_digest",
        ),
        (
            "ledger-head.json",
            lambda text: text.replace('"steps":4', '"steps":5'),
            "does not say what the manifest's trace says",
        ),
    ],
)
def test_a_swapped_file_is_seen_though_the_record_was_written_anew(
    hub, fetch, export, name, swap, problem
):
    before = (export / name).read_text()
    (export / name).write_text(swap(before))
    assert (export / name).read_text() != before
    seal_anew(export)
    put(hub, read_files(export))
    assert name_findings(fetch()) == [(name, problem)]


def test_other_weights_are_seen_though_the_record_was_written_anew(hub, fetch, export):
    weights = bytearray((export / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (export / "model.safetensors").write_bytes(weights)
    seal_anew(export)
    put(hub, read_files(export))
    assert name_findings(fetch()) == [
        ("model.safetensors", "is not the file that the run's manifest names"),
        ("model.safetensors", "its content is not the one of weights_digest"),
    ]


def test_an_edited_manifest_is_seen_though_the_record_was_written_anew(hub, fetch, export):
    manifest = json.loads((export / "manifest.json").read_bytes())
    manifest["metrics"]["accuracy"] = 1.0
    (export / "manifest.json").write_text(json.dumps(manifest))
    seal_anew(export)
    put(hub, read_files(export))
    (found,) = name_findings(fetch())
    assert found == ("manifest.json", "the manifest was edited: its content has another digest")


def test_a_card_that_was_swapped_after_signing_is_seen_with_the_key(hub, fetch, export):
    sign_export(export, SIGNER)
    put(hub, read_files(export))
    found = fetch(kept=True, key=SIGNER.public_key())
    assert (found.findings, found.unsigned) == ([], [])
    assert set(found.signed) == read_files(export).keys()


def test_a_signature_by_another_kind_of_key_is_no_unsigned_file(hub, fetch, export, capsys):
    sign_export(export, SIGNER)
    files = read_files(export)
    put(hub, {**files, "model.sig": b"no Ed25519 key can say"})
    found = fetch(kept=True, key=SIGNER.public_key())
    assert (found.findings, found.unsigned, found.signed) == ([], [], sorted(files))
    assert [one.path for one in found.unchecked] == ["model.sig"]
    _show(found, has_key=True)
    shown = capsys.readouterr().out.splitlines()
    assert shown[5] == f"  authenticated: {len(files)} files are signed"
    assert shown[6].startswith("  not checked: model.sig: is a signature by another kind of key")
    answer = _describe(found)
    assert (answer["authenticated"], answer["unchecked"][0]["path"]) == (True, "model.sig")


@pytest.mark.parametrize("who", ["swapped", "another key", "nobody", "cut short"])
def test_what_is_wrong_with_a_signature_is_named(hub, fetch, export, who):
    if who != "nobody":
        sign_export(export, OTHER if who == "another key" else SIGNER)
    path = export / "export.attestation.json"
    if who == "swapped":
        (export / "README.md").write_text("Approved for clinical use.\n")
        seal_anew(export)
    elif who == "cut short":
        path.write_bytes(path.read_bytes()[:-40])
    put(hub, read_files(export))
    if who == "nobody":
        with pytest.raises(RecordError, match="nothing is signed"):
            fetch(key=SIGNER.public_key())
        return
    (finding,) = name_findings(fetch(key=SIGNER.public_key()))
    said = {
        "swapped": "is of another export, or of this one before a file of it was changed",
        "another key": "is signed with another key: ",
        "cut short": "is no envelope: ",
    }[who]
    assert finding[0] == path.name
    assert finding[1].startswith(said)


def test_a_recipe_that_reads_another_file_is_refused(hub, fetch, export, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("name: fabricated\n")
    with (export / "recipe.yaml").open("a") as recipe:
        recipe.write(f"extends: {other}\n")
    seal_anew(export)
    put(hub, read_files(export))
    assert name_findings(fetch()) == [("recipe.yaml", "is not read: the config has a problem")]
