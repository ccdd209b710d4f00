"""What the service answers with, as OpenAPI describes it; the documents are made elsewhere."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field

from cxr.serving.problems import PROBLEM_JSON
from cxr.serving.uploads import FIELD

_DIGEST: Final = "sha256:" + "0" * 64


class ImageAnswer(BaseModel):
    """What the model says of one image, as ``cxr predict --json`` has it."""

    path: str = Field(description="place of the image in the request, and its suffix")
    logits: list[float]
    probabilities: list[float]
    decision: str


class ImageRemark(BaseModel):
    """What is wrong with an image, or odd about it, in the words of ``cxr data verify``."""

    path: str
    kind: str
    detail: str


class PredictAnswer(BaseModel):
    """The answer to a request of which every image was predicted."""

    request_id: str
    outcome_digest: str
    determinism: str
    images: list[ImageAnswer]
    warnings: list[ImageRemark]


class ProblemDocument(BaseModel):
    """Why a request was not answered; see RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    images: list[ImageAnswer] | None = Field(None, description="only where others were refused")
    refused: list[ImageRemark] | None = Field(None, description="the images that were refused")


class Health(BaseModel):
    """That the process answers."""

    status: str


class Readiness(BaseModel):
    """That images are answered, and whether what they become was checked."""

    status: str
    preprocessing: str = Field(description="checked, or not-recorded by the run")


class Version(BaseModel):
    """Which model answers; ``environment_digest`` is of where it was trained."""

    cxr: str
    name: str
    manifest_digest: str
    outcome_digest: str
    recipe_digest: str
    weights_digest: str
    preprocessing_digest: str | None
    environment_digest: str
    determinism: str
    promise: str
    threads: int
    classes: list[str]
    asks_each_label: bool


UPLOAD: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                            "description": "JPEG, PNG, BMP, TIFF or DICOM",
                        }
                    },
                },
            }
        },
    }
}

_ANSWER: Final = {
    "request_id": "c0ffee",
    "outcome_digest": _DIGEST,
    "determinism": "strict",
    "images": [
        {
            "path": "image-1.png",
            "logits": [0.1467065, -0.46865198],
            "probabilities": [0.649162174203474, 0.3508378257965259],
            "decision": "NORMAL",
        }
    ],
    "warnings": [],
}
_REFUSED: Final = {
    "type": "urn:cxr:problem:images-refused",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "1 of 1 images is refused",
    "request_id": "c0ffee",
    "images": [],
    "refused": [
        {
            "path": "image-1.jpeg",
            "kind": "truncated",
            "detail": "the file ends without its last marker, EOI",
        }
    ],
}
_PROBLEMS: Final = {
    400: "the body is no multipart/form-data, or ends too early",
    408: "the body came too slowly",
    413: "too many bytes or images",
    415: "the body is of another type",
    422: "an image is refused, there is none, or there is another field",
    429: "this client has too many requests under way",
    500: "the model could not compute the image",
    503: "too many requests are under way, or this one took too long",
}


def add_problem_schema(openapi: dict[str, Any]) -> None:
    """Add what FastAPI adds only for a model that is answered as ``application/json``."""
    schemas = openapi["components"]["schemas"]
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    # Those of images are there: an answer that is no problem has them too.
    schema.pop("$defs")
    schemas[ProblemDocument.__name__] = schema


def describe_readiness() -> dict[int | str, dict[str, Any]]:
    """Return every answer to ``GET /ready``."""
    not_ready = _describe_problem("the process that decodes images is being started again")
    return {**describe_fact(Readiness), 503: not_ready}


def describe_fact(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return every answer to a ``GET`` that asks for a fact."""
    return {200: {"model": model}, **_describe_others()}


def describe_answers() -> dict[int | str, dict[str, Any]]:
    """Return every answer to ``POST /predict``, with examples."""
    answers: dict[int | str, dict[str, Any]] = {
        200: {"model": PredictAnswer, "content": {"application/json": {"example": _ANSWER}}}
    }
    for status, description in _PROBLEMS.items():
        answers[status] = _describe_problem(description)
    answers |= _describe_others()
    answers[422]["content"][PROBLEM_JSON]["example"] = _REFUSED
    return answers


def _describe_others() -> dict[int | str, dict[str, Any]]:
    return {"default": _describe_problem("what is refused before it is a request for this route")}


def _describe_problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {"description": description, "content": {PROBLEM_JSON: {"schema": schema}}}
