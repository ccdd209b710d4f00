from __future__ import annotations

import itertools

import pytest
from PIL import Image

from cxr.environment.resizing import draw_picture, read_resizing

HERE = {
    "tall": "sha256:4ccfb579b3161da9b16c053ad33d30160b23cf6cf770073f035d6cf7cc2e96b9",
    "wide": "sha256:548e3c2178756bb7c3f7b4a690e4a2fc7b85eddeb3d618cc0f7363ecd9433233",
}


def test_pictures_of_uneven_proportions_are_resized_as_this_stack_does_it():
    assert read_resizing() == HERE


@pytest.mark.parametrize(("order", "changed"), [("width first", "tall"), ("height first", "wide")])
def test_another_order_of_the_two_passes_is_seen(monkeypatch, order, changed):
    resize = Image.Image.resize

    def resize_in_order(self, size, resample):
        between = (size[0], self.height) if order == "width first" else (self.width, size[1])
        return resize(resize(self, between, resample), size, resample)

    monkeypatch.setattr(Image.Image, "resize", resize_in_order)
    assert read_resizing()[changed] != HERE[changed]


def test_neighbouring_values_differ_so_that_rounding_between_passes_shows():
    row = draw_picture(24, 160)[:24]
    assert sum(abs(first - second) > 8 for first, second in itertools.pairwise(row)) > 16
