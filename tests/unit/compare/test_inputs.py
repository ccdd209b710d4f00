from __future__ import annotations

import re

import pytest

from cxr.compare.inputs import find_differences
from cxr.errors import RecordError
from cxr.records.manifest import load_manifest
from cxr.records.run_directory import DATA_LOCK, ENVIRONMENT


def compare(a, b):
    found = find_differences(a, b, load_manifest(a), load_manifest(b))
    return [(one.part, one.field, one.a, one.b, one.affects_bits) for one in found]


def test_equal_inputs_have_no_differences(make_run):
    assert compare(make_run(), make_run()) == []


@pytest.mark.parametrize(
    ("field", "a", "b", "affects"),
    [
        ("seed", 1, 2, "yes"),
        ("train.lr", 0.001, 0.01, "yes"),
        ("train.augment.flip", False, True, "yes"),
        ("model.hidden", [128], [64, 64], "no"),
        ("train.momentum", 0.9, 0.5, "no"),
        ("train.betas", [0.9, 0.999], [0.8, 0.99], "yes"),
        ("threads", 1, 4, "yes"),
        ("evaluate.batch_size", 64, 8, "yes"),
        ("fill_memory", False, True, "yes"),
        ("name", "fabricated", "other", "no"),
        ("workers", 0, 4, "no"),
        ("train.checkpoint_every", 1, 2, "no"),
    ],
)
def test_a_field_is_named_once_with_both_values_and_its_effect(make_run, field, a, b, affects):
    one, two = make_run(), make_run(config={field: b})
    assert compare(one, two) == [("config", field, a, b, affects)]
    assert compare(two, one) == [("config", field, b, a, affects)]


def test_paths_are_no_difference(make_run):
    moved = {"data.root": "/elsewhere", "data.cache_dir": "/cache"}
    assert compare(make_run(), make_run(config=moved)) == []


def test_another_level_is_named_without_the_switches_that_follow(make_run):
    assert compare(make_run(), make_run(config={"determinism": "warn"})) == [
        ("config", "determinism", "strict", "warn", "yes")
    ]


def test_what_affects_bits_comes_first(make_run):
    b = make_run(
        config={"name": "other", "seed": 2, "workers": 3},
        code="sha256:other",
        environment={"os.release": "6.2", "packages.torch": "3.0"},
    )
    assert [(one[1], one[4]) for one in compare(make_run(), b)] == [
        ("seed", "yes"),
        ("packages.torch", "yes"),
        ("code_digest", "unknown"),
        ("name", "no"),
        ("workers", "no"),
        ("os.release", "no"),
    ]


# Data


@pytest.mark.parametrize(
    ("change", "field", "a", "b"),
    [
        (
            {"sha256": "sha256:other"},
            "train/B/2.png",
            "sha256:bytes of 2.png",
            "sha256:other",
        ),
        ({"label": "A"}, "train/B/2.png#label", "B", "A"),
        ({"split": "val"}, "train/B/2.png#split", "train", "val"),
    ],
)
def test_an_image_is_named_by_what_changed(make_run, replace_image, change, field, a, b):
    other = make_run(samples=replace_image("train/B/2.png", **change))
    assert compare(make_run(), other) == [("data", field, a, b, "yes")]


def test_an_image_with_other_pixels_and_another_label_is_named_for_both(make_run, replace_image):
    changed = replace_image("train/B/2.png", sha256="sha256:other", label="A")
    found = compare(make_run(), make_run(samples=changed))
    assert [one[1] for one in found] == ["train/B/2.png", "train/B/2.png#label"]


def test_an_image_that_moved_to_another_class_folder_has_another_label(make_run, replace_image):
    moved = replace_image("train/B/2.png", path="train/A/2.png", label="A")
    assert compare(make_run(), make_run(samples=moved)) == [
        ("data", "train/B/2.png#label", "B", "A", "yes")
    ]


@pytest.mark.parametrize(
    ("change", "aspects"),
    [
        ({"path": "train/B/9.png"}, {"path": "train/B/9.png"}),
        ({"path": "train/A/9.png", "label": "A"}, {"label": "A", "path": "train/A/9.png"}),
        ({"path": "val/B/2.png", "split": "val"}, {"split": "val"}),
        (
            {"path": "val/A/9.png", "label": "A", "split": "val"},
            {"label": "A", "split": "val", "path": "val/A/9.png"},
        ),
        ({"path": "train/B/deeper/2.png"}, {"path": "train/B/deeper/2.png"}),
    ],
    ids=["another name", "name and class", "another split", "all of it", "another folder"],
)
def test_an_image_that_was_moved_or_renamed_is_matched_by_its_bytes(
    make_run, replace_image, change, aspects
):
    found = compare(make_run(), make_run(samples=replace_image("train/B/2.png", **change)))
    assert {field: after for _, field, _, after, _ in found} == {
        f"train/B/2.png#{aspect}": value for aspect, value in aspects.items()
    }


