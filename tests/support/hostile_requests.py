"""Requests that nobody should send, each a function of its number: any can be sent again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from support.dicoms import draw_values, make_dicom, write_dicom
from support.hostile_images import HOSTILE, VALID, write_png
from support.serving import BOUNDARY, encode_form, form_type

MARK: Final = "PLANTNAME^JANE"
"""Stands in names, paths and headers; it must come back nowhere."""

_LARGE: Final = 600_000
"""More bytes than the service under test takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileRequest:
    """What is sent on one connection.

    Attributes:
        kind: What is wrong with it.
        content: Bytes to send.
        most: How many answers may come.
        hangs_up: Whether the client goes away without waiting for an answer.
        asks_head: Whether answers have no body.
    """

    kind: str
    content: bytes
    most: int = 1
    hangs_up: bool = False
    asks_head: bool = False


Make = Callable[[random.Random], HostileRequest]
KINDS: Final[dict[str, Make]] = {}

_DICOM: Final = write_dicom(make_dicom(draw_values(low=0, high=4095), PatientName=MARK))
_IMAGES: Final = [
    *((name, content) for name, content in VALID.values()),
    *((name, content) for name, content, _ in HOSTILE.values()),
    ("a.dcm", _DICOM),
]
_FILE_NAMES: Final = (
    f"../../../../etc/{MARK}",
    f"/etc/passwd/{MARK}.png",
    f"C:\\\\windows\\\\{MARK}.png",
    f"{MARK}\x00.png",
    f"{MARK}\x1b]0;owned\x07.jpeg",
    f"{MARK}%00.dcm",
    f"{MARK}" + "a" * 3000 + ".png",
    f'{MARK}\\".png',
    f"{MARK}\udcff\udcfe.png",
    "|id",
    "",
)
_PATHS: Final = (
    f"/../../etc/{MARK}",
    f"/%2e%2e/%2e%2e/{MARK}",
    f"/predict/../{MARK}",
    f"//predict//{MARK}",
    f"/predict%00{MARK}",
    f"/health?{MARK}=%0d%0aset-cookie:x",
    f"http://elsewhere.invalid/{MARK}",
    "*",
    "/" + "a" * 9000,
    f"/version/{MARK}",
    "/openapi.json/..",
    "/docs",
)
_METHODS: Final = ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW", MARK[:9])


def make_hostile(number: int) -> HostileRequest:
    """Return request ``number``; kinds take turns."""
    names = list(KINDS)
    # Not for secrets: the same number is the same request.
    return KINDS[names[number % len(names)]](random.Random(number))  # noqa: S311


def _kind(make: Make) -> Make:
    KINDS[make.__name__.strip("_").replace("_", " ")] = make
    return make


def _post(body: bytes, *lines: str, path: str = "/predict", method: str = "POST") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + body


def _form(body: bytes, *lines: str) -> bytes:
    return _post(body, f"Content-Type: {form_type()}", f"Content-Length: {len(body)}", *lines)


