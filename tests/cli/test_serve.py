"""``cxr serve``: the bytes of ``cxr predict``, whatever is asked beside an image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

import cxr
from cxr.serving.problems import render_json
from support.dicoms import make_dicom, wrap_jpeg, write_dicom
from support.hostile_images import HOSTILE, SIDE
from support.predicting import predict
from support.recipes import images
from support.runs import FinishedRuns, Run
from support.serving import HttpAnswer, Service, encode_form, form_type, started_service

DEEP = {"kind": "range", "low": 0, "high": 4095}
NAME = "PLANTNAME^JANE"
PATHS = ("health", "ready", "version", "predict")

Files = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def run(finished_run: FinishedRuns, radiographs: Path) -> Run:
    """A run that computes with two threads, as a service does not do by itself."""
    return finished_run(images(radiographs, threads=2, data__window=DEEP))


@pytest.fixture(scope="module")
def service(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("service") / "log"
    with started_service(run.directory, log, "--connections", "64", "--max-images", "9") as service:
        yield service


@pytest.fixture(scope="module")
def files(radiographs: Path) -> Files:
    """Eight images of two formats, and what the service calls each."""
    found = sorted((radiographs / "val").rglob("*.*"))
    found[0] = next((radiographs / "train").rglob("*.png"))
    assert len(found) == 8
    return [(f"image-1{file.suffix}", file.read_bytes()) for file in found]


def predict_each(run: Run, files: Files, directory: Path) -> list[dict[str, Any]]:
    """Return what ``cxr predict`` says of files, each under the name that it is given."""
    paths = []
    for number, (name, content) in enumerate(files):
        (directory / str(number)).mkdir()
        paths.append(directory / str(number) / name)
        paths[-1].write_bytes(content)
    found = predict(run.directory, *paths)["images"]
    return [{**one, "path": Path(one["path"]).name} for one in found]


def expect(run: Run, said: dict[str, Any], request_id: str = "test") -> bytes:
    """Return the body that answers a request for one image."""
    return render_json(
        {
            "request_id": request_id,
            "outcome_digest": run.digests[0],
            "determinism": "strict",
            "images": [said],
            "warnings": [],
        }
    )


def ask_at_once(service: Service, files: Files, rounds: int) -> list[HttpAnswer]:
    """Ask for each file several times from eight threads, neighbours changing."""
    order = [*files, *files[::-1]] * rounds
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(service.predict, order))


def test_each_of_many_requests_at_once_gets_the_bytes_of_predict(
    service: Service, run: Run, files: Files, tmp_path: Path
):
    expected = [expect(run, one) for one in predict_each(run, files, tmp_path)]
    assert len(set(expected)) == 8
    answers = ask_at_once(service, files, rounds=4)
    assert {answer.status for answer in answers} == {200}
    assert [answer.body for answer in answers] == [*expected, *expected[::-1]] * 4
    # One request for several images, too: each is a batch of its own.
    together = service.predict(*files[:3]).json["images"]
    alone = [json.loads(body)["images"][0] for body in expected[:3]]
    assert [one["logits"] for one in together] == [one["logits"] for one in alone]
    # The check itself: it sees requests that share a buffer.
    with started_service(run.directory, tmp_path / "log", fault="shared-buffer") as faulty:
        answers = ask_at_once(faulty, files, rounds=1)
    assert [answer.body for answer in answers] != [*expected, *expected[::-1]]


def test_it_says_which_model_answers(service: Service, run: Run):
    manifest = run.manifest
    assert service.ask("GET", "/health").json == {"status": "alive"}
    ready = service.ask("GET", "/ready")
    assert (ready.status, ready.json) == (200, {"status": "ready", "preprocessing": "checked"})
    version = service.ask("GET", "/version").json
    digests = ("manifest", "outcome", "recipe", "preprocessing", "environment")
    for name in digests:
        assert version[f"{name}_digest"] == manifest[f"{name}_digest"]
    assert version["weights_digest"] == manifest["outcome"]["weights_digest"]
    assert (version["cxr"], version["determinism"]) == (cxr.__version__, "strict")
    assert service.ready == {"url": service.ready["url"], **version}
    assert service.ready["url"].startswith("http://127.0.0.1:")


def test_answers_and_examples_are_what_openapi_describes(service: Service, files: Files):
    document = service.ask("GET", "/openapi.json").json
    schemas = document["components"]["schemas"]

    def check(answer: Any, name: str) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        jsonschema.validate(answer, schema)

    for path, name in zip(PATHS, ("Health", "Readiness", "Version"), strict=False):
        answer = service.ask("GET", f"/{path}").json
        check(answer, name)
        # Every member is described, and every one described is there.
        assert set(answer) == set(schemas[name]["properties"])
    answers = document["paths"]["/predict"]["post"]["responses"]
    statuses = {"200", "400", "408", "413", "415", "422", "429", "500", "503"}
    assert set(answers) == {*statuses, "default"}
    assert set(document["paths"]["/ready"]["get"]["responses"]) == {"200", "503", "default"}
    example = answers["200"]["content"]["application/json"]["example"]
    real = service.predict(files[0]).json
    for one in (example, real):
        check(one, "PredictAnswer")
        assert set(one) == set(schemas["PredictAnswer"]["properties"])
    refused = service.predict(("a.png", b"")).json
    for one in (answers["422"]["content"]["application/problem+json"]["example"], refused):
        check(one, "ProblemDocument")
        assert set(one) == set(schemas["ProblemDocument"]["properties"])


def test_a_refused_image_gets_the_words_of_predict_and_others_their_answers(
    service: Service, run: Run, files: Files, tmp_path: Path
):
    names = ("JPEG, half", "web page", "LFS pointer", "empty", "bomb", "PNG, a bit turned")
    names += ("JPEG of hidden scans",)
    broken = [(Path(HOSTILE[name][0]).suffix, HOSTILE[name][1]) for name in names]
    broken.append((".dcm", wrap_jpeg(HOSTILE["JPEG of hidden scans"][1], side_px=SIDE)))
    sent = [files[0], *((f"x{suffix}", content) for suffix, content in broken)]
    for place, (name, content) in enumerate(sent, start=1):
        (tmp_path / f"image-{place}{Path(name).suffix}").write_bytes(content)
    own = predict(run.directory, tmp_path, code=1)
    answer = service.predict(*sent)
    assert (answer.status, answer.json["detail"]) == (422, "8 of 9 images are refused")
    assert [one["path"] for one in answer.json["images"]] == ["image-1.png"]
    for name in ("images", "refused"):
        expected = [{**one, "path": Path(one["path"]).name} for one in own[name]]
        assert answer.json[name] == expected
    assert len(own["refused"]) == 8
    # What is odd and not refused is told beside the answer.
    odd = service.predict(("a.jpeg", files[0][1])).json
    assert [one["kind"] for one in odd["warnings"]] == ["wrong-suffix"]


def test_dicom_and_png_are_one_image_and_no_name_comes_back(service: Service, tmp_path: Path):
    rows, columns = np.mgrid[:40, :40]
    values = ((rows * 79 + columns * 47 + rows * columns * 3) % 4096).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    dicom = write_dicom(make_dicom(values, PatientName=NAME))
    answers = [
        service.predict((f"{NAME}.dcm", dicom)),
        service.predict((f"../{NAME}.png", (tmp_path / "a.png").read_bytes())),
        service.predict((f"{NAME}.dcm", dicom[:-90])),
    ]
    assert [answer.status for answer in answers] == [200, 200, 422]
    first, second = (answer.json["images"][0] for answer in answers[:2])
    assert (first["path"], second["path"]) == ("image-1.dcm", "image-1.png")
    assert first["logits"] == second["logits"]
    service.ask("GET", f"/{NAME}", headers={"x-request-id": NAME})
    heard = service.log.read_text(encoding="utf-8") + "".join(map(str, answers))
    assert "PLANTNAME" not in heard


def test_a_request_has_one_name_in_its_answer_and_in_the_log(service: Service, files: Files):
    answer = service.predict(files[0], request_id="a-1.b_2")
    assert answer.headers["x-request-id"] == answer.json["request_id"] == "a-1.b_2"
    made = set()
    for bad in ("", "-a", "a b", "a" * 65, 'a"', "\u00e9"):
        answer = service.ask("GET", "/nothing", headers={"x-request-id": bad})
        assert (answer.status, answer.headers["x-request-id"]) == (404, answer.json["request_id"])
        made.add(answer.json["request_id"])
    assert len(made) == 6
    assert all(len(one) == 32 and one.isalnum() for one in made)
    log = service.read_log()
    [line] = [one for one in log if one.get("request_id") == "a-1.b_2"]
    assert line.pop("time").endswith("Z")
    assert line.pop("duration_ms") > 0
    assert line.pop("bytes") > len(files[0][1])
    assert line == {
        "event": "request",
        "request_id": "a-1.b_2",
        "method": "POST",
        "path": "/predict",
        "status": 200,
    }
    assert {one["path"] for one in log if one["request_id"] in made} == {"other"}


def test_who_sends_too_much_can_read_why(service: Service):
    # More than the system keeps: were the rest not read, the connection would be reset.
    body = encode_form([("a.png", bytes(20 * 1024 * 1024))])
    answer = service.ask("POST", "/predict", body=body, headers={"content-type": form_type()})
    assert (answer.status, answer.json["type"]) == (413, "urn:cxr:problem:body-too-large")


def test_what_fails_is_told_by_its_type_and_quotes_nothing(run: Run, files: Files, tmp_path: Path):
    log = tmp_path / "log"
    with started_service(
        run.directory, log, "--quiet", "--log-clients", fault="crashing-answers"
    ) as service:
        answer = service.predict(files[0])
        assert service.ask("GET", "/health").status == 200
        assert {one["event"] for one in service.read_log()} == {"error"}
        assert {one["error"] for one in service.read_log()} == {"RuntimeError"}
    assert (answer.status, answer.json["type"]) == (500, "urn:cxr:problem:failed")
    heard = log.read_text(encoding="utf-8") + answer.body.decode()
    assert "PLANTNAME" not in heard
    assert "Traceback" not in heard
