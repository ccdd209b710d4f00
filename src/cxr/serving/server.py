"""Running the service: from a bound socket to the last answer after a signal to stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import uvicorn

from cxr.interruption import ignore_signals, pass_on, take_received
from cxr.serving.app import build_app
from cxr.serving.connection import BoundedConnection
from cxr.serving.limits import Limits
from cxr.serving.request_log import RequestLog, ServerLogHandler
from cxr.serving.worker import Worker

_SPEAKERS: Final = ("uvicorn", "asyncio", "python_multipart")
"""Libraries that log what clients send."""


def serve(
    worker: Worker,
    bound: socket.socket,
    limits: Limits,
    log: RequestLog,
    *,
    on_ready: Callable[[], None],
) -> signal.Signals | None:
    """Answer requests until a signal asks to stop; what is under way then is finished first.

    Args:
        worker: Computes.
        bound: Where to listen; closed at the end.
        limits: What requests may cost.
        log: Told of each request.
        on_ready: Called once requests are answered.

    Returns:
        The first signal that asked to stop.

    Raises:
        OSError: The socket cannot listen: somebody else took the address meanwhile.
    """
    _quieten_libraries(log)
    config = _configure(worker, limits, log)
    with bound:
        bound.listen(config.backlog)
        server = _Server(config, on_ready)
        pass_on(server.stop)
        try:
            asyncio.run(server.serve(sockets=[bound]))
        finally:
            # It stops already: no further signal changes how it ends.
            ignore_signals()
            pass_on(None)
    received = take_received()
    return received[0] if received else None


class _Server(uvicorn.Server):
    """uvicorn's server, whose signals are taken by `cxr.interruption`."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    def stop(self, _number: int) -> None:
        """Stop when what is under way is finished; asked a second time, at once.

        This is called between two steps of the loop, which wakes up often by itself.
        """
        if self.should_exit:
            self.force_exit = True
            for task in self.server_state.tasks:
                task.cancel()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to those who have them."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets=sockets)
        self._on_ready()


def _configure(worker: Worker, limits: Limits, log: RequestLog) -> uvicorn.Config:
    connection = functools.partial(BoundedConnection, limits=limits, log=log)
    return uvicorn.Config(
        build_app(worker, limits, log),
        # The parser in Python and the loop of the standard library, whatever else is installed.
        http=cast("Any", connection),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        # Who a client is, is not for it to say.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=limits.keep_alive_s,
        timeout_graceful_shutdown=limits.grace_s,
        h11_max_incomplete_event_size=limits.max_header_bytes,
    )


def _quieten_libraries(log: RequestLog) -> None:
    """Let libraries say no more in this process than that they met an error, and of what type."""
    handler = ServerLogHandler(log)
    for name in _SPEAKERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
