"""Letting a trained model leave: exported so that timm or an ONNX runtime loads it without cxr."""
