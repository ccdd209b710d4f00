from __future__ import annotations

import pytest
from PIL import Image, ImageFile

from cxr.environment import canaries
from cxr.environment.canaries import EXPECTED, find_changed_canaries, read_canaries


def test_every_canary_decodes_to_the_expected_pixels():
    found = read_canaries()
    assert found == EXPECTED
    assert find_changed_canaries(found) == []


def test_every_canary_is_an_image_of_its_own():
    assert canaries._FILES.keys() == EXPECTED.keys()
    assert len(set(EXPECTED.values())) == len(EXPECTED)


def brighten(image):
    """Return pixels that differ by one step in one place."""
    changed = image.copy()
    first = changed.getpixel((0, 0))
    one = (first[0] ^ 1, *first[1:]) if isinstance(first, tuple) else first ^ 1
    changed.putpixel((0, 0), one)
    return changed


def test_a_resize_that_gives_other_pixels_is_noticed_in_every_canary(monkeypatch):
    resize = Image.Image.resize
    monkeypatch.setattr(
        Image.Image, "resize", lambda self, *given, **more: brighten(resize(self, *given, **more))
    )
    assert find_changed_canaries(read_canaries()) == list(EXPECTED)


def test_a_decoder_that_gives_other_pixels_is_noticed_in_its_canaries(monkeypatch):
    load = ImageFile.ImageFile.load

    def load_otherwise(self):
        loaded = load(self)
        if self.format == "JPEG" and not self.info.get("spoiled"):
            self.info["spoiled"] = True
            self.im.putpixel((0, 0), brighten(self).getpixel((0, 0)))
        return loaded

    monkeypatch.setattr(ImageFile.ImageFile, "load", load_otherwise)
    changed = find_changed_canaries(read_canaries())
    assert changed == ["jpeg_grey", "jpeg_colour_420", "jpeg_progressive"]


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_a_canary_that_cannot_be_decoded_is_named_by_its_error(monkeypatch, error):
    def fail(_file):
        raise error("no decoder")

    monkeypatch.setattr(Image, "open", fail)
    found = read_canaries()
    assert found == dict.fromkeys(EXPECTED, error.__name__)
    assert find_changed_canaries(found) == list(EXPECTED)


def test_a_canary_that_is_missing_counts_as_changed():
    found = {name: digest for name, digest in EXPECTED.items() if name != "png_grey"}
    assert find_changed_canaries(found) == ["png_grey"]
