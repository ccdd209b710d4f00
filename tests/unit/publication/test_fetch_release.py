"""What a bad hub, line or hand can do to a release: all of it is named, and nothing kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cxr.attestation.export_statement import sign_export
from cxr.errors import (
    CxrError,
    HubError,
    Interrupted,
    RecordError,
    RunDirectoryTakenError,
    UsageError,
)
from cxr.publication.fetch_release import Fetched, fetch_release
from support.attesting import OTHER, SIGNER
from support.hub_server import TOKEN, Hub
from support.releases import REPO, TAG, put, read_files, seal_anew


@pytest.fixture
def ask(hub: Hub, tmp_path: Path):  # noqa: ARG001 - it is the hub that is asked
    """Fetch the release; nothing may be left anywhere where that fails."""

    def fetch(revision: str = TAG, *, kept: bool = False, **options) -> Fetched:
        place = tmp_path / "place"
        place.mkdir(exist_ok=True)
        try:
            return fetch_release(f"{REPO}@{revision}", out=place / "got", **options)
        finally:
            assert [path.name for path in place.iterdir()] == (["got"] if kept else [])

    return fetch


def name_findings(found: Fetched) -> list[tuple[str, str]]:
    return [(one.path, one.problem) for one in found.findings]


def test_a_release_is_fetched_by_tag_and_by_commit(hub, ask, export, tmp_path):
    commit = put(hub, read_files(export))
    for revision in (TAG, commit):
        found = ask(revision, kept=True)
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
def test_other_missing_and_additional_files_are_named(hub, ask, export, edit, path, problem):
    files = {**read_files(export), **edit}
    put(hub, {name: content for name, content in files.items() if content is not None})
    found = name_findings(ask())
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
    hub, ask, export, name, swap, problem
):
    before = (export / name).read_text()
    (export / name).write_text(swap(before))
    assert (export / name).read_text() != before
    seal_anew(export)
    put(hub, read_files(export))
    assert name_findings(ask()) == [(name, problem)]


def test_other_weights_are_seen_though_the_record_was_written_anew(hub, ask, export):
    weights = bytearray((export / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (export / "model.safetensors").write_bytes(weights)
    seal_anew(export)
    put(hub, read_files(export))
    assert name_findings(ask()) == [
        ("model.safetensors", "is not the file that the run's manifest names"),
        ("model.safetensors", "its content is not the one of weights_digest"),
    ]


def test_an_edited_manifest_is_seen_though_the_record_was_written_anew(hub, ask, export):
    manifest = json.loads((export / "manifest.json").read_bytes())
    manifest["metrics"]["accuracy"] = 1.0
    (export / "manifest.json").write_text(json.dumps(manifest))
    seal_anew(export)
    put(hub, read_files(export))
    (found,) = name_findings(ask())
    assert found == ("manifest.json", "the manifest was edited: its content has another digest")


def test_a_card_that_was_swapped_after_signing_is_seen_with_the_key(hub, ask, export):
    sign_export(export, SIGNER)
    put(hub, read_files(export))
    found = ask(kept=True, key=SIGNER.public_key())
    assert (found.findings, found.unsigned) == ([], [])
    assert set(found.signed) == read_files(export).keys()


@pytest.mark.parametrize("who", ["swapped", "another key", "nobody", "cut short"])
def test_what_is_wrong_with_a_signature_is_named(hub, ask, export, who):
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
            ask(key=SIGNER.public_key())
        return
    (finding,) = name_findings(ask(key=SIGNER.public_key()))
    said = {
        "swapped": "is of another export, or of this one before a file of it was changed",
        "another key": "is signed with another key: ",
        "cut short": "is no envelope: ",
    }[who]
    assert finding[0] == path.name
    assert finding[1].startswith(said)


@pytest.mark.parametrize("moves", ["after the listing", "before its last question"])
def test_a_tag_that_moves_meanwhile_is_seen(hub, ask, export, moves):
    first = put(hub, read_files(export))
    (export / "README.md").write_text("another release\n")
    seal_anew(export)
    second = put(hub, read_files(export), tag=None)
    part = "/tree/" if moves == "after the listing" else "recipe.yaml"

    def move(line: str) -> None:
        if part in line:
            hub.repositories[REPO].tags[TAG] = second

    hub.on_answer = move
    said = f"the tag moved while it was fetched, from {first} to {second}"
    assert name_findings(ask()) == [(TAG, said)]
    # All of it was asked for by commit, so a commit is not touched by what a tag does.
    assert not [line for line in hub.list_asked("/resolve/") if first not in line]


def test_an_annotated_tag_is_the_commit_that_its_object_names(hub, ask, export):
    commit = put(hub, read_files(export))
    hub.repositories[REPO].annotations["c" * 40] = commit
    hub.repositories[REPO].tags[TAG] = "c" * 40
    assert ask(kept=True).commit == commit


def test_a_commit_for_which_the_hub_gives_another_is_refused(hub, ask, export):
    hub.repositories.clear()
    commit = put(hub, read_files(export))
    hub.repositories[REPO].annotations["c" * 40] = commit
    with pytest.raises(HubError, match=f"answers with another commit: {commit}"):
        ask("c" * 40)


def test_a_file_of_another_commit_is_seen(hub, ask, export):
    put(hub, read_files(export))
    hub.headers = {"X-Repo-Commit": "b" * 40}
    ((path, problem),) = name_findings(ask())
    assert path == "README.md"
    assert problem.startswith("is of another commit than the one that was asked for")


def test_an_answer_without_an_end_is_cut_off(hub, ask, export):
    put(hub, read_files(export))
    hub.bodies = {"model.safetensors": "endless"}
    ((path, problem),) = name_findings(ask())
    assert path == "model.safetensors"
    assert problem.startswith("is larger than the ")


@pytest.mark.parametrize("name", ["README.md", "model.safetensors", "export.attestation.json"])
def test_a_byte_that_is_another_one_on_its_way_is_seen_in_every_file(hub, ask, export, name):
    # Without a key nothing else looks at a signature's bytes.
    sign_export(export, SIGNER)
    put(hub, read_files(export))
    hub.bodies = {name: "flip"}
    assert name_findings(ask()) == [(name, "has other bytes than those that the hub listed")]


def test_a_page_in_place_of_a_file_is_seen(hub, ask, export):
    put(hub, read_files(export))
    hub.bodies = {"recipe.yaml": "html"}
    ((path, problem),) = name_findings(ask())
    assert (path, problem.partition(",")[0]) == ("recipe.yaml", "has 36 bytes")


def test_a_packed_answer_is_unpacked_before_it_is_looked_at(hub, ask, export, tmp_path):
    put(hub, read_files(export))
    hub.bodies = {"README.md": "packed", "model.safetensors": "packed"}
    assert ask(kept=True).findings == []
    assert read_files(tmp_path / "place" / "got") == read_files(export)


def test_what_a_hub_says_of_lengths_and_tags_of_content_is_not_believed(hub, ask, export):
    put(hub, read_files(export))
    hub.headers = {"ETag": '"0"', "X-Linked-ETag": '"0"', "X-Linked-Size": "1"}
    assert ask(kept=True).findings == []


@pytest.mark.parametrize("how", ["truncate", "silent"])
def test_an_answer_that_breaks_off_is_asked_for_again_and_then_given_up(hub, ask, export, how):
    put(hub, read_files(export))
    hub.bodies = {"manifest.json": how}
    with pytest.raises(HubError, match="cannot be reached, or its answer broke off"):
        ask()
    assert len(hub.list_asked("manifest.json")) == 3


def test_a_signal_between_two_pieces_leaves_nothing(hub, ask, export):
    class Stopping:
        def advance(self, what: str, done: int, total: int) -> None:
            raise Interrupted(f"{what}: {done} of {total}", where="here", hint="again")

        def note(self, text: str) -> None:
            raise AssertionError(text)

    put(hub, read_files(export))
    with pytest.raises(Interrupted, match="bytes fetched"):
        ask(progress=Stopping())


@pytest.mark.parametrize("part", ["/refs", "/tree/", "labels.json", "/objects/"])
def test_a_busy_hub_is_asked_again(hub, ask, export, part):
    put(hub, read_files(export))
    hub.statuses = {part: [503, 429]}
    assert ask(kept=True).findings == []


@pytest.mark.parametrize("status", [401, 403, 404, 418, 429, 500])
@pytest.mark.parametrize("part", ["/refs", "labels.json"])
def test_every_refusal_is_an_error_without_the_token(hub, ask, export, part, status):
    put(hub, read_files(export))
    hub.statuses = {part: [status] * 3}
    hub.echoes = True
    with pytest.raises(CxrError) as caught:
        ask()
    assert int(caught.value.exit_code) == 3
    assert len(str(caught.value).splitlines()) == 3
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("leads", "said"),
    [
        ("file:///etc/passwd", "no address"),
        ("http://[", "no address"),
        ("http://a:99999/", "no address"),
        ("/again", "refuses"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_an_error(hub, ask, export, leads, said):
    put(hub, read_files(export))
    hub.leads = leads
    with pytest.raises(HubError, match=said):
        ask()


def test_a_branch_is_refused_with_its_commit(hub, ask, export):
    commit = put(hub, read_files(export))
    with pytest.raises(UsageError) as caught:
        ask("main")
    assert caught.value.hint == f"as it is now: cxr fetch {REPO}@{commit}"


@pytest.mark.parametrize("revision", ["v9", "a" * 40])
def test_what_the_hub_does_not_have_is_an_error(hub, ask, export, revision):
    put(hub, read_files(export))
    with pytest.raises(HubError):
        ask(revision)


def test_a_release_is_not_put_into_another_one(hub, export):
    put(hub, read_files(export))
    with pytest.raises(RunDirectoryTakenError, match="into an export or another release"):
        fetch_release(f"{REPO}@{TAG}", out=export / "sub")
    assert hub.asked == []


@pytest.mark.parametrize(
    "name",
    [REPO, f"{REPO}@", f"{REPO}@../x", "model@v1", "a/b/c@v1", "../x@v1", "a/b-@v1", "a/b--c@v1"],
)
def test_what_is_no_name_of_a_release_is_refused(hub, name):
    with pytest.raises(UsageError):
        fetch_release(name)
    assert hub.asked == []


@pytest.mark.parametrize("what", ["link", "link to nothing", "working directory"])
def test_a_place_that_cannot_make_way_is_refused_before_the_hub_is_asked(
    hub, export, tmp_path, monkeypatch, what
):
    put(hub, read_files(export))
    place = tmp_path / "place"
    if what == "working directory":
        place.mkdir()
        monkeypatch.chdir(place)
    else:
        target = tmp_path / "target"
        place.symlink_to(target)
        if what == "link":
            target.mkdir()
    with pytest.raises(RunDirectoryTakenError, match="where the release would be written"):
        fetch_release(f"{REPO}@{TAG}", out=place)
    assert hub.asked == []


def test_an_empty_directory_makes_way(hub, ask, export, tmp_path):
    put(hub, read_files(export))
    (tmp_path / "place" / "got").mkdir(parents=True)
    assert ask(kept=True).findings == []


def test_directories_above_are_made_for_what_is_kept_alone(hub, export, tmp_path):
    put(hub, read_files(export))
    hub.bodies = {"README.md": "flip"}
    out = tmp_path / "deep" / "er" / "got"
    assert fetch_release(f"{REPO}@{TAG}", out=out).findings
    assert not (tmp_path / "deep").exists()
    hub.bodies = {}
    assert fetch_release(f"{REPO}@{TAG}", out=out).findings == []
    assert read_files(out) == read_files(export)


def test_an_error_names_a_file_of_the_release_and_no_place_that_is_gone(hub, ask, export):
    commit = put(hub, {**read_files(export), "export.json": b"<html>"})
    with pytest.raises(RecordError, match="the record is not JSON") as caught:
        ask()
    assert caught.value.where == f"export.json of {REPO}@{commit} at {hub.address}"


def test_a_recipe_that_reads_another_file_is_refused(hub, ask, export, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("name: fabricated\n")
    with (export / "recipe.yaml").open("a") as recipe:
        recipe.write(f"extends: {other}\n")
    seal_anew(export)
    put(hub, read_files(export))
    assert name_findings(ask()) == [("recipe.yaml", "is not read: the config has a problem")]


def test_nothing_is_written_over(hub, export):
    put(hub, read_files(export))
    with pytest.raises(CxrError, match="already exists and is not empty"):
        fetch_release(f"{REPO}@{TAG}", out=export)
    assert hub.asked == []
