"""From a run directory to a service that answers for it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr.errors import Interrupted
from cxr.inference.open_run import OpenedRun, open_run
from cxr.serving.facts import describe_version
from cxr.serving.installation import require_serving_libraries
from cxr.serving.limits import Limits
from cxr.serving.listening import bind_address, derive_url, explain_refusal, is_loopback
from cxr.serving.request_log import RequestLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a service is reached.

    Attributes:
        host: A name or an address of this machine.
        port: 0 for one that is free.
    """

    host: str = "127.0.0.1"
    port: int = 8000


def serve_run(
    run: Path,
    address: Address,
    limits: Limits,
    log: RequestLog,
    *,
    on_ready: Callable[[dict[str, Any]], None],
    note: Callable[[str], None],
) -> None:
    """Answer requests with a completed run's model until SIGTERM.

    Args:
        run: The run directory.
        address: Where to listen.
        limits: What requests may cost.
        log: Told of each request.
        on_ready: Told where it is reached and which model answers, once it does.
        note: Told what is worth a note before that.

    Raises:
        AddressError: The port is taken.
        CxrError: The run cannot be predicted with; see `open_run` and `load_predictor`.
        DecoderError: No process can be started that decodes.
        InstallationError: The libraries of the service are not installed.
        Interrupted: It was stopped by another signal than SIGTERM, as Ctrl-C.
    """
    require_serving_libraries()
    opened = open_run(run)
    bound = bind_address(address.host, address.port)
    with bound:
        if not is_loopback(bound):
            note(
                "warning: others can reach this address, and there is no TLS and no "
                "authentication: put a proxy that has them in front"
            )
        _serve_bound(opened, bound, address, limits, log, on_ready=on_ready, note=note)


def _serve_bound(
    opened: OpenedRun,
    bound: socket.socket,
    address: Address,
    limits: Limits,
    log: RequestLog,
    *,
    on_ready: Callable[[dict[str, Any]], None],
    note: Callable[[str], None],
) -> None:
    """Load the model and serve it on a socket; see `serve_run`."""
    # Only now: torch is slow to load, and nothing above needs it.
    from cxr.inference.predict_run import note_preprocessing
    from cxr.inference.predictor import load_predictor
    from cxr.serving.decoder import Decoder
    from cxr.serving.decoder_messages import Task
    from cxr.serving.server import serve
    from cxr.serving.worker import Worker

    predictor = load_predictor(opened)
    note_preprocessing(predictor, note)
    task = Task(config=predictor.config.data, max_pixels=limits.max_pixels)
    digest = predictor.preprocessing.digest
    decoder = Decoder(task, limit_s=limits.decode_s, digest=digest)
    ready = {"url": derive_url(bound), **describe_version(predictor)}
    with contextlib.closing(Worker(predictor, decoder)) as worker:
        decoder.start()
        worker.warm_up()
        try:
            stopped_by = serve(worker, bound, limits, log, on_ready=lambda: on_ready(ready))
        except OSError as error:
            raise explain_refusal(error, address.host, address.port) from error
    if stopped_by is not None and stopped_by.name != "SIGTERM":
        raise Interrupted(
            f"stopped by {stopped_by.name}",
            where=f"cxr serve, {ready['url']}",
            hint="what was under way is finished; start it again with the same command",
        )
