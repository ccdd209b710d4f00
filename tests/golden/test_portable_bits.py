"""Bits that must be the same on every machine, because integers alone make them.

They are an interface: a change here is a "Bits" entry of the change log, with the reason.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from cxr.config.data_section import SyntheticConfig
from cxr.config.load import load_config
from cxr.config.schema import AugmentConfig
from cxr.data.normalise import derive_pixel_table
from cxr.data.order import derive_epoch_batches
from cxr.data.sources.vectors import draw_vectors
from cxr.data.splits import SplitPlan, derive_splits
from cxr.determinism.streams import derive_key, derive_seed, derive_stream
from cxr.digests.canonical import digest_bytes
from cxr.records.ledger import CHAIN_START, digest_part, extend_chain
from cxr.training.augment import augment_images

GOLDEN = json.loads(Path(__file__).with_name("portable_bits.json").read_text(encoding="utf-8"))
CONFIGS = Path(__file__).parents[2] / "configs"


def digest_array(array: np.ndarray) -> str:
    return digest_bytes(np.ascontiguousarray(array).tobytes())


def compute_bits() -> dict[str, object]:
    """Return every value of the golden file; ``python -m golden.test_portable_bits`` prints it."""
    pixels = derive_stream(3, "order", 0).uint64_array(4 * 32 * 32).astype(np.uint8)
    augmented = augment_images(
        pixels.reshape(4, 32, 32, 1),
        derive_pixel_table(0.5, 0.25),
        AugmentConfig(flip=True, pad=4, zoom=0.2, brightness=0.1, contrast=0.2),
        seed=42,
        epoch=1,
        indices=np.arange(4),
    )
    lock, vectors = draw_vectors(SyntheticConfig(seed=0, train=100, val=10, test=10))
    return {
        "key": list(derive_key(42, "augment", 3, 17)),
        "init seed": derive_seed(42, "init"),
        "step seed": derive_seed(42, "step", 7),
        "order": digest_array(derive_epoch_batches(42, 2, num_samples=1000, batch_size=32)),
        "held out": [
            group
            for group, split in derive_splits(
                {f"person{number}_virus": ["PNEUMONIA"] for number in range(40)},
                SplitPlan(split_seed=0, val=0.15),
            ).items()
            if split == "val"
        ],
        "augmented": digest_array(augmented),
        "vectors": digest_array(vectors),
        "vectors lock": lock.digest,
        "chain": extend_chain(
            CHAIN_START,
            {"step": 0, "epoch": 0, "loss": digest_part({"loss": bytes(range(16))})},
        ),
    }


def test_integer_streams_and_what_is_made_of_them_keep_their_bits() -> None:
    assert compute_bits() == GOLDEN["bits"]


def test_config_digests_keep_their_values() -> None:
    from cxr.config.fields import digest_config

    found = {
        path.name: digest_config(load_config(path, ["data.root=x"]))
        for path in sorted(CONFIGS.glob("kermany_*.yaml"))
        if path.name != "kermany_base.yaml"
    }
    found["synthetic_mlp.yaml"] = digest_config(load_config(CONFIGS / "synthetic_mlp.yaml"))
    found["sample.yaml"] = digest_config(load_config(CONFIGS / "sample.yaml"))
    assert found == GOLDEN["configs"]


if __name__ == "__main__":
    print(json.dumps(compute_bits(), indent=2))  # noqa: T201 - to look at, never to copy blindly
