"""Answers of a hub, read to their announced end and never further."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import urljoin

from cxr.errors import HubError
from cxr.interruption import obey
from cxr.publication.client import find_origin
from cxr.publication.hub import Hub
from cxr.publication.hub_errors import explain_offline, explain_silence, explain_status

Result = TypeVar("Result")

MAX_JSON_BYTES: Final = 4 * 2**20
"""Of what a hub says about a repository of a dozen files."""
COMMIT_HEADER: Final = "X-Repo-Commit"

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MAX_REDIRECTS: Final = 5
_PASSING: Final = (429, 500, 502, 503, 504)
_TRIES: Final = 3
_WAIT_S: Final = 0.5
_FINE: Final = 200


class _TryAgainError(Exception):
    """An answer that may be another one in a moment; it carries the error if it is not."""

    def __init__(self, error: HubError) -> None:
        super().__init__()
        self.error = error


def try_again(ask: Callable[[], Result]) -> Result:
    """Ask up to three times, where the hub is busy or the line breaks.

    Raises:
        HubError: It was in vain, or asking again is of no use.
    """
    for attempt in range(_TRIES):
        try:
            return ask()
        except _TryAgainError as passing:
            if attempt + 1 == _TRIES:
                raise passing.error from None
            obey("asking the hub")
            time.sleep(_WAIT_S * 2**attempt)
    raise AssertionError  # the loop always ends before


def get_json(hub: Hub, path: str, *, where: str, absent: bool = False) -> Any:
    """Return what the hub answers to a question.

    Args:
        hub: The hub.
        path: Below its address, beginning with a slash.
        where: What is asked for, for an error.
        absent: Whether "not found" is an answer, None, rather than an error.

    Raises:
        HubError: There is no answer, or one that is not JSON, or endless.
    """

    def ask() -> Any:
        content = bytearray()
        with open_answer(hub, f"{hub.endpoint}{path}", where=where, absent=absent) as answer:
            if answer is None:
                return None
            if "next" in answer.links:
                raise _explain_nonsense("it goes on, on another page", where)
            for piece in answer.iter_bytes():
                obey(where)
                content += piece
                if len(content) > MAX_JSON_BYTES:
                    raise _explain_nonsense("it does not end", where)
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            raise _explain_nonsense("it is not JSON", where) from None
        if found is None:
            # Here that would mean "not found".
            raise _explain_nonsense("it says nothing", where)
        return found

    return try_again(ask)


@contextlib.contextmanager
def open_answer(hub: Hub, url: str, *, where: str, absent: bool = False) -> Iterator[Any]:
    """Open the answer to a question, which the block reads as it comes.

    Redirects are followed; the token is left behind where one leads away from the hub. The answer
    has the header `COMMIT_HEADER` of the hub itself, also where another server gives the content.

    Raises:
        HubError: There is none. `try_again` asks again where that may help.
    """
    import huggingface_hub
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined] # found when asked for

    commit: str | None = None
    client = huggingface_hub.get_session()
    with contextlib.ExitStack() as stack:
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                answer = stack.enter_context(
                    client.stream(
                        "GET",
                        url,
                        # Packed, an answer's length would say nothing of its content. The client
                        # takes the token out again where this leads away from the hub.
                        headers={**hub.headers, "accept-encoding": "identity"},
                        follow_redirects=False,
                        timeout=hub.timeout_s,
                    )
                )
                commit = commit or answer.headers.get(COMMIT_HEADER)
                if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                    break
                url = _follow(url, answer.headers["location"], where)
            else:
                raise _explain_nonsense("it leads on and on", where)
            is_absent = absent and answer.status_code == 404  # noqa: PLR2004 - not found
            if answer.status_code != _FINE and not is_absent:
                error = explain_status(answer.status_code, where)
                raise _TryAgainError(error) if answer.status_code in _PASSING else error
            if commit is not None:
                answer.headers[COMMIT_HEADER] = commit
            yield None if is_absent else answer
        except OfflineModeIsEnabled:
            raise explain_offline(where) from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise _explain_nonsense("it leads to no address", where) from None
        except httpx.HTTPError as error:
            raise _TryAgainError(explain_silence(error, where)) from None


def _follow(url: str, location: str, where: str) -> str:
    """Return where a redirect leads.

    Raises:
        HubError: To no address.
    """
    try:
        target = urljoin(url, location)
        find_origin(target)
    except ValueError:
        raise _explain_nonsense("it leads to no address", where) from None
    return target


def _explain_nonsense(said: str, where: str) -> HubError:
    return HubError(
        f"the hub's answer is no answer: {said}",
        where=where,
        hint="see that HF_ENDPOINT is a model hub; try again",
    )