def test_an_image_with_another_name_and_other_bytes_is_another_image(make_run, replace_image):
    changed = replace_image("train/B/2.png", path="train/B/9.png", sha256="sha256:other")
    found = compare(make_run(), make_run(samples=changed))
    assert found == [
        ("data", "train/B/2.png", "sha256:bytes of 2.png", None, "yes"),
        ("data", "train/B/9.png", None, "sha256:other", "yes"),
    ]


def test_of_equal_files_each_is_matched_once(make_run, plain_samples, describe_image):
    twins = [describe_image(f"train/A/{n}.png", sha256="sha256:same") for n in (7, 8)]
    renamed = [describe_image(f"train/A/{n}.png", sha256="sha256:same") for n in (8, 9)]
    a = make_run(samples=(*plain_samples, *twins))
    b = make_run(samples=(*plain_samples, *renamed))
    assert compare(a, b) == [
        ("data", "train/A/7.png#path", "train/A/7.png", "train/A/9.png", "yes")
    ]


def test_an_image_that_only_one_run_has_is_named(make_run, plain_samples, describe_image):
    more = (*plain_samples, describe_image("train/A/9.png"))
    found = ("data", "train/A/9.png", None, "sha256:bytes of 9.png", "yes")
    assert compare(make_run(), make_run(samples=more)) == [found]
    turned = ("data", "train/A/9.png", "sha256:bytes of 9.png", None, "yes")
    assert compare(make_run(samples=more), make_run()) == [turned]


def test_the_order_of_the_lock_is_no_difference(make_run, plain_samples):
    assert compare(make_run(), make_run(samples=plain_samples[::-1])) == []


def test_an_image_of_another_patient_is_named_although_the_digest_tells_nothing_of_it(
    make_run, replace_image
):
    one = make_run(samples=replace_image("train/B/2.png", group="P1"))
    other = make_run(samples=replace_image("train/B/2.png", group="P2"))
    found = ("data", "train/B/2.png#group", "P1", "P2", "no")
    assert compare(one, other) == [found]
    recipes = [load_manifest(run)["recipe"] for run in (one, other)]
    assert recipes[0] == recipes[1]


@pytest.mark.parametrize("group", ["train/B/2.png", "2.png"])
def test_an_image_by_itself_is_in_no_group_whatever_that_is_called(make_run, replace_image, group):
    one = make_run(samples=replace_image("train/B/2.png", group="2.png"))
    assert compare(one, make_run(samples=replace_image("train/B/2.png", group=group))) == []


def test_groups_under_other_names_of_images_are_not_compared(make_run, replace_image):
    one = make_run(samples=replace_image("train/B/2.png", group="P1"))
    other = make_run(samples=replace_image("train/B/2.png", path="train/B/9.png", group="P2"))
    assert [one[1] for one in compare(one, other)] == ["train/B/2.png#path"]


@pytest.mark.parametrize(
    ("config", "change"),
    [
        ({"data.split_seed": 3}, {"split": "val"}),
        ({"data.validation_fraction": 0.5}, {"split": "val"}),
        ({"data.group_pattern": "(.)"}, {"split": "val"}),
        ({"data.class_globs": {"A": "*2*", "B": "*1*"}}, {"label": "A"}),
        ({"data.csv.split": "part"}, {"split": "val"}),
        ({"data.csv.split_names": {"a": "val"}}, {"split": "val"}),
        ({"data.csv.group": "patient"}, {"split": "val"}),
        ({"data.test_fraction": 0.5}, {"split": "val"}),
        ({"data.csv.label": "finding"}, {"label": "A"}),
        ({"data.csv.uncertain": "ones"}, {"label": "A"}),
        ({"data.csv.blank": "ignore"}, {"label": "A"}),
        ({"data.csv.group": "patient"}, {"group": "P2"}),
    ],
)
def test_splits_and_labels_that_follow_from_the_config_are_not_listed_again(
    make_run, replace_image, config, change
):
    other = make_run(config=config, samples=replace_image("train/B/2.png", **change))
    [(part, field, *_)] = compare(make_run(), other)
    assert (part, field) == ("config", next(iter(config)))


def test_pixels_that_differ_are_listed_whatever_the_config_says_of_splits(make_run, replace_image):
    changed = replace_image("train/B/2.png", sha256="sha256:other", split="val")
    held_out = {"data.validation_fraction": 0.5}
    other = make_run(config={**held_out, "data.split_seed": 3}, samples=changed)
    found = compare(make_run(config=held_out), other)
    assert ("config", "data.split_seed", 0, 3, "yes") in found
    assert "train/B/2.png" in [one[1] for one in found]


