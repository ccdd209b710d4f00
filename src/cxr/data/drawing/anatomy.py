"""A healthy chest as a picture of attenuation: drawing primitives, anatomy and layers.

The rules that keep the bits the same everywhere are in `cxr.data.drawing.radiographs`; this module
keeps them too. Lengths are fractions of the image's side in the patient's frame: ``across`` runs
from the midline to the image's right, ``down`` from the top. The film hangs as a radiologist sees
it, so the heart's side, the patient's left, is the image's right. Attenuation is 0 where the film
is black and about 1 where it is white.

The many literal numbers are the drawing itself: places, sizes and brightnesses found by eye. What
varies between patients has a name in `ANATOMY_RANGES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cxr.determinism.streams import Stream

Picture = NDArray[np.float64]
"""Shape (size_px, size_px), dtype float64: one value for each pixel, rows from the top."""

NUM_VESSELS: Final = 8
"""Vessels that leave each hilum."""

ANATOMY_RANGES: Final[dict[str, tuple[float, float]]] = {
    "body_half": (0.45, 0.50),
    "lung_top": (0.09, 0.14),
    "lung_half": (0.34, 0.40),
    "lung_round": (0.30, 0.40),
    "dome_top": (0.74, 0.81),
    "dome_drop": (0.01, 0.05),
    "dome_curve": (1.2, 2.0),
    "mediastinum_half": (0.050, 0.070),
    "heart_across": (0.055, 0.085),
    "heart_half": (0.125, 0.165),
    "heart_height": (0.15, 0.19),
    "heart_lean": (0.15, 0.45),
    "rib_gap": (0.075, 0.092),
    "rib_start": (0.00, 0.07),
    "rib_slope": (-0.10, 0.10),
    "rib_curve": (0.70, 1.10),
    "rib_front_slope": (0.45, 0.80),
    "rib_contrast": (0.06, 0.11),
    "clavicle_down": (0.17, 0.22),
    "clavicle_tilt": (-0.50, -0.25),
    "hilum_down": (0.40, 0.46),
    "vessel_turn": (-0.15, 0.15),
    "trachea_half": (0.020, 0.028),
    "trachea_shift": (-0.010, 0.015),
    "stomach_air": (-0.10, 0.20),
}
"""Lowest and highest value of every number that tells one patient's chest from another's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """One patient's chest; lengths in fractions of the side, slopes in down for each across."""

    body_half: float
    lung_top: float
    lung_half: float
    lung_round: float
    dome_top: float
    dome_drop: float
    dome_curve: float
    mediastinum_half: float
    heart_across: float
    heart_half: float
    heart_height: float
    heart_lean: float
    rib_gap: float
    rib_start: float
    rib_slope: float
    rib_curve: float
    rib_front_slope: float
    rib_contrast: float
    clavicle_down: float
    clavicle_tilt: float
    hilum_down: float
    vessel_turn: float
    trachea_half: float
    trachea_shift: float
    stomach_air: float

    @classmethod
    def draw(cls, stream: Stream) -> Anatomy:
        """Take one number for each range from ``stream``, in the order of the table."""
        return cls(**{name: between(stream, *ends) for name, ends in ANATOMY_RANGES.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where every pixel's centre lies in the patient's frame."""

    across: Picture
    down: Picture
    aside: Picture
    """Distance from the midline: the absolute value of ``across``."""
    is_left: Picture
    """1.0 on the patient's left, which is the image's right, else 0.0."""

    @classmethod
    def draw(cls, stream: Stream, size_px: int) -> Frame:
        """Take how the patient stands before the detector: place, size and lean."""
        shift_across, shift_down = between(stream, -0.03, 0.03), between(stream, -0.025, 0.025)
        scale, lean = between(stream, 0.93, 1.06), between(stream, -0.05, 0.05)
        centres = (np.arange(size_px, dtype=np.float64) + 0.5) / size_px - 0.5
        ones = np.ones((size_px, size_px), dtype=np.float64)
        down = ((centres - shift_down) / scale + 0.5)[:, None] * ones
        across = ((centres - shift_across) / scale)[None, :] + lean * (down - 0.5)
        is_left = (across > 0.0).astype(np.float64)
        return cls(across=across, down=down, aside=np.absolute(across), is_left=is_left)


def between(stream: Stream, low: float, high: float) -> float:
    """Take one number in [low, high) from ``stream``."""
    return low + (high - low) * stream.uniform()


def rise(value: Picture, low: Picture | float, high: Picture | float) -> Picture:
    """Return the cubic smoothstep: 0 up to ``low``, 1 from ``high``, soft between."""
    part = np.clip((value - low) / (high - low), 0.0, 1.0)
    return part * part * (3.0 - 2.0 * part)


def bump(distance: Picture, half_width: Picture | float) -> Picture:
    """Return the quartic bump: 1 at distance 0, 0 from ``half_width``, smooth between."""
    part = distance / half_width
    inside = np.maximum(1.0 - part * part, 0.0)
    return inside * inside


def toward(picture: Picture, target: float, opacity: Picture) -> Picture:
    """Return ``picture`` moved to ``target`` by the fraction ``opacity`` of the way."""
    return picture + opacity * (target - picture)


def ellipse(frame: Frame, across: float, down: float, half: float, height: float) -> Picture:
    """Return the squared radius about a centre: 1 on the ellipse with these two half axes."""
    part_across = (frame.across - across) / half
    part_down = (frame.down - down) / height
    return part_across * part_across + part_down * part_down


def value_noise(stream: Stream, size_px: int, cells: int) -> Picture:
    """Return smooth noise in [0, 1) that has ``cells`` lattice cells along a side.

    A lattice of random integers is blended by the smoothstep, first across and then down. The
    lattice does not depend on the picture's size, so every size shows the same field.
    """
    num_nodes = cells + 1
    words = stream.uint64_array(num_nodes * num_nodes) >> np.uint64(11)
    lattice = words.astype(np.float64).reshape(num_nodes, num_nodes) * 2.0**-53
    place = (np.arange(size_px, dtype=np.float64) + 0.5) * cells / size_px
    floor = np.floor(place)
    fade = rise(place - floor, 0.0, 1.0)
    cell = floor.astype(np.int64)
    rows = lattice[:, cell] + fade[None, :] * (lattice[:, cell + 1] - lattice[:, cell])
    blend: Picture = rows[cell, :] + fade[:, None] * (rows[cell + 1, :] - rows[cell, :])
    return blend


def grain(stream: Stream, size_px: int) -> Picture:
    """Return noise for each pixel by itself: in [-1, 1], mean 0, bell-shaped.

    A value is the sum of the four bytes of half a block. The bytes are added as integers, where
    no order of addition matters.
    """
    num = size_px * size_px
    words = stream.uint64_array((num + 1) // 2)
    # Adds the bytes of all four pairs at once, then the pairs of each half.
    pairs = (words & np.uint64(0x00FF00FF00FF00FF)) + (
        (words >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    )
    sums = (pairs + (pairs >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    halves = np.concatenate((sums & np.uint64(0xFFFF), sums >> np.uint64(32)))
    return (halves[:num].astype(np.float64) / 510.0 - 1.0).reshape(size_px, size_px)


def lung_edge(frame: Frame, anatomy: Anatomy) -> Picture:
    """Return the distance from the midline to the chest wall's inside at each pixel's height."""
    part = np.clip((frame.down - anatomy.lung_top) / anatomy.lung_round, 0.0, 1.0)
    # A quarter of an ellipse makes the apex, a straight and slightly opening wall the rest.
    curve = np.sqrt(part * (2.0 - part))
    return anatomy.lung_half * curve + 0.05 * (frame.down - 0.5)


def diaphragm(frame: Frame, anatomy: Anatomy) -> Picture:
    """Return the height of the diaphragm's dome at each pixel's distance from the midline."""
    top = anatomy.dome_top + anatomy.dome_drop * frame.is_left
    offset = frame.aside - 0.17
    # Steeper outside than inside, which makes the costophrenic angle.
    steep = np.where(offset > 0.0, anatomy.dome_curve * 1.9, anatomy.dome_curve)
    return top + steep * offset * offset


def lung_fields(frame: Frame, anatomy: Anatomy) -> Picture:
    """Return how much of each pixel is lung that no organ hides: 0 to 1 with soft edges."""
    inner = anatomy.mediastinum_half - 0.03 * bump(frame.down - 0.40, 0.2)
    margin = np.minimum(lung_edge(frame, anatomy) - frame.aside, frame.aside - inner)
    side = rise(margin, 0.0, 0.03)
    floor = rise(diaphragm(frame, anatomy) - frame.down, -0.006, 0.018)
    return side * floor


def heart(frame: Frame, anatomy: Anatomy) -> Picture:
    """Return how much of each pixel the heart and the great vessels cover: 0 to 1."""
    centre_down = anatomy.dome_top - 0.11
    leaning = anatomy.heart_across + anatomy.heart_lean * (frame.down - centre_down)
    part_across = (frame.across - leaning) / anatomy.heart_half
    part_down = (frame.down - centre_down) / anatomy.heart_height
    muscle = 1.0 - rise(part_across * part_across + part_down * part_down, 0.80, 1.12)
    knob = 1.0 - rise(ellipse(frame, 0.050, 0.31, 0.048, 0.055), 0.6, 1.1)
    atrium = 1.0 - rise(ellipse(frame, -0.045, centre_down + 0.03, 0.055, 0.11), 0.6, 1.1)
    return np.maximum(np.maximum(muscle, knob), atrium)


def ribs(frame: Frame, anatomy: Anatomy) -> Picture:
    """Return the ribs' brightness in [0, 1]: back halves as arcs, front halves fainter."""
    aside = frame.aside
    cage = rise(lung_edge(frame, anatomy) + 0.02 - aside, 0.0, 0.01)
    arc = anatomy.rib_slope * aside + anatomy.rib_curve * aside * aside
    # Upper ribs bend more than lower ones.
    back = frame.down - arc * (1.35 - 0.6 * frame.down) - anatomy.rib_start
    back_band = rib_band(back, anatomy.rib_gap, 0.021) * rise(aside, 0.03, 0.07)
    lateral = aside - 0.40
    front = frame.down + anatomy.rib_front_slope * lateral - 0.6 * lateral * lateral
    front_band = rib_band(front - anatomy.rib_start, anatomy.rib_gap * 1.12, 0.019)
    front_band = front_band * rise(aside, 0.13, 0.22) * rise(frame.down, 0.22, 0.34)
    wall = bump(aside - lung_edge(frame, anatomy) - 0.006, 0.022)
    height = rise(frame.down, 0.06, 0.12) * (1.0 - rise(frame.down, 0.86, 0.98))
    return (np.maximum(back_band, 0.55 * front_band) * cage + 0.5 * wall) * height


def rib_band(height: Picture, gap: float, half_width: float) -> Picture:
    """Return bands that repeat every ``gap``, with the bright rims that bone's shell makes."""
    part = height / gap
    distance = np.absolute(part - np.floor(part) - 0.5) * gap
    body = 1.0 - rise(distance, half_width * 0.75, half_width * 1.05)
    return 0.7 * body + 0.3 * bump(distance - half_width * 0.8, half_width * 0.35)


def clavicles(frame: Frame, anatomy: Anatomy) -> Picture:
    """Return the collar bones' brightness in [0, 1]."""
    outward = frame.aside - 0.05
    course = anatomy.clavicle_down + anatomy.clavicle_tilt * outward + 0.55 * outward * outward
    thick = 0.016 + 0.012 * bump(outward, 0.12)
    bone = 1.0 - rise(np.absolute(frame.down - course), thick * 0.6, thick * 1.1)
    return bone * rise(outward, -0.02, 0.0) * (1.0 - rise(outward, 0.34, 0.40))


def vessels(frame: Frame, anatomy: Anatomy) -> Picture:
    """Return the brightness in [0, 1] of the hila and of the vessels that leave them."""
    total = 0.8 * bump(np.sqrt(hilum_radius(frame, anatomy)), 1.0)
    outward = frame.aside - 0.07
    ahead = rise(outward, 0.0, 0.02)
    for index in range(NUM_VESSELS):
        slope = -2.1 + 4.6 * index / (NUM_VESSELS - 1) + anatomy.vessel_turn
        length = 0.30 + 0.03 * (index % 3)
        run = 1.0 + slope * slope
        # The two sides are no mirror images: the left ones start higher and bend otherwise.
        bend = 0.9 * (0.5 - frame.is_left) * (1.0 if index % 2 else -1.0)
        course = anatomy.hilum_down - 0.02 * frame.is_left + slope * outward
        distance = (frame.down - course - bend * outward * outward) / run**0.5
        left_over = np.clip(1.0 - outward * run**0.5 / length, 0.0, 1.0)
        total = np.maximum(total, bump(distance, 0.004 + 0.012 * left_over) * left_over * ahead)
    return total


def hilum_radius(frame: Frame, anatomy: Anatomy) -> Picture:
    """Return the squared radius about the nearer hilum: 1 on its edge."""
    part_across = (frame.aside - 0.095) / 0.055
    part_down = (frame.down - anatomy.hilum_down + 0.02 * frame.is_left) / 0.085
    return part_across * part_across + part_down * part_down


def healthy_chest(frame: Frame, anatomy: Anatomy) -> Picture:
    """Return the attenuation of a chest without disease, without noise."""
    lungs = lung_fields(frame, anatomy)
    level = soft_tissue(frame, anatomy)
    # Less lung lies over the chest wall's curve than in the middle of the field.
    depth = rise(lung_edge(frame, anatomy) - frame.aside, 0.0, 0.16)
    level = level - lungs * (0.26 + 0.14 * depth)
    level = level + 0.12 * lungs * vessels(frame, anatomy)
    level = mediastinum(frame, anatomy, level)
    level = toward(level, 0.80, 0.85 * heart(frame, anatomy))
    belly = rise(frame.down - diaphragm(frame, anatomy), -0.004, 0.02)
    inside = rise(lung_edge(frame, anatomy) - frame.aside, -0.02, 0.04)
    level = toward(level, 0.76, 0.8 * belly * inside)
    bubble = 1.0 - rise(ellipse(frame, 0.20, anatomy.dome_top + 0.13, 0.075, 0.05), 0.4, 1.0)
    level = level - max(anatomy.stomach_air, 0.0) * bubble
    level = level + anatomy.rib_contrast * ribs(frame, anatomy)
    return level + 0.11 * clavicles(frame, anatomy)


def soft_tissue(frame: Frame, anatomy: Anatomy) -> Picture:
    """Return the attenuation of the body's outline, filled with muscle and fat."""
    shoulder = rise(frame.down, -0.06, 0.17)
    half = 0.15 + (anatomy.body_half + 0.05 - 0.15) * shoulder
    half = half - 0.05 * rise(frame.down, 0.22, 0.5)
    part = frame.aside / half
    # A body is about as thick as an ellipse is, so it pales toward its outline.
    thickness = np.sqrt(np.maximum(1.0 - part * part, 0.0))
    body = rise(half - frame.aside, 0.0, 0.012)
    arms = 0.10 * rise(frame.aside, 0.33, 0.42) * bump(frame.down - 0.16, 0.2)
    return body * (0.36 + 0.24 * thickness + arms) + 0.03


def mediastinum(frame: Frame, anatomy: Anatomy, level: Picture) -> Picture:
    """Return ``level`` with the middle drawn in: soft tissue, spine and windpipe."""
    aside = frame.aside
    band = 1.0 - rise(aside, anatomy.mediastinum_half * 0.7, anatomy.mediastinum_half * 1.35)
    level = toward(level, 0.68, 0.9 * band * rise(frame.down, -0.05, 0.12))
    part = frame.down / 0.058
    vertebra = bump(part - np.floor(part) - 0.5, 0.48) * (1.0 - rise(aside, 0.03, 0.045))
    level = level + 0.05 * vertebra
    pipe = 1.0 - rise(
        np.absolute(frame.across - anatomy.trachea_shift),
        anatomy.trachea_half * 0.5,
        anatomy.trachea_half * 1.2,
    )
    return level - 0.15 * pipe * (1.0 - rise(frame.down, 0.28, 0.38))
