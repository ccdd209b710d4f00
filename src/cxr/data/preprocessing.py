"""What a run does with an image before the model sees it, said so that it can be held against.

A run records the fields of its preprocessing and the tensors that they made, on the machine that
trained, of a few bundled pictures. Whoever predicts makes these tensors again, through the very
functions that training calls: only then is an image prepared as the model knows it.

Versions of decoders are recorded beside that. They say why tensors differ, and not whether.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cxr.config.data_section import DataConfig
from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.window import derive_window
from cxr.digests.canonical import canonical_json, digest_bytes, digest_json
from cxr.environment.canaries import read_canary_files
from cxr.environment.resizing import draw_picture
from cxr.errors import DataError, PreprocessingError
from cxr.records.manifest import Manifest

FIELD: Final = "preprocessing"
DIGEST: Final = "preprocessing_digest"
"""Their names in a manifest."""

_TENSORS: Final = "tensors"
_DECODERS: Final = "decoders"
_REFUSED: Final = "refused"

_TALL_PX: Final = (16, 2048)

# 17 x 13 grey values of 16 bits, from 0 to 65,535: what a declared window makes of them.
_DEEP_PICTURE: Final = (
    "iBL{Q4GJ0x0000DNk~Le0000H0000D5C8xG06KyOg#Z8mw@E}nRCwBrkRcAjKoCXe&vr{v(~#7xsp%Dv+yTiAH~^9hU@!"
    "<U7z_pjl6$OaLNJ(`hJ@XurlN=@ZJI4m|MK6PA)>0ni)VZlW3d$4n|M2~kaKzSmA~@uqbZ{j3q0^dMmgRnP=X*4AVdU(7"
    "zslotr0W`Hwd=~br5HToRtA0NCf;JL5PSIVosPeQW_?r3^_T7J)6r9kv*CdV*YlK-J3(*(vwRi$ZUIB+Sl2&-E?z5b<KY"
    "Q;&5^W00000NkvXXu0mjf"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPreprocessing:
    """What came of holding the preprocessing here against that of a run.

    Attributes:
        digest: The digest that both have; None where the run is from before it was recorded.
        other_decoders: A line for each decoder of another version, though its tensors are equal.
    """

    digest: str | None
    other_decoders: tuple[str, ...] = ()


def derive_decode_plan(config: DataConfig) -> DecodePlan:
    """Return how the data section says that images are decoded."""
    return DecodePlan(
        size_px=config.image_size,
        channels=config.channels,
        resample=config.resample,
        window=derive_window(config.window),
    )


def record_preprocessing(config: DataConfig) -> dict[str, Any]:
    """Return what a manifest says of preprocessing; nothing of vectors, which are drawn as such."""
    if config.source == "synthetic":
        return {}
    described = describe_preprocessing(config)
    return {FIELD: described, DIGEST: digest_preprocessing(described)}


def describe_preprocessing(config: DataConfig) -> dict[str, Any]:
    """Return what becomes of an image on its way to the model, here and by this config.

    Returns:
        The fields of `describe_fields`; ``tensors``: by bundled picture, ``sha256:<hex>`` of the
        float32 tensor that is made of it, or ``refused``; ``decoders``: versions by name.
    """
    # Here: whoever only reads a record asks no decoder.
    from cxr.data.caches.looked_with import find_decoder_versions

    return {
        **describe_fields(config),
        _TENSORS: _digest_tensors(config),
        _DECODERS: find_decoder_versions(),
    }


def describe_fields(config: DataConfig) -> dict[str, Any]:
    """Return the fields that say what becomes of an image, without looking at any.

    An image is decoded, turned upright, converted to ``channels`` and resized to ``size_px`` by
    ``resample``; a value v of 0 to 255 becomes ``(v / 255 - mean) / std``. ``window`` is the one
    that makes 8 bits of more, or None.
    """
    return {"window": None, **derive_decode_plan(config).describe()} | {
        "mean": config.mean,
        "std": config.std,
    }


def digest_preprocessing(described: Mapping[str, Any]) -> str:
    """Return the digest of fields and tensors; versions of decoders are no part of it."""
    return digest_json({name: described[name] for name in described if name != _DECODERS})


def require_same_preprocessing(manifest: Manifest, config: DataConfig) -> CheckedPreprocessing:
    """Make the tensors of the bundled pictures here, and hold them against those of a run.

    Args:
        manifest: The run's.
        config: The data section that images would be prepared by here.

    Raises:
        PreprocessingError: A field or a tensor is not that of the run; all of them are named.
    """
    if FIELD not in manifest:
        return CheckedPreprocessing(digest=None)
    recorded, found = manifest[FIELD], describe_preprocessing(config)
    if not isinstance(recorded, dict):
        recorded = {}
    then, here = recorded.get(_DECODERS), found[_DECODERS]
    decoders = _compare(then if isinstance(then, dict) else {}, here)
    digest = digest_preprocessing(found)
    if digest == manifest.get(DIGEST) == digest_preprocessing(recorded):
        return CheckedPreprocessing(digest=digest, other_decoders=tuple(decoders))
    raise _refuse(recorded, found, decoders)


def _refuse(
    recorded: Mapping[str, Any], found: Mapping[str, Any], decoders: list[str]
) -> PreprocessingError:
    """Name the fields that differ; where none does, the pictures whose tensors do."""
    tensors = recorded.get(_TENSORS)
    then = tensors if isinstance(tensors, dict) else {}
    if fields := _compare(_leave_fields(recorded), _leave_fields(found)):
        return PreprocessingError(
            "the config's preprocessing is not that of the run",
            where="\n         ".join(fields),
            hint="the run was edited: restore it; cxr verify says more",
        )
    changed = [name for name, digest in found[_TENSORS].items() if then.get(name) != digest]
    if changed or then.keys() != found[_TENSORS].keys():
        names = ", ".join(changed or sorted(then.keys() ^ found[_TENSORS].keys()))
        return PreprocessingError(
            "images become other tensors here than those that the run was trained on",
            where="\n         ".join([f"canary {names}", *decoders]),
            hint="install the decoders of the run; cxr env verify RUN says what differs",
        )
    return PreprocessingError(
        "the digest of the run's preprocessing is not that of what it recorded",
        where=DIGEST,
        hint="the run was edited: restore it; cxr verify says more",
    )


def _leave_fields(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is neither a tensor's digest nor a decoder's version."""
    parts = (_TENSORS, _DECODERS)
    return {name: value for name, value in described.items() if name not in parts}


