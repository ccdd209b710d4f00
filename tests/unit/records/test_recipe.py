from __future__ import annotations

import json

from cxr.config.fields import digest_config
from cxr.config.schema import RunConfig
from cxr.digests.canonical import digest_json
from cxr.environment.code import digest_code
from cxr.records.data_lock import DataLock
from cxr.records.recipe import derive_recipe, digest_recipe

TREE = {
    "seed": 7,
    "threads": 1,
    "determinism": "warn",
    "data": {"source": "synthetic", "image_size": 28},
    "model": {"name": "mlp"},
    "train": {"epochs": 1, "batch_size": 4},
}
LOCK = DataLock(classes=("a", "b"), samples=())


def build(**changes):
    return RunConfig.model_validate_json(json.dumps({**TREE, **changes}))


def test_a_recipe_is_every_digest_that_goes_in_with_seed_and_level():
    config = build()
    recipe = derive_recipe(config, LOCK, "sha256:weights")
    assert recipe == {
        "config_digest": digest_config(config),
        "data_digest": LOCK.digest,
        "code_digest": digest_code(),
        "weights_in": "sha256:weights",
        "seed": 7,
        "determinism": "warn",
    }
    assert type(recipe["determinism"]) is str
    assert digest_recipe(recipe) == digest_json(recipe)


def test_a_recipe_sees_config_data_and_weights_and_not_the_workers():
    recipes = [
        derive_recipe(build(), LOCK, None),
        derive_recipe(build(seed=8), LOCK, None),
        derive_recipe(build(threads=2), LOCK, None),
        derive_recipe(build(), DataLock(classes=("b", "a"), samples=()), None),
        derive_recipe(build(), LOCK, "sha256:weights"),
    ]
    assert len({digest_recipe(recipe) for recipe in recipes}) == len(recipes)
    same = derive_recipe(build(workers=4, name="other"), LOCK, None)
    assert digest_recipe(same) == digest_recipe(recipes[0])