@pytest.mark.parametrize("field", ["data.synthetic.seed", "data.synthetic.noise"])
def test_vectors_that_follow_from_the_config_are_not_listed_again(make_run, replace_image, field):
    synthetic = {"data.source": "synthetic", "data.root": None, "data.classes": ["A", "B"]}
    a = make_run(config=synthetic)
    changed = replace_image("train/B/2.png", sha256="sha256:other")
    b = make_run(config={**synthetic, field: 5}, samples=changed)
    [(part, name, _, after, affects)] = compare(a, b)
    assert (part, name, after, affects) == ("config", field, 5, "yes")


def test_other_classes_are_the_difference_and_not_every_image(make_run, replace_image):
    b = make_run(
        config={"data.classes": ["B", "A"]}, samples=replace_image("train/B/2.png", label="A")
    )
    assert compare(make_run(), b) == [("config", "data.classes", ["A", "B"], ["B", "A"], "yes")]


def test_other_classes_do_not_hide_other_pixels(make_run, replace_image):
    b = make_run(
        config={"data.classes": ["B", "A"]},
        samples=replace_image("train/B/2.png", label="A", sha256="sha256:other"),
    )
    assert [one[1] for one in compare(make_run(), b)] == ["data.classes", "train/B/2.png"]


# Code, weights, environment


def test_other_sources_may_or_may_not_affect_bits(make_run):
    assert compare(make_run(), make_run(code="sha256:other")) == [
        ("code", "code_digest", "sha256:sources", "sha256:other", "unknown")
    ]


def test_other_given_weights_affect_bits(make_run):
    assert compare(make_run(weights_in="sha256:1"), make_run(weights_in="sha256:2")) == [
        ("weights", "weights_in", "sha256:1", "sha256:2", "yes")
    ]


@pytest.mark.parametrize(("level", "named"), [("portable", "code"), ("strict", "environment")])
def test_another_arithmetic_is_one_difference_and_counts_at_portable_alone(make_run, level, named):
    config = {"determinism": level}
    a, b = (
        make_run(config=config, environment={"arithmetic.version": version}, arithmetic=version)
        for version in (1, 2)
    )
    field = "arithmetic" if named == "code" else "arithmetic.version"
    affects = "yes" if level == "portable" else "no"
    assert compare(a, b) == [(named, field, 1, 2, affects)]


def test_a_record_that_does_not_tell_its_arithmetic_is_not_held_to_differ(make_run):
    assert compare(make_run(), make_run(environment={"arithmetic.version": 2})) == []


@pytest.mark.parametrize("given", [None, "sha256:1"])
def test_weights_are_one_difference_however_they_are_named(make_run, given):
    named = {"source": "file", "path": "/w.safetensors", "sha256": f"sha256:{'1' * 64}"}
    other = {**named, "sha256": f"sha256:{'2' * 64}"}
    before = {"model.weights": named} if given else {}
    a = make_run(config=before, weights_in=given)
    b = make_run(config={"model.weights": other}, weights_in="sha256:2")
    assert compare(a, b) == [("weights", "weights_in", given, "sha256:2", "yes")]


def test_initial_weights_that_follow_from_the_seed_are_not_listed(make_run):
    upset = frozenset({(-1, "parameters", "w")})
    found = compare(make_run(), make_run(config={"seed": 2}, upset=upset, weight=0.75))
    assert found == [("config", "seed", 1, 2, "yes")]


@pytest.mark.parametrize(
    ("fact", "affects"),
    [
        ("packages.torch", "yes"),
        ("cpu.model", "yes"),
        ("images.canaries", "yes"),
        ("variables.ATEN_CPU_CAPABILITY", "yes"),
        ("variables.DNNL_MAX_CPU_ISA", "yes"),
        ("variables.TIMM_FUSED_ATTN", "yes"),
        ("variables.OMP_WAIT_POLICY", "no"),
        ("packages.rich", "no"),
        ("os.release", "no"),
        ("cpu.cores", "no"),
    ],
)
def test_a_fact_of_the_environment_is_named_with_its_effect(make_run, fact, affects):
    [(part, field, _, after, found)] = compare(
        make_run(), make_run(environment={fact: "another value"})
    )
    assert (part, field, after, found) == ("environment", fact, "another value", affects)


def test_a_package_that_only_one_run_has_is_named(make_run):
    assert compare(make_run(), make_run(environment={"packages.more": "1"})) == [
        ("environment", "packages.more", None, "1", "no")
    ]