def _mutate(content: bytes, chance: random.Random) -> bytes:
    """Turn bits, cut, double and move pieces of a file."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        if not changed:
            break
        place, end = sorted(chance.randrange(len(changed) + 1) for _ in range(2))
        match chance.randrange(5):
            case 0:
                changed[place % len(changed)] ^= 1 << chance.randrange(8)
            case 1:
                del changed[place : min(end, place + 40)]
            case 2:
                changed[place:place] = changed[place : min(end, place + 40)]
            case 3:
                changed[place : place + 4] = chance.randbytes(4)
            case _:
                del changed[end:]
    return bytes(changed)


@_kind
def _mutated_image(chance: random.Random) -> HostileRequest:
    name, content = chance.choice(_IMAGES)
    body = encode_form([(name, _mutate(content, chance))])
    return HostileRequest(kind="mutated image", content=_form(body))


@_kind
def _mutated_images(chance: random.Random) -> HostileRequest:
    files = [(name, _mutate(content, chance)) for name, content in chance.choices(_IMAGES, k=3)]
    return HostileRequest(kind="mutated images", content=_form(encode_form(files)))


@_kind
def _bomb(chance: random.Random) -> HostileRequest:
    side = chance.choice((9_000, 30_000, 65_000, 2**31 - 1))
    body = encode_form([("a.png", write_png(side, side, chance.randbytes(60)))])
    return HostileRequest(kind="bomb", content=_form(body))


@_kind
def _wrong_type(chance: random.Random) -> HostileRequest:
    kind = chance.choice(("application/json", "text/plain", "multipart/mixed", MARK, "", "a" * 500))
    body = chance.randbytes(100)
    content = _post(body, f"Content-Type: {kind}", f"Content-Length: {len(body)}")
    return HostileRequest(kind="wrong type", content=content)


@_kind
def _large_headers(chance: random.Random) -> HostileRequest:
    if chance.random() < 0.5:
        lines = [f"X-{MARK[:9]}: " + "a" * chance.randint(20_000, 90_000)]
    else:
        lines = [f"X-{number}: a" for number in range(chance.randint(2_000, 9_000))]
    return HostileRequest(kind="large headers", content=_post(b"", *lines))


@_kind
def _path_trick(chance: random.Random) -> HostileRequest:
    method = chance.choice(("GET", "POST"))
    content = _post(b"", "Content-Length: 0", path=chance.choice(_PATHS), method=method)
    return HostileRequest(kind="path trick", content=content)


@_kind
def _file_name(chance: random.Random) -> HostileRequest:
    _, content = chance.choice(_IMAGES)
    body = encode_form([(chance.choice(_FILE_NAMES), content)])
    return HostileRequest(kind="file name", content=_form(body))


@_kind
def _wrong_method(chance: random.Random) -> HostileRequest:
    path = chance.choice(("/predict", "/health", "/version"))
    method = chance.choice(_METHODS)
    content = _post(b"", "Content-Length: 0", path=path, method=method)
    return HostileRequest(kind="wrong method", content=content, asks_head=method == "HEAD")


@_kind
def _cut_body(chance: random.Random) -> HostileRequest:
    body = encode_form([chance.choice(_IMAGES)])
    return HostileRequest(kind="cut body", content=_form(body[: chance.randrange(len(body))]))


@_kind
def _pipelined(chance: random.Random) -> HostileRequest:
    body = encode_form([("a.jpeg", _mutate(VALID["JPEG"][1], chance))])
    several = [_form(body), _post(b"", path="/health", method="GET"), _form(b""), _form(body)]
    chance.shuffle(several)
    return HostileRequest(kind="pipelined", content=b"".join(several), most=len(several))


@_kind
def _null_bytes(chance: random.Random) -> HostileRequest:
    content = bytearray(_form(encode_form([("a.png", VALID["PNG"][1])])))
    place = chance.randrange(120)
    content[place:place] = b"\0" * chance.randint(1, 5)
    return HostileRequest(kind="null bytes", content=bytes(content))


@_kind
def _wrong_boundary(chance: random.Random) -> HostileRequest:
    name = chance.choice(("other", "", "a" * 300, '"', BOUNDARY[:-1], BOUNDARY + "x", "\u00e9"))
    body = encode_form([("a.png", VALID["PNG"][1])])
    lines = [f"Content-Type: {form_type(name)}", f"Content-Length: {len(body)}"]
    return HostileRequest(kind="wrong boundary", content=_post(body, *lines))


@_kind
def _lying_length(chance: random.Random) -> HostileRequest:
    body = encode_form([("a.png", VALID["PNG"][1])])
    length = chance.choice(
        ("-1", "0", "1", "9" * 30, str(2**63), "1e3", "0x10", str(_LARGE), "7, 9")
    )
    content = _post(body, f"Content-Type: {form_type()}", f"Content-Length: {length}")
    return HostileRequest(kind="lying length", content=content, most=2)


@_kind
def _chunks(chance: random.Random) -> HostileRequest:
    body = encode_form([("a.png", VALID["PNG"][1])])
    sound = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    chunks = chance.choice(
        (
            b"zz\r\n" + body,
            b"-5\r\nabc",
            f"{2**70:x}\r\n".encode() + body,
            b"1;" + b"a" * 30_000,
            f"{_LARGE:x}\r\n".encode() + bytes(_LARGE) + b"\r\n0\r\n\r\n",
            sound[:-5] + b"0\r\nX: " + b"a" * 40_000,
            sound,
        )
    )
    lines = [f"Content-Type: {form_type()}", "Transfer-Encoding: chunked"]
    if chance.random() < 0.3:
        lines.append("Content-Length: 5")
    return HostileRequest(kind="chunks", content=_post(chunks, *lines), most=2)


@_kind
def _garbage(chance: random.Random) -> HostileRequest:
    return HostileRequest(
        kind="garbage", content=chance.randbytes(chance.randint(4, 3000)) + b"\r\n\r\n"
    )


@_kind
def _hung_up(chance: random.Random) -> HostileRequest:
    content = _form(encode_form([chance.choice(_IMAGES)]))
    cut = chance.choice((len(content), chance.randrange(len(content))))
    return HostileRequest(kind="hung up", content=content[:cut], hangs_up=True)


@_kind
def _many_parts(chance: random.Random) -> HostileRequest:
    number = chance.choice((9, 50, 500))
    files = [("a.png", b"x")] * number
    content = encode_form(files, field=chance.choice(("image", MARK)))
    return HostileRequest(kind="many parts", content=_form(content))


@_kind
def _part_headers(chance: random.Random) -> HostileRequest:
    bad = chance.choice((b"A: b\r\n" * 90, b"A" * 9000, b": x\r\n", b"\xff\xfe: x\r\n", b"A\r\n"))
    body = encode_form([("a.png", VALID["PNG"][1])]).replace(b"Content-Type:", bad + b"B:", 1)
    return HostileRequest(kind="part headers", content=_form(body))


@_kind
def _large_body(chance: random.Random) -> HostileRequest:
    body = encode_form([("a.png", chance.randbytes(_LARGE))])
    lines = ["Expect: 100-continue"] if chance.random() < 0.3 else []
    return HostileRequest(kind="large body", content=_form(body, *lines))


@_kind
def _odd_headers(chance: random.Random) -> HostileRequest:
    line = chance.choice(
        (
            "Upgrade: websocket\r\nConnection: Upgrade",
            "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
            f"X-Request-ID: {MARK}",
            "X-Request-ID: " + "a" * 65,
            f"X-Forwarded-For: {MARK}",
            "Content-Encoding: gzip",
            "Connection: close, keep-alive",
            "Transfer-Encoding: gzip, chunked",
            f"Range: bytes={MARK}",
        )
    )
    body = encode_form([("a.jpeg", VALID["JPEG"][1])])
    return HostileRequest(kind="odd headers", content=_form(body, line))


def make_stalled(number: int) -> bytes:
    """Return the beginning of a request that never goes on: of its headers, or of its body."""
    whole = _form(encode_form([("a.png", VALID["PNG"][1])]))
    head = whole.index(b"\r\n\r\n")
    return (b"", b"P", whole[: head - 5], whole[: head + 4], whole[: head + 200], whole[:-1])[
        number % 6
    ]
