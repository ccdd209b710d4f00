"""``cxr publish`` and ``cxr fetch``, in processes of their own, against a hub on this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cxr.digests.files import digest_file
from cxr.records.manifest import write_manifest
from cxr.release.layout import ALWAYS
from support.attesting import write_keys
from support.hub_server import running_hub
from support.hub_state import TOKEN, Hub
from support.program import Finished, read_answer, read_error, run_cxr
from support.releases import REPO, TAG, seal_anew, set_changed_code, train_small
from support.runs import HEAVY, FinishedRuns, copy_run


@dataclass(frozen=True)
class Published:
    """A run that was published by the program itself, and what it answered before and after."""

    hub: Hub
    place: Path
    run: Path
    key: Path
    planned: Finished[str]
    sent: dict[str, Any]
    fetched: Finished[str]

    @property
    def release(self) -> Path:
        return self.place / f"{REPO.partition('/')[2]}@{TAG}"

    def ask(self, *arguments: str | Path, **options: Any) -> Finished[str]:
        environment = {**self.hub.environment, **options.pop("env", {})}
        return run_cxr(*arguments, cwd=self.place, env=environment, **options)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub() as found:
        yield found


@pytest.fixture(scope="module")
def published(
    hub: Hub,
    finished_run: FinishedRuns,
    radiographs: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Published:
    """Train, sign, look at the plan, publish and fetch."""
    place = tmp_path_factory.mktemp("published")
    run = copy_run(train_small(finished_run, radiographs), place / "run")
    set_changed_code(run, dirty=False)
    key = write_keys(place)
    env = hub.environment
    assert run_cxr("attest", run, "--key", key).returncode == 0
    asked = ("publish", run, REPO, "--tag", TAG, "--key", key, "--license", "cc0-1.0")
    asked = (*asked, "--data", radiographs)
    planned = run_cxr(*asked, env=env)
    assert planned.returncode == 0, planned.stderr
    assert hub.repositories == {}
    sent = run_cxr(*asked, "--yes", "--json", env=env)
    assert sent.returncode == 0, sent.stderr
    fetched = run_cxr("fetch", f"{REPO}@{TAG}", "--key", f"{key}.pub", cwd=place, env=env)
    return Published(hub, place, run, key, planned, read_answer(sent), fetched)


@pytest.fixture(autouse=True)
def _well_behaved(published: Published) -> None:
    published.hub.forget()


def test_a_run_comes_back_from_the_hub_and_predicts_as_it_did(
    published: Published, radiographs: Path
):
    assert published.fetched.returncode == 0, published.fetched.stderr
    images = sorted((radiographs / "test").rglob("*.*"))
    answers = [
        read_answer(run_cxr("predict", place, *images, "--json"))
        for place in (published.run, published.release)
    ]
    assert answers[0]["images"] == answers[1]["images"]
    assert len({tuple(one["logits"]) for one in answers[0]["images"]}) > 1
    assert answers[0]["outcome_digest"] == answers[1]["outcome_digest"]
    checked = published.ask("verify", published.release, blocked=HEAVY)
    assert checked.stdout.startswith("consistent, not authenticated: 9 files, all digests agree")
    key = f"{published.key}.pub"
    signed = published.ask("verify", published.release, "--key", key, blocked=HEAVY)
    assert (signed.returncode, signed.stdout.splitlines()[0]) == (
        0,
        "authenticated: 11 files, all digests agree; status completed",
    )


def test_nothing_is_sent_without_yes_and_all_is_told(published: Published):
    assert "nothing was sent; --yes sends " in published.planned.stdout
    said = published.planned.stdout
    for name, one in published.sent["files"].items():
        assert f"{name}, {one['size']:,} bytes\n        {one['sha256']}" in said
    assert f"hub         {published.hub.address}\n" in said
    assert f"repository  {REPO} (new, private)\n" in said
    assert max(map(len, said.splitlines())) <= 90


def test_the_hub_holds_the_export_and_the_record_names_its_commit(published: Published):
    repository = published.hub.repositories[REPO]
    commit = published.sent["commit"]
    assert repository.private
    assert repository.tags == {TAG: commit} == {TAG: repository.branches["main"]}
    held = repository.commits[commit]
    signed = {"attestation.json", "export.attestation.json"}
    assert held.keys() == {*ALWAYS, *signed, ".gitattributes"}
    assert held["model.safetensors"] == (published.run / "model.safetensors").read_bytes()
    attestation = published.run.with_name("run.attestation.json")
    assert held["attestation.json"] == attestation.read_bytes()
    record = json.loads(published.run.with_name("run.release.json").read_bytes())
    (entry,) = record["releases"]
    assert (entry["repo"], entry["tag"], entry["commit"]) == (REPO, TAG, commit)
    assert entry["endpoint"] == published.hub.address
    assert entry["files"].keys() == held.keys() - {".gitattributes"}
    assert {name: one["sha256"] for name, one in entry["files"].items()} == {
        path.name: digest_file(path) for path in published.release.iterdir()
    }
    assert published.ask("verify", published.run, blocked=HEAVY).returncode == 0


def test_no_place_and_no_image_of_the_data_is_sent(published: Published, radiographs: Path):
    lock = json.loads((published.run / "data.lock.json").read_bytes())
    private = {Path(sample["path"]).name for sample in lock["samples"]}
    private |= {str(radiographs), str(published.place), f"{Path.home()}/", TOKEN}
    held = published.hub.repositories[REPO].commits[published.sent["commit"]]
    assert len(private) > 20
    assert [name for name in private if name.encode() in b"".join(held.values())] == []
    export = Path(shutil.copytree(published.release, published.place / "named"))
    with (export / "README.md").open("a") as card:
        card.write(f"See {min(private & {name for name in private if '/' not in name})}.\n")
    (export / "export.attestation.json").unlink()
    seal_anew(export)
    asked = ("publish", published.run, REPO, "--tag", "v2", "--export", export, "--yes")
    problem, _, _ = read_error(published.ask(*asked), code=3)
    assert problem.startswith("README.md holds the name of an image of the data set")
    assert published.hub.asked == []


def test_publishing_again_does_nothing_and_says_so(published: Published):
    export = ("--export", published.release, "--key", published.key)
    asked = ("publish", published.run, REPO, "--tag", TAG, *export, "--yes")
    before = published.run.with_name("run.release.json").read_bytes()
    finished = published.ask(*asked)
    assert finished.returncode == 0, finished.stderr
    assert f"already published, nothing to do: commit {published.sent['commit']}" in finished.stdout
    assert [line for _, line, _ in published.hub.asked if not line.startswith("GET")] == []
    assert published.run.with_name("run.release.json").read_bytes() == before


def test_a_tag_with_other_content_stays_what_it_is(published: Published):
    export = Path(shutil.copytree(published.release, published.place / "other-card"))
    with (export / "README.md").open("a") as card:
        card.write("Better now.\n")
    (export / "export.attestation.json").unlink()
    seal_anew(export)
    asked = ("publish", published.run, REPO, "--tag", TAG, "--export", export, "--yes")
    problem, where, _ = read_error(published.ask(*asked), code=1)
    differing = "README.md, export.attestation.json, export.json"
    assert problem == f"the tag is there already, with other content: {differing}"
    assert published.sent["commit"] in where
    assert published.hub.list_asked("POST") == []


@pytest.mark.parametrize(
    "what", ["changed code", "not verified", "not completed", "tag", "repo", "http"]
)
def test_what_must_not_be_published_is_refused_before_the_hub_is_asked(
    published: Published, tmp_path: Path, what: str
):
    run = Path(shutil.copytree(published.run, tmp_path / "run"))
    repo, tag, env, code, said = REPO, "v3", {}, 3, ""
    if what == "changed code":
        set_changed_code(run, dirty=True)
        code, said = 2, "the run was trained by code that was changed since its commit"
    elif what == "not verified":
        (run / "metrics.jsonl").write_text("{}\n")
        said = "the run does not verify: metrics.jsonl was changed"
    elif what == "not completed":
        write_manifest(run, {**_read(run / "manifest.json"), "status": "interrupted"})
        said = "the run did not complete"
    elif what == "tag":
        tag, code, said = "a" * 40, 2, "that is no name of a tag"
    elif what == "repo":
        repo, code, said = "group/../model", 2, "that is no name of a repository"
    else:
        env, code = {"HF_ENDPOINT": "http://hub.example"}, 2
        said = "the token would go over the network for everybody to read"
    asked = ("publish", run, repo, "--tag", tag, "--export", "nowhere", "--yes")
    problem, _, _ = read_error(published.ask(*asked, env=env, blocked=HEAVY), code=code)
    assert problem.startswith(said)
    assert published.hub.asked == []


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_token_is_in_no_error_even_where_the_hub_says_it_back(published: Published, status: int):
    published.hub.echoes = True
    published.hub.statuses = {"refs": [status] * 3}
    finished = published.ask("fetch", f"{REPO}@{TAG}", "--out", "other")
    problem, where, _ = read_error(finished, code=3)
    assert problem.startswith(f"the hub refuses, with status {status}: ")
    assert where == f"{REPO} at {published.hub.address}"
    assert TOKEN not in finished.stdout + finished.stderr
    assert published.hub.asked[0][2] == f"Bearer {TOKEN}"
    assert not (published.place / "other").exists()


def test_a_token_with_a_line_end_makes_no_header_and_is_not_shown(published: Published):
    spoilt = f"{TOKEN}\r\nX-Other: 1"
    finished = published.ask("fetch", f"{REPO}@{TAG}", "--out", "other", env={"HF_TOKEN": spoilt})
    read_error(finished, code=3)
    assert TOKEN not in finished.stdout + finished.stderr
    assert {token for _, _, token in published.hub.asked} == {f"Bearer {TOKEN}X-Other: 1"}


def test_a_token_goes_to_no_other_host(published: Published):
    # The large file lies on another host, to which the hub redirects.
    finished = published.ask("fetch", f"{REPO}@{TAG}", "--out", "again", "--json", blocked=HEAVY)
    assert read_answer(finished)["verdict"] == "fetched"
    who = {(name, token) for name, _, token in published.hub.asked}
    assert who == {("hub", f"Bearer {TOKEN}"), ("storage", None)}


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())
