from __future__ import annotations

import json
import sys

import pytest

from cxr.compare.diff import require_known
from cxr.compare.figure_pairs import pair_figures
from cxr.errors import UsageError


def test_a_figure_that_one_record_lacks_is_undefined_there():
    pairs = pair_figures({"a": 0.5, "b": None}, {"a": 0.75, "b": 1.0}, ["b", "a", "c"])
    assert list(pairs) == ["b", "a", "c"]
    assert pairs["a"] == {"a": 0.5, "b": 0.75, "difference": 0.25}
    assert pairs["b"]["difference"] is None
    assert set(pairs["c"].values()) == {None}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_difference_that_no_float_holds_is_still_json(sign):
    pairs = pair_figures({"x": -1e308 * sign}, {"x": 1e308 * sign}, ["x"])
    assert pairs["x"]["difference"] == sign * sys.float_info.max
    json.dumps(pairs, allow_nan=False)


def test_where_no_figure_has_a_name_of_ours_others_are_named():
    with pytest.raises(UsageError) as caught:
        require_known(["train_acc", "epoch\x1b[31m"], {"zzz": 1.0})
    assert caught.value.hint.startswith(r"choose from train_acc, epoch\x1b[31m; cxr diff")
