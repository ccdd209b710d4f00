from __future__ import annotations

import torch

from cxr.determinism.portable.ops.padding import REPLACED


def test_gradients_that_meet_are_added_in_one_order():
    # Place 1 is met by itself, by what is mirrored before it, and by what is mirrored after it.
    large = 2.0**24
    grad = torch.tensor([[[1.0, 0.0, large, 0.0, -large]]])
    fold = REPLACED["aten.reflection_pad1d_backward.default"]
    # (2^24 + 1) - 2^24 is 0 in float32, and (2^24 - 2^24) + 1 would be 1.
    assert fold(grad, torch.zeros(1, 1, 3), [1, 1]).tolist() == [[[0.0, 0.0, 0.0]]]
    fold = REPLACED["aten.replication_pad1d_backward.default"]
    grad = torch.tensor([[[1.0, large, -large, 1.0, 1.0]]])
    # Those before are added first, as a tree: (1 - 2^24) + 2^24 is 1.
    assert fold(grad, torch.zeros(1, 1, 2), [3, 0]).tolist() == [[[2.0, 1.0]]]
