from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from cxr.data.inspection import tiff_streams
from cxr.data.inspection.inspect_file import inspect_file
from cxr.data.inspection.tiff_layout import check_tiff
from support.hostile_images import COLOUR, add_scans, draw_picture, encode, write_tiff

NOISE = np.random.default_rng(3).integers(0, 40, (224, 224), np.uint8)
GREY = draw_picture(224) + NOISE
PICTURES = {
    "grey": GREY,
    "colour": np.stack([GREY, GREY.T, 255 - GREY], axis=2),
    "16 bits": GREY.astype(np.uint16) * 200,
    "float": GREY.astype(np.float32),
    "two levels": GREY > 99,
}
DEFLATE = ("tiff_adobe_deflate", "tiff_deflate")


def find_pieces(content):
    """Return the place and size of each strip."""
    with Image.open(io.BytesIO(content)) as picture:
        return list(zip(picture.tag_v2[273], picture.tag_v2[279], strict=True))


def change(content, num, rng):
    """Change bytes of one strip, behind its head."""
    place, size = rng.choice(find_pieces(content))
    changed = bytearray(content)
    for at in rng.sample(range(place + 30, place + size), num):
        changed[at] ^= rng.randrange(1, 256)
    return bytes(changed)


def tile(streams, *, compression=8, **fields):
    """Return a TIFF file of 40 x 24 px in tiles of 16 x 16 px."""
    sides = {256: 40, 257: 24, 322: 16, 323: 16, 258: 8, 262: 1, 259: compression}
    tags = {int(tag.removeprefix("tag_")): value for tag, value in fields.items()}
    return write_tiff(sides | tags, streams, tiled=True)


def kinds(content):
    return [kind for kind, _ in check_tiff(content)]


@pytest.mark.parametrize("what", PICTURES)
@pytest.mark.parametrize("strip_bytes", [224, 1 << 20])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("compression", DEFLATE)
def test_every_changed_byte_of_deflate_is_found(what, strip_bytes, predictor, compression):
    options = {"tiffinfo": {317: predictor}} if what in ("grey", "colour", "16 bits") else {}
    options |= {"compression": compression, "strip_size": strip_bytes}
    content = encode(PICTURES[what], "TIFF", **options)
    assert check_tiff(content) == []
    rng = random.Random(0)  # noqa: S311 - the same places each time
    place, size = rng.choice(find_pieces(content))
    for at in rng.sample(range(place, place + size), min(size, 20)):
        assert kinds(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]) == ["damaged"]


@pytest.mark.parametrize("what", ["grey", "colour"])
@pytest.mark.parametrize("quality", [30, 75, 100])
@pytest.mark.parametrize("strip_bytes", [3000, 1 << 20])
def test_most_changes_of_a_jpeg_are_found(what, quality, strip_bytes):
    options = {"compression": "jpeg", "quality": quality, "strip_size": strip_bytes}
    content = encode(PICTURES[what], "TIFF", **options)
    assert check_tiff(content) == []
    rng = random.Random(1)  # noqa: S311 - the same places each time
    found = [kinds(change(content, 40, rng)) for _ in range(20)]
    assert found.count(["damaged"]) >= 16


@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "jpeg"])
def test_what_the_decoder_passes_over_is_a_finding_of_the_file(compression):
    content = encode(GREY, "TIFF", compression=compression)
    assert inspect_file(content, name="a.tif").findings == ()
    rng = random.Random(2)  # noqa: S311 - the same places each time
    looks = [inspect_file(change(content, 40, rng), name="a.tif") for _ in range(8)]
    assert [[kind for kind, _ in look.findings] for look in looks] == [["damaged"]] * 8
    assert any(look.pixels for look in looks)


def test_tiles_are_looked_at_one_by_one():
    streams = [zlib.compress(bytes([number] * 256)) for number in range(6)]
    assert check_tiff(tile(streams)) == []
    for number in range(6):
        broken = [*streams]
        broken[number] = broken[number][:-1] + bytes([broken[number][-1] ^ 1])
        ((kind, said),) = check_tiff(tile(broken))
        place = tile(broken).index(broken[number])
        assert (kind, said) == (
            "damaged",
            f"the piece of the picture at byte {place:,}: the compressed stream is broken",
        )


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (zlib.compress(bytes(256))[:-1], "lacks its check sum"),
        (zlib.compress(bytes(257)), "holds more than the piece"),
    ],
)
def test_a_stream_breaks_off_or_goes_on(stream, said):
    good = zlib.compress(bytes(256))
    ((kind, found),) = check_tiff(tile([good, stream, *[good] * 4]))
    assert kind == "damaged"
    assert found.endswith(f"the compressed stream {said}")


def test_a_stream_is_unpacked_no_further_than_the_piece(monkeypatch):
    taken = []
    real = tiff_streams.measure_stream
    monkeypatch.setattr(
        tiff_streams, "measure_stream", lambda *args: taken.append(real(*args)) or taken[-1]
    )
    assert kinds(tile([zlib.compress(bytes(8 << 20), 9)] * 6)) == ["damaged"]
    ((found, ended),) = taken
    assert found <= 1 << 20
    assert not ended


SOUND = zlib.compress(bytes(256))
BROKEN = SOUND[:-1] + b"\0"
REVERSED = BROKEN.translate(bytes(int(f"{one:08b}"[::-1], 2) for one in range(256)))