def test_the_commit_and_the_state_of_the_checkout_are_no_inputs(make_run):
    other = {"code.commit": "1" * 40, "code.dirty": True}
    assert compare(make_run(), make_run(environment=other)) == []


def test_a_switch_that_read_back_otherwise_is_named(make_run):
    assert compare(make_run(), make_run(controls={"cudnn.benchmark": True})) == [
        ("environment", "controls.cudnn.benchmark", False, True, "yes")
    ]


@pytest.mark.parametrize(
    ("name", "value", "affects"),
    [
        # torch 2.7 has no such switch.
        ("mkldnn.matmul.fp32_precision", "absent", "no"),
        ("torch.num_threads", 3, "no"),
        ("torch.denormals_kept", False, "yes"),
        ("torch.default_dtype", "float64", "yes"),
    ],
)
def test_few_switches_reach_the_portable_arithmetic(make_run, name, value, affects):
    portable = {"determinism": "portable"}
    one, two = make_run(config=portable), make_run(config=portable, controls={name: value})
    [(_, field, _, found, said)] = compare(one, two)
    assert (field, found, said) == (f"controls.{name}", value, affects)


def test_a_switch_that_an_older_version_did_not_read_is_not_known_to_differ(make_run):
    one, two = make_run(), make_run(controls={"newer.switch": "ieee"})
    assert compare(one, two) == compare(two, one) == []
    three = make_run(controls={"newer.switch": "tf32"})
    assert compare(two, three) == [("environment", "controls.newer.switch", "ieee", "tf32", "yes")]


def test_threads_of_libraries_are_compared_as_the_config_has_them(make_run):
    one = make_run(environment={"numerics.threads": {"libgomp": 1}})
    two = make_run(environment={"numerics.threads": {"libgomp": 2}})
    assert compare(one, two) == []


def test_threads_as_read_back_are_named_when_the_recipe_does_not_explain_them(make_run):
    assert compare(make_run(), make_run(controls={"torch.num_threads": 3})) == [
        ("environment", "controls.torch.num_threads", 1, 3, "yes")
    ]


def test_an_instruction_set_is_named_once_and_not_as_a_switch_too(make_run):
    b = make_run(
        environment={"variables.ATEN_CPU_CAPABILITY": "avx2"},
        controls={"ATEN_CPU_CAPABILITY": "avx2", "torch.cpu_capability": "AVX2 only"},
    )
    assert [one[1] for one in compare(make_run(), b)] == ["variables.ATEN_CPU_CAPABILITY"]


def test_a_variable_of_the_users_choice_is_named_once(make_run):
    b = make_run(environment={"variables.TIMM_FUSED_ATTN": "0"}, controls={"TIMM_FUSED_ATTN": "0"})
    assert compare(make_run(), b) == [
        ("environment", "variables.TIMM_FUSED_ATTN", None, "0", "yes")
    ]


@pytest.mark.parametrize(
    ("fact", "follows"),
    [
        ("variables.ATEN_CPU_CAPABILITY", "numerics.cpu_capability"),
        ("images.canaries", "images.canaries_changed"),
    ],
)
def test_a_fact_that_follows_from_another_is_listed_only_alone(make_run, fact, follows):
    both = make_run(environment={fact: "other", follows: "other"})
    assert [one[1] for one in compare(make_run(), both)] == [fact]
    alone = make_run(environment={follows: "other"})
    assert [one[1] for one in compare(make_run(), alone)] == [follows]


def test_a_random_hash_seed_is_named_once(make_run):
    b = make_run(
        environment={"variables.PYTHONHASHSEED": "random", "python.hash_randomization": True},
        controls={"PYTHONHASHSEED": "random", "hash_randomization": True},
    )
    fields = [one[1] for one in compare(make_run(), b)]
    assert sorted(fields) == ["controls.PYTHONHASHSEED", "controls.hash_randomization"]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [(ENVIRONMENT, b'"2.9"', b'"2.8"'), (DATA_LOCK, b'"group":"5.png"', b'"group":"6.png"')],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_record_that_was_edited_is_not_believed(
    make_run, replace_image, name, before, after, place
):
    others = replace_image("train/A/1.png", sha256="sha256:other")
    runs = (make_run(), make_run(samples=others))
    content = (runs[place] / name).read_bytes()
    assert before in content
    (runs[place] / name).write_bytes(content.replace(before, after))
    with pytest.raises(RecordError, match=f"{re.escape(name)} was changed") as caught:
        compare(*runs)
    assert caught.value.where == str(runs[place] / name)


def test_records_of_a_run_that_has_not_ended_are_compared(make_run):
    assert compare(make_run(), make_run(status="running")) == []
