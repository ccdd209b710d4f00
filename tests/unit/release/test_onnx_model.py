"""``model.onnx`` has the preprocessing inside, and is refused where it computes something else."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from cxr.errors import WeightsError
from cxr.release import onnx_model
from cxr.release.exported_network import load_exported
from cxr.release.onnx_agreement import measure_onnx


def write_and_measure(model):
    loaded = load_exported(model.directory, model.config, model.weights_digest)
    described = onnx_model.write_onnx(model.directory, loaded)
    order = described["vertical_pass_first"]
    measured = measure_onnx(
        model.directory, loaded, model.dataset, model.split, vertical_pass_first=order
    )
    return described, measured


def test_a_transformer_on_colours_agrees_and_keeps_no_word_of_its_sources(make_model):
    model = make_model(
        model__name="test_vit",
        data__channels=3,
        data__image_size=48,
        data__resample="bicubic",
        train__loss="bce",
    )
    described, measured = write_and_measure(model)
    assert measured.agreement.num_images == 8
    assert measured.agreement.largest_difference < 1e-5
    assert described["input"]["shape"] == ["height", "width", 3]
    path = model.directory / "model.onnx"
    graph = onnx.load(path)
    onnx.checker.check_model(graph)
    assert [one.version for one in graph.opset_import] == [described["opset"]]
    assert b".py" not in path.read_bytes()
    session = onnxruntime.InferenceSession(path)
    for height, width in [(5, 90), (90, 5)]:
        picture = np.full((height, width, 3), 77, dtype=np.uint8)
        assert session.run(None, {"image": picture})[0].shape == (1, 2)


def test_a_graph_without_the_normalisation_is_refused(make_model, monkeypatch):
    model = make_model()
    plain = np.arange(256, dtype=np.float32)
    monkeypatch.setattr(onnx_model, "derive_pixel_table", lambda *_: plain)
    with pytest.raises(WeightsError, match=r"a logit of model.onnx differs from torch's by"):
        write_and_measure(model)
