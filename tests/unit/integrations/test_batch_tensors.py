from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cxr.digests.tensors import digest_value
from cxr.integrations.batch_tensors import digest_batch


@dataclass
class Pair:
    image: torch.Tensor
    note: str


def test_each_tensor_has_its_place_as_a_name():
    image, label = torch.rand(3, 2), torch.tensor([1, 0, 1])
    batch = {"x": [image, (label, "front")], "pair": Pair(image, "a"), "n": np.arange(3)}
    found = digest_batch(batch)
    assert list(found.digests) == ["x.0", "x.1.0", "x.1.1", "pair.image", "pair.note", "n"]
    assert found.digests["x.0"] == digest_value(image)
    assert (found.size, found.unknown) == (3, ())


def test_a_tensor_alone_is_the_batch():
    assert list(digest_batch(torch.zeros(4, 2)).digests) == ["batch"]
    assert digest_batch(torch.zeros(4, 2)).size == 4


def test_one_bit_is_another_digest():
    a, b = torch.zeros(2), torch.tensor([0.0, -0.0])
    assert digest_batch({"x": a}).digests != digest_batch({"x": b}).digests


def test_what_cannot_be_digested_is_named():
    found = digest_batch({"x": torch.zeros(()), "graph": object(), "scale": float("nan")})
    assert (list(found.digests), found.size, found.unknown) == (["x"], None, ("object", "float"))
