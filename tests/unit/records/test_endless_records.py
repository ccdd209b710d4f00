"""Whoever opens a record directly is kept from waiting for it too, not only `cxr verify`."""

from __future__ import annotations

import pytest

from cxr.config.strict_yaml import load_document
from cxr.digests.files import digest_file
from cxr.digests.weights_file import digest_weights_file
from cxr.errors import CxrError
from cxr.models.weights import load_tensors
from cxr.records.epoch_figures import read_epoch_lines
from cxr.records.ledger import read_ledger
from cxr.records.predictions import load_predictions
from cxr.records.run_directory import LEDGER, METRICS, TENSORS
from cxr.records.tensor_digests import read_tensor_digests
from support.endless import ENDLESS, must_end


@pytest.mark.parametrize("put", ENDLESS)
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("file", digest_file),
        ("file", digest_weights_file),
        ("file", load_document),
        ("file", load_predictions),
        ("file", load_tensors),
        (LEDGER, lambda path: list(read_ledger(path.parent))),
        (METRICS, lambda path: read_epoch_lines(path.parent)),
    ],
)
def test_what_never_ends_is_refused(tmp_path, name, read, put):
    put(tmp_path / name)
    with must_end(), pytest.raises((OSError, CxrError)):
        read(tmp_path / name)


@pytest.mark.parametrize("put", ENDLESS)
def test_digests_of_tensors_that_never_end_are_none(tmp_path, put):
    put(tmp_path / TENSORS)
    with must_end():
        assert read_tensor_digests(tmp_path, 0) is None
