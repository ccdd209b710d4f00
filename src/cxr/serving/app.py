"""The routes of the service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

import cxr
from cxr.errors import CxrError
from cxr.inference.answers import Answer, Refusal
from cxr.serving import api_documents as documents
from cxr.serving.admission import Admission
from cxr.serving.exchange import CLOSED_BY_CLIENT, Exchanges
from cxr.serving.facts import describe_version
from cxr.serving.limits import Limits
from cxr.serving.problems import (
    PROBLEM_JSON,
    RETRY_AFTER,
    Problem,
    RefusedRequest,
    render_json,
)
from cxr.serving.request_log import RequestLog
from cxr.serving.uploads import Upload, read_uploads
from cxr.serving.worker import Worker

_ABOUT: Final = (
    "Predictions of one trained model. Not a medical device: made for research and teaching, "
    "validated for no clinical decision."
)


def build_app(worker: Worker, limits: Limits, log: RequestLog) -> ASGIApp:
    """Return the application around a model that is ready.

    Args:
        worker: Computes.
        limits: What requests may cost.
        log: Told of each request.
    """
    # No pages of documentation: they would load scripts from elsewhere.
    app = FastAPI(
        title="cxr serve",
        version=cxr.__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_problems(app, log)
    _add_facts(app, worker)
    _add_predict(app, worker, limits)
    # Made now, once, and not for the first who asks.
    documents.add_problem_schema(app.openapi())
    return Exchanges(app, limits, log)


def _add_problems(app: FastAPI, log: RequestLog) -> None:
    """Answer with problem details wherever something is refused or fails."""

    def tell(request: Request, problem: Problem) -> Response:
        return Response(
            problem.render(request.scope["cxr.request_id"]),
            status_code=problem.status,
            headers=problem.headers,
            media_type=PROBLEM_JSON,
        )

    async def refuse(request: Request, error: RefusedRequest) -> Response:
        return tell(request, error.problem)

    async def answer_http(request: Request, error: HTTPException) -> Response:
        kinds = {404: "not-found", 405: "method-not-allowed"}
        detail = {404: "there is nothing here", 405: "this method is not answered here"}
        return tell(
            request,
            Problem(
                status=error.status_code,
                kind=kinds.get(error.status_code, "refused"),
                detail=detail.get(error.status_code, "the request is refused"),
                headers=dict(error.headers or {}),
            ),
        )

    async def own_up(request: Request, error: Exception) -> Response:
        # Of an error of cxr too, words are for the log: they may name a place on this machine.
        known = error.problem if isinstance(error, CxrError) else type(error).__name__
        log.tell("error", request_id=request.scope["cxr.request_id"], error=known)
        detail = "the model could not compute an answer; the service's log says more"
        return tell(request, Problem(status=500, kind="failed", detail=detail))

    async def drop(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=CLOSED_BY_CLIENT)

    app.exception_handler(RefusedRequest)(refuse)
    app.exception_handler(HTTPException)(answer_http)
    app.exception_handler(CxrError)(own_up)
    app.exception_handler(Exception)(own_up)
    app.exception_handler(ClientDisconnect)(drop)


def _add_facts(app: FastAPI, worker: Worker) -> None:
    """Add what tells of the service and its model."""
    is_checked = worker.predictor.preprocessing.digest is not None
    preprocessing = "checked" if is_checked else "not-recorded"
    version = render_json(describe_version(worker.predictor))

    @app.get("/health", responses=documents.describe_fact(documents.Health))
    async def health() -> Response:
        """Say that the process answers."""
        return _send_json(render_json({"status": "alive"}))

    @app.get("/ready", responses=documents.describe_readiness())
    async def ready() -> Response:
        """Say whether an image would be answered, and whether what images become was checked."""
        if not worker.is_ready():
            worker.mend()
            detail = "the process that decodes images is being started again"
            raise RefusedRequest(503, "not-ready", detail, headers=RETRY_AFTER)
        return _send_json(render_json({"status": "ready", "preprocessing": preprocessing}))

    @app.get("/version", responses=documents.describe_fact(documents.Version))
    async def version_of_model() -> Response:
        """Say which model answers, by its digests."""
        return _send_json(version)


def _add_predict(app: FastAPI, worker: Worker, limits: Limits) -> None:
    """Add the one route that computes."""
    admission = Admission(limits)
    manifest = worker.predictor.opened.manifest
    model = {
        "outcome_digest": manifest["outcome_digest"],
        "determinism": str(worker.predictor.config.determinism),
    }

    @app.post(
        "/predict",
        openapi_extra=documents.UPLOAD,
        responses=documents.describe_answers(),
    )
    async def predict(request: Request) -> Response:
        """Predict images, each as a batch of its own; the answer is all or nothing."""
        client = request.client.host if request.client else ""
        with admission.admitted(client):
            headers = Headers(scope=request.scope)
            uploads = await read_uploads(headers, request.stream(), limits)
            said = await _predict_unless_gone(worker, uploads, request)
        answer = {"request_id": request.scope["cxr.request_id"], **model, **_describe(said)}
        return _send_json(render_json(answer))


async def _predict_unless_gone(
    worker: Worker, uploads: Sequence[Upload], request: Request
) -> list[Answer | Refusal]:
    """Return what is said of images, unless the client goes away meanwhile.

    Raises:
        ClientDisconnect: It did.
    """
    work = asyncio.ensure_future(worker.predict(uploads))
    # Behind the body nothing else can come.
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        work.cancel()
        gone.cancel()


def _describe(said: Sequence[Answer | Refusal]) -> dict[str, Any]:
    """Return images and warnings as plain JSON values.

    Raises:
        RefusedRequest: An image is refused. The answers for others are in the problem, so that
            nobody who looks at the status alone takes a part for the whole.
    """
    images = [one.to_json() for one in said if isinstance(one, Answer)]
    refused = [one.to_json() for one in said if isinstance(one, Refusal)]
    if refused:
        verb = "is" if len(refused) == 1 else "are"
        raise RefusedRequest(
            422,
            "images-refused",
            f"{len(refused)} of {len(said)} images {verb} refused",
            more={"images": images, "refused": refused},
        )
    warnings = [
        {"path": path, "kind": one.kind, "detail": one.detail}
        for answer in said
        if isinstance(answer, Answer)
        for one in answer.list_warnings()
        for path in one.paths
    ]
    return {"images": images, "warnings": warnings}


def _send_json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
