"""``cxr serve``."""

from __future__ import annotations

import math
import sys
from typing import Annotated, Any, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_note
from cxr.serving.limits import MAX_TIME_S, Limits

_DEFAULTS: Final = Limits()
_LEAST_S: Final = 0.1


def _require_number(value: float) -> float:
    """Refuse what is no number: it is within every range."""
    if math.isnan(value):
        raise typer.BadParameter(f"{value} is not a number.")
    return value


def _time(text: str, least_s: float = _LEAST_S) -> Any:
    """Return an option that is a time in seconds."""
    return typer.Option(min=least_s, max=MAX_TIME_S, callback=_require_number, help=text)


def serve(
    run: options.Run,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 is every one.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8000,
    max_bytes: Annotated[
        int, typer.Option(min=1, help="Bytes of a request's body.")
    ] = _DEFAULTS.max_bytes,
    max_images: Annotated[
        int, typer.Option(min=1, help="Images in a request.")
    ] = _DEFAULTS.max_images,
    max_pixels: Annotated[
        int,
        typer.Option(min=1, max=_DEFAULTS.max_pixels, help="Pixels that an image may claim."),
    ] = _DEFAULTS.max_pixels,
    max_header_bytes: Annotated[
        int, typer.Option(min=1024, help="Bytes of a request's headers.")
    ] = _DEFAULTS.max_header_bytes,
    header_seconds: Annotated[float, _time("Time for a request's headers.")] = _DEFAULTS.header_s,
    body_seconds: Annotated[float, _time("Time for a request's body.")] = _DEFAULTS.body_s,
    decode_seconds: Annotated[float, _time("Time for decoding an image.")] = _DEFAULTS.decode_s,
    request_seconds: Annotated[float, _time("Time for a request in all.")] = _DEFAULTS.request_s,
    keep_alive_seconds: Annotated[
        int, _time("Time that an idle connection stays open.", least_s=0)
    ] = _DEFAULTS.keep_alive_s,
    grace_seconds: Annotated[
        int, _time("Time to finish requests when told to stop.", least_s=0)
    ] = _DEFAULTS.grace_s,
    parallel: Annotated[
        int, typer.Option(min=1, help="Requests under way at once; more get 503.")
    ] = _DEFAULTS.parallel,
    parallel_per_client: Annotated[
        int | None, typer.Option(min=1, help="The same of one address; more get 429.")
    ] = _DEFAULTS.parallel_per_client,
    connections: Annotated[
        int, typer.Option(min=1, help="Connections open at once.")
    ] = _DEFAULTS.connections,
    log_clients: Annotated[
        bool, typer.Option("--log-clients", help="Write clients' addresses into the log.")
    ] = False,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Answer requests for predictions over HTTP.

    POST /predict takes images, each a field named image of multipart/form-data, and answers what
    cxr predict does. GET /health, /ready, /version and /openapi.json tell of the service. SIGTERM
    ends it with code 0, Ctrl-C with 130, once what is under way is finished.

    Not a medical device: made for research and teaching, validated for no clinical decision.

    Example: cxr serve runs/sample-20261121T120000Z-0123abcd --port 8000
    """
    from cxr.serving.request_log import RequestLog
    from cxr.serving.serve_run import Address, serve_run

    def tell(ready: dict[str, Any]) -> None:
        if json:
            print_json(ready)
        else:
            _show(ready)
        # Whoever waits for it reads a pipe.
        sys.stdout.flush()

    limits = Limits(
        max_bytes=max_bytes,
        max_images=max_images,
        max_pixels=max_pixels,
        max_header_bytes=max_header_bytes,
        header_s=header_seconds,
        body_s=body_seconds,
        decode_s=decode_seconds,
        request_s=request_seconds,
        keep_alive_s=keep_alive_seconds,
        grace_s=grace_seconds,
        parallel=parallel,
        parallel_per_client=parallel_per_client,
        connections=connections,
    )
    log = RequestLog(write=print_note, shows_requests=not quiet, shows_clients=log_clients)
    # No signal is held while the model loads: nothing is written, and a second one is not needed.
    serve_run(run, Address(host=host, port=port), limits, log, on_ready=tell, note=print_note)


def _show(ready: dict[str, Any]) -> None:
    """Print where the service is reached, and which model answers."""
    print_line(f"serving {ready['name']} at {ready['url']}")
    print_line(f"outcome  {ready['outcome_digest']}")
    print_line(f"promise  {ready['determinism']}: {ready['promise']}")
