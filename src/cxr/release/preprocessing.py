"""``preprocessing.json``: how an image becomes the model's input, for somebody without cxr."""

from __future__ import annotations

from typing import Any, Final

from cxr.config.data_section import DataConfig
from cxr.release.layout import PREPROCESSING_SCHEMA

_FILTERS: Final = {
    "bilinear": "the triangle filter (support 1)",
    "bicubic": "the cubic filter with a = -0.5 (support 2)",
}


def describe_preprocessing(data: DataConfig) -> dict[str, Any]:
    """Return every step from a file's bytes to the tensor, in words and numbers.

    Args:
        data: The run's data section.
    """
    size, mode = data.image_size, "L" if data.channels == 1 else "RGB"
    return {
        "schema": PREPROCESSING_SCHEMA,
        "input": _describe_input(data),
        "steps": [
            *_describe_window(data),
            {
                "step": "turn",
                "words": "turn and mirror the picture as its EXIF orientation says",
            },
            {
                "step": "convert",
                "words": f"convert it to Pillow's mode {mode}",
                "mode": mode,
                "grey_weights_of_65536": [19595, 38470, 7471] if mode == "L" else None,
            },
            {
                "step": "resize",
                "words": f"resize it to {size} x {size} px, without keeping its proportions, as "
                f"Pillow's Image.resize does: {_FILTERS[data.resample]}, widened where the picture "
                "gets smaller; 22-bit fixed point; each of the two passes rounded to 8 bits",
                "width_px": size,
                "height_px": size,
                "filter": data.resample,
                "skipped_at_this_size": True,
            },
            {
                "step": "normalise",
                "words": "replace each byte v by (v / 255 - mean) / std, computed in float64 and "
                "rounded once to float32",
                "mean": data.mean,
                "std": data.std,
            },
            {
                "step": "arrange",
                "words": "arrange as batch, channels, height, width: transposed from channels "
                "last, and copied only where that is not contiguous, as NumPy's "
                "ascontiguousarray does",
                "shape": [None, data.channels, size, size],
                "dtype": "float32",
            },
        ],
    }


def _describe_input(data: DataConfig) -> str:
    if data.source == "synthetic":
        return "drawn vectors of 28 x 28 values, as pictures of 8-bit grey; no file is read"
    if data.source == "npz":
        return "pictures of 8-bit grey or RGB in an npz file, each as Pillow's Image.fromarray"
    return "JPEG, PNG, BMP or TIFF of 8-bit grey or RGB, one frame, no transparency; or DICOM"


def _describe_window(data: DataConfig) -> list[dict[str, Any]]:
    """Return the step that makes more than 8 bits into 8, where the recipe declares one."""
    window = data.window
    if window.kind == "none":
        return []
    words = {
        "file": "the first window that the DICOM file names",
        "range": f"the window from {window.low} to {window.high}, of DICOM after the rescale slope",
        "percentile": f"from percentile {window.low} to {window.high} of the image's own pixels "
        "(nearest rank)",
    }[window.kind]
    return [
        {
            "step": "window",
            "words": f"where values have more than 8 bits, map them to 0 to 255 through {words}; "
            "values outside become 0 and 255, and black is air whatever the file calls it",
            "kind": window.kind,
            "low": window.low,
            "high": window.high,
        }
    ]