def _compare(then: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Return a line for each name whose values differ."""
    return [
        f"{name}: {_show(then, name)} in the run, {_show(here, name)} here"
        for name in sorted({*then, *here})
        if name not in then or name not in here or then[name] != here[name]
    ]


def _show(values: Mapping[str, Any], name: str) -> str:
    return str(values[name]) if name in values else "not said"


def _digest_tensors(config: DataConfig) -> dict[str, str]:
    from cxr.data.normalise import derive_pixel_table

    plan, table = derive_decode_plan(config), derive_pixel_table(config.mean, config.std)
    files = {
        **read_canary_files(),
        "png_grey_16_bit": base64.b85decode(_DEEP_PICTURE),
        "png_tall": _draw_tall_picture(),
    }
    return {name: _digest_tensor(content, plan, table) for name, content in files.items()}


def _draw_tall_picture() -> bytes:
    """Return a PNG of which resizing tells its two passes apart, whatever a model's size."""
    from PIL import Image

    content = io.BytesIO()
    Image.frombytes("L", _TALL_PX, draw_picture(*_TALL_PX)).save(content, format="PNG")
    return content.getvalue()


def _digest_tensor(content: bytes, plan: DecodePlan, table: Any) -> str:
    """Return the digest of the tensor that the model would be given of a picture.

    Args:
        content: The bytes of the file.
        plan: How it is decoded.
        table: See `derive_pixel_table`.
    """
    from cxr.data.normalise import normalise_images

    try:
        pixels = decode_image(content, plan, where="a canary")
    except DataError:
        return _REFUSED
    tensor = normalise_images(pixels[None], table)
    head = canonical_json([tensor.dtype.str, list(tensor.shape)]) + b"\n"
    return digest_bytes(head + tensor.tobytes())
