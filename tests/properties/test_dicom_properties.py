"""Whatever stands in a file, it is a picture or an error of cxr, never one of a library."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from cxr.data.checks.kinds import KINDS
from cxr.data.inspection.inspect_file import inspect_file
from support.dicoms import draw_values, make_dicom, write_dicom

WHOLE = write_dicom(
    make_dicom(draw_values(low=0, high=4095, side_px=8), WindowCenter="9", WindowWidth="9")
)
# The length of the first element of all, which pydicom reads before anything else.
FIRST_LENGTH = 138

CHANGES = st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8)


@given(CHANGES, st.integers(0, len(WHOLE)))
@example([(FIRST_LENGTH, 6)], len(WHOLE))
@example([], 140)
def test_a_damaged_file_is_named_and_never_a_crash(changes, size):
    content = bytearray(WHOLE)
    for place, value in changes:
        content[place] = value
    seen = inspect_file(bytes(content[:size]), name="a.dcm")
    assert seen.findings
    assert {kind for kind, _ in seen.findings} <= KINDS.keys()
