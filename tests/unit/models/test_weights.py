from __future__ import annotations

import torch

from cxr.digests.tensors import digest_weights
from cxr.models.weights import load_tensors, write_tensors


def test_tied_weights_are_each_written_whole(tmp_path):
    first, last = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    last.weight = first.weight
    network = torch.nn.Sequential(first, last)
    write_tensors(tmp_path / "w.safetensors", network.state_dict(), kind="weights")
    found = load_tensors(tmp_path / "w.safetensors")
    assert digest_weights(found) == digest_weights(network.state_dict())
    assert found.keys() == {"0.weight", "0.bias", "1.weight", "1.bias"}