@pytest.mark.parametrize(
    ("streams", "fields"),
    [
        # An encoder may leave tiles out, write less than a whole one, or fill up behind it.
        ([SOUND, b"", SOUND, SOUND + bytes(3), zlib.compress(bytes(100)), SOUND], {}),
        # More than the picture has.
        ([SOUND] * 6 + [b"no stream"], {}),
        # What only a decoder would know.
        ([REVERSED] * 6, {"tag_266": 2}),
        ([BROKEN] * 6, {"tag_32998": 4}),
        ([BROKEN] * 6, {"compression": 5}),
        ([BROKEN] * 6, {"tag_322": 0}),
        ([BROKEN] * 6, {"tag_277": 0}),
        ([BROKEN] * 6, {"tag_256": 0}),
        # A bomb, which is told by its size.
        ([BROKEN] * 6, {"tag_256": 100_000, "tag_257": 100_000}),
        ([BROKEN] * 6, {"tag_277": 65535, "tag_322": 10_000, "tag_323": 10_000}),
        # Each channel by itself is a third of what a tile of all would hold.
        ([zlib.compress(bytes(256))] * 18, {"tag_277": 3, "tag_284": 2}),
        ([zlib.compress(bytes(3 * 256))] * 6, {"tag_277": 3}),
        ([zlib.compress(bytes(512))] * 6, {"tag_258": 16}),
        # Four pixels share their colour, even if there is but one.
        ([zlib.compress(bytes(6))], {"tag_262": 6, "tag_277": 3, "tag_322": 1, "tag_323": 1}),
    ],
)
def test_what_cannot_be_judged_or_is_odd_but_sound_is_passed(streams, fields):
    assert check_tiff(tile(streams, **fields)) == []


def test_one_channel_of_several_may_not_hold_what_all_do():
    streams = [zlib.compress(bytes(3 * 256))] * 18
    assert kinds(tile(streams, tag_277=3, tag_284=2)) == ["damaged"]


def test_pieces_that_share_bytes_are_not_unpacked_over_and_over(monkeypatch):
    monkeypatch.setattr(tiff_streams, "measure_stream", lambda *_: pytest.fail("unpacked"))
    fields = {256: 1, 257: 1000, 278: 1, 258: 8, 262: 1, 259: 8}
    content = write_tiff(fields, [b"x\x9c" + bytes(100_000)], repeat=1000)
    assert check_tiff(content) == []


def split_tables(jpeg, markers=(b"\xff\xdb", b"\xff\xc4")):
    """Return the tables of a JPEG file by themselves, and the file without them."""
    tables, rest, place = b"", b"", 2
    while (marker := jpeg[place : place + 2]) != b"\xff\xda":
        end = place + 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if marker in markers:
            tables += jpeg[place:end]
        else:
            rest += jpeg[place:end]
        place = end
    return b"\xff\xd8" + tables + b"\xff\xd9", b"\xff\xd8" + rest + jpeg[place:]


@pytest.mark.parametrize("restart", [0, 1])
@pytest.mark.parametrize("shared", [False, True])
def test_jpeg_tiles_with_tables_of_their_own_or_shared_ones(shared, restart):
    whole = encode(draw_picture(16), restart_marker_blocks=restart)
    tables, abbreviated = split_tables(whole)
    fields = {"compression": 7} | ({"tag_347": tables} if shared else {})
    sound = abbreviated if shared else whole
    # Without its last marker it is decoded all the same.
    assert check_tiff(tile([sound[:-2], *[sound] * 5], **fields)) == []
    for broken in (sound[:-6], sound[:-2] + bytes(9) + sound[-2:], sound[:-9] + b"\xff\x23"):
        assert kinds(tile([*[sound] * 5, broken], **fields)) == ["damaged"]
    # A restart interval is forgotten where a piece begins.
    odd = tables[:-2] + b"\xff\xdd\0\4\0\1\xff\xd9"
    assert check_tiff(tile([sound[:-6]] * 6, compression=7, tag_347=odd)) == []


def test_a_jpeg_tile_without_huffman_tables_may_mean_those_of_another():
    # By itself libjpeg reads it with the tables of the standard, and meets what makes no sense.
    _, lacking = split_tables(encode(draw_picture(16), optimize=True), (b"\xff\xc4",))
    assert check_tiff(tile([lacking] * 6, compression=7)) == []


def test_a_jpeg_tile_of_many_scans_is_a_bomb():
    sound = encode(draw_picture(16), progressive=True)
    assert check_tiff(tile([sound] * 6, compression=7)) == []
    assert kinds(tile([*[sound] * 5, add_scans(sound, 101)], compression=7)) == ["bomb"]


def test_a_jpeg_that_claims_more_than_its_tile_is_left_to_the_decoder(monkeypatch):
    monkeypatch.setattr(tiff_streams, "check_jpeg_scan", lambda *_: pytest.fail("decoded"))
    assert check_tiff(tile([encode(COLOUR)] * 6, compression=7)) == []


def test_only_the_picture_that_is_decoded_is_looked_at():
    first, second = Image.fromarray(GREY), Image.fromarray(GREY[::-1])
    content = bytearray(
        encode(first, "TIFF", save_all=True, append_images=[second], compression=DEFLATE[0])
    )
    with Image.open(io.BytesIO(content)) as picture:
        (other,) = (picture.seek(1), picture.tag_v2[273])[1]
        picture.seek(0)
        (place,) = picture.tag_v2[273]
    content[other + 50] ^= 1
    assert check_tiff(bytes(content)) == []
    content[place + 50] ^= 1
    assert kinds(bytes(content)) == ["damaged"]


def test_a_field_that_cannot_be_read_leaves_all_to_the_decoder():
    content = tile([SOUND] * 6, tag_258=8)
    entry = struct.pack("<HHII", 258, 4, 1, 8)
    assert entry in content
    for kind, count, value in [(4, 9, 1 << 31), (2, 1, 8), (4, 0, 8)]:
        odd = content.replace(entry, struct.pack("<HHII", 258, kind, count, value))
        assert check_tiff(odd) == []
