from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cxr.config.explain import list_fields
from cxr.config.load import PATH_FIELDS, dump_config, load_config
from cxr.config.schema import HubWeights
from cxr.determinism.levels import Level
from cxr.errors import ConfigError, ExitCode

SYNTHETIC = """\
seed: 1
threads: 1
data: {source: synthetic, image_size: 28}
model: {name: mlp}
train: {epochs: 1, batch_size: 4}
"""
FOLDER = """\
seed: 1
threads: 1
data:
  source: folder
  root: images
  classes: [NORMAL, PNEUMONIA]
model: {name: test_resnet}
train: {epochs: 1, batch_size: 4}
"""
DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def write(tmp_path):
    """Write a text below the test's directory and return its path."""

    def write(text, name="c.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refuse(path, overrides=()):
    """Load a config that must be refused and return its problems, one a line."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return [line.strip() for line in caught.value.where.splitlines()]


def test_defaults_and_types_are_those_of_the_schema(write):
    config = load_config(write(SYNTHETIC))
    assert config.determinism is Level.STRICT
    assert config.train.lr == 1e-3
    assert config.evaluate.split == "test"
    assert config.model.hidden == (128,)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 2


def test_numbers_are_numbers(write):
    text = SYNTHETIC.replace("seed: 1", "seed: 010").replace("epochs: 1,", "epochs: 1, lr: 1e-4,")
    config = load_config(write(text))
    assert config.seed == 10
    assert config.train.lr == 0.0001


def test_a_whole_number_is_the_same_rate_as_a_fraction(write):
    configs = [load_config(write(SYNTHETIC), [f"train.lr={text}"]) for text in ("1", "1.0")]
    assert configs[0] == configs[1]
    assert type(configs[0].train.lr) is float


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the config: No such file") as caught:
        load_config(tmp_path / "nothing.yaml")
    assert caught.value.where == str(tmp_path / "nothing.yaml")
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_directory_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match="the config is a directory") as caught:
        load_config(tmp_path)
    assert caught.value.where == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: the file is empty, not a mapping of keys"),
        ("- 1\n", ":1: the top level is a list, not a mapping of keys"),
        ("a: &x 1\n", ":1: anchors and aliases (& and *) are refused"),
        ("a: !!python/name:os.system\n", ":1: the tag tag:yaml.org,2002:python/name:os.system"),
    ],
)
def test_what_cannot_be_read_is_one_problem_and_not_a_list_of_missing_fields(write, text, message):
    path = write(text)
    [problem] = refuse(path)
    assert problem.startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: t\ntrain:\n\tlr: 1\n", ":4: not YAML: found character"),
        ("name: t\n---\nseed: 1\n", ":3: not YAML: but found another document"),
        ("name: &n t\n", ":2: anchors and aliases (& and *) are refused"),
        ("name: !own t\n", ":2: the tag !own is refused: only plain values"),
        ("{\n", ":3: not YAML: "),
    ],
)
def test_a_file_of_a_chain_that_cannot_be_read_is_its_own_problem_alone(write, text, message):
    write(SYNTHETIC, "base.yaml")
    path = write(f"extends: base.yaml\n{text}")
    for overrides in ([], ["data.image_size=32"]):
        [problem] = refuse(path, overrides)
        assert problem.startswith(f"{path}{message}")
    base = write(f"seed: 1\n{text}", "base.yaml")
    [problem] = refuse(write("extends: base.yaml\nthreads: 1\n"))
    assert problem.startswith(f"{base}{message}")


def test_a_key_that_stands_twice_above_a_file_that_cannot_be_read_is_told_as_well(write):
    base = write("seed: [\n", "base.yaml")
    path = write("extends: base.yaml\nthreads: 1\nthreads: 1\n")
    assert [one.partition(": ")[0] for one in refuse(path)] == [f"{path}:3", f"{base}:2"]


def test_every_problem_is_reported_at_once_with_file_line_and_key(write):
    path = write(
        "seed: -1\n"
        "seed: 2\n"
        "threads: 0\n"
        "determinism: strct\n"
        "batch_sise: 3\n"
        "data:\n"
        "  source: synthetic\n"
        "  chanels: 1\n"
        "  image_size: small\n"
        "model: {}\n"
        "train:\n"
        "  epochs: 1\n"
        "  batch_size: 4\n"
        "  lr: 1000\n"
        "  augment: {flip: 1, pad: -1}\n"
        "evaluate: 5\n"
    )
    assert refuse(path) == [
        f"{path}:2: seed: the key stands twice, first on line 1",
        f"{path}:1: seed: should be greater than or equal to 0, not -1",
        f"{path}:3: threads: should be greater than or equal to 1, not 0",
        f"{path}:4: determinism: should be 'warn', 'strict' or 'portable', not 'strct'",
        f"{path}:5: batch_sise: unknown key (did you mean train.batch_size?)",
        f"{path}:8: data.chanels: unknown key (did you mean data.channels?)",
        f"{path}:9: data.image_size: should be a valid integer, not 'small'",
        f"{path}:10: model.name: the field is missing",
        f"{path}:14: train.lr: should be less than or equal to 100, not 1000",
        f"{path}:15: train.augment.flip: should be a valid boolean, not 1",
        f"{path}:15: train.augment.pad: should be greater than or equal to 0, not -1",
        f"{path}:16: evaluate: must be a mapping of keys",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("seed=1.0", "seed: should be a valid integer, not 1.0"),
        ('seed="1"', "seed: should be a valid integer, not '1'"),
        ("seed=true", "seed: should be a valid integer, not True"),
        ("seed=18446744073709551616", "seed: should be less than or equal to 18446744073709551615"),
        ("name=5", "name: should be a valid string, not 5"),
        ("name=../up", "name: String should match pattern"),
        ("train.lr=.nan", "train.lr: should be a finite number, not nan"),
        ("train.lr=.inf", "train.lr: should be a finite number, not inf"),
        ("train.lr=yes", "train.lr: should be a valid number, not 'yes'"),
        ("train.augment.flip=yes", "train.augment.flip: should be a valid boolean, not 'yes'"),
        ("data.channels=2", "data.channels: should be 1 or 3, not 2"),
        ("data.classes=a", "data.classes: should be a valid array, not 'a'"),
        ("data.classes=[1]", "data.classes.0: should be a valid string, not 1"),
        ("train.betas=[0.9]", "train.betas.1: the field is missing"),
        ("data=null", "data: must be a mapping of keys"),
        ("model.weights={source: shop}", "model.weights: Input tag 'shop'"),
        ("model.weights={}", "model.weights: needs the key source"),
        ("trian.lr=1", "trian: unknown key (did you mean train?)"),
        ("train.batchsize=1", "train.batchsize: unknown key (did you mean train.batch_size?)"),
        ("zzz=1", "zzz: unknown key (no key has a name near it)"),
    ],
)
def test_a_refused_value_is_named_with_its_place(write, change, problem):
    found = refuse(write(SYNTHETIC), [change])
    assert len(found) == 1
    source, _, rest = found[0].partition(f"--set {change}: ")
    assert source == ""
    if not rest.startswith(problem):
        pytest.fail(found[0])


def test_both_members_of_weights_report_all_their_fields(write):
    found = refuse(write(SYNTHETIC), ["model.weights={source: file, file: x}"])
    assert [line.rpartition("}: ")[2] for line in found] == [
        "model.weights.path: the field is missing",
        "model.weights.sha256: the field is missing",
        "model.weights.file: unknown key (did you mean model.weights.source?)",
    ]


def test_a_member_of_the_class_weights_is_one_problem(write):
    found = refuse(write(SYNTHETIC), ["train.class_weights=[0.0, 1.0]"])
    assert len(found) == 1
    assert "train.class_weights.0: should be greater than 0" in found[0]


def test_text_that_json_cannot_hold_is_refused(write):
    refuse(write(SYNTHETIC + 'name: "a\\ud800"\n'))


# extends


def test_an_extending_file_wins_and_mappings_are_merged(write):
    write("seed: 1\nthreads: 1\ntrain: {lr: 0.5, epochs: 9, betas: [0.1, 0.2]}\n", "base.yaml")
    write("extends: base.yaml\nthreads: 2\ntrain: {epochs: 8}\n", "middle.yaml")
    path = write(
        "extends: middle.yaml\n"
        "data: {source: synthetic, image_size: 28}\n"
        "model: {name: mlp}\n"
        "train: {batch_size: 4, betas: [0.3, 0.4]}\n"
    )
    config = load_config(path)
    assert (config.seed, config.threads) == (1, 2)
    assert (config.train.lr, config.train.epochs, config.train.batch_size) == (0.5, 8, 4)
    assert config.train.betas == (0.3, 0.4)


def test_a_problem_is_placed_in_the_file_of_the_chain_that_it_stands_in(write):
    base = write("seed: -1\nthreads: 0\n", "base/base.yaml")
    path = write("extends: base/base.yaml\n" + SYNTHETIC.replace("seed: 1\nthreads: 1\n", ""))
    assert refuse(path) == [
        f"{base}:1: seed: should be greater than or equal to 0, not -1",
        f"{base}:2: threads: should be greater than or equal to 1, not 0",
    ]


def test_a_cycle_of_extends_is_named_where_it_closes(write):
    write("extends: c.yaml\n", "b.yaml")
    path = write("extends: b.yaml\n" + SYNTHETIC)
    [problem] = refuse(path)
    place = f"{path.parent / 'b.yaml'}:1: extends"
    assert problem == f"{place}: the chain of extends comes back to itself or is too long"


def test_a_file_that_extends_itself_is_named(write):
    path = write("extends: c.yaml\n" + SYNTHETIC)
    assert refuse(path)[0].startswith(f"{path}:1: extends: the chain of extends comes back")


def test_a_chain_may_be_long_but_not_endless(write):
    for number in range(12):
        write(f"extends: f{number + 1}.yaml\n", f"f{number}.yaml")
    write(SYNTHETIC, "f12.yaml")
    assert load_config(write("", "f3.yaml").parent / "f12.yaml").seed == 1
    write("extends: f4.yaml\n", "f3.yaml")
    assert load_config(write("extends: f4.yaml\n", "f3.yaml")).seed == 1
    problems = refuse(write("extends: f1.yaml\n", "f0.yaml"))
    assert "extends: the chain of extends comes back to itself or is too long" in problems[0]


def test_a_missing_base_is_named_with_the_line_that_asks_for_it(write):
    path = write("seed: 1\nextends: nothing.yaml\n")
    with pytest.raises(ConfigError, match="cannot read the config") as caught:
        load_config(path)
    assert caught.value.where == f"{path.parent / 'nothing.yaml'}, extended in {path}:2"


@pytest.mark.parametrize("value", ["5", "[base.yaml]", "{a: b}", "true"])
def test_extends_must_be_a_path(write, value):
    path = write(f"extends: {value}\n" + SYNTHETIC)
    assert refuse(path) == [f"{path}:1: extends: extends must be the path of another config"]


# --set


def test_set_is_applied_last_and_in_order(write):
    config = load_config(
        write(SYNTHETIC), ["seed=7", "train.lr=1e-2", "seed=8", "train.betas=[0,0]"]
    )
    assert config.seed == 8
    assert config.train.lr == 0.01
    assert config.train.betas == (0.0, 0.0)


def test_set_makes_sections_that_are_not_there_and_takes_equals_signs(write):
    config = load_config(
        write(FOLDER),
        ["train.augment.flip=true", 'data.group_pattern="a=(b)"', "evaluate.split=val"],
    )
    assert config.train.augment.flip is True
    assert config.data.group_pattern == "a=(b)"
    assert config.evaluate.split == "val"


def test_set_within_what_is_no_section_leaves_it_to_be_named(write):
    path = write("{extends: base.yaml, train: 3}\n", "top.yaml")
    write(FOLDER, "base.yaml")
    alone = refuse(path)
    assert alone == [f"{path}:1: train: must be a mapping of keys"]
    assert refuse(path, ["train.epochs=1"]) == alone
    [problem] = refuse(write(FOLDER), ["train=3", "train.epochs=1"])
    assert problem == "--set train=3: train: must be a mapping of keys"


@pytest.mark.parametrize("text", ["seed", "=5", "train..lr=1", ".seed=1", "seed.=1", ""])
def test_set_without_key_or_equals_sign_is_refused(write, text):
    assert refuse(write(SYNTHETIC), [text]) == [f"--set {text}: not of the form key.path=value"]


@pytest.mark.parametrize("value", ["[1, 2", "!!binary aGk=", "!!timestamp 2001-01-01", "!!bool x"])
def test_set_to_something_that_is_no_plain_value_is_refused(write, value):
    [problem] = refuse(write(SYNTHETIC), [f"name={value}"])
    assert problem.startswith(f"--set name={value}: name: the value is not YAML: ")


def test_a_set_value_is_named_and_not_the_file_that_it_replaces(write):
    [problem] = refuse(write(SYNTHETIC), ["threads=0"])
    assert problem == "--set threads=0: threads: should be greater than or equal to 1, not 0"


# paths


def test_a_path_is_relative_to_the_file_that_it_stands_in(write, tmp_path):
    write("data: {root: ../images, cache_dir: cache}\n", "deep/base.yaml")
    path = write("extends: deep/base.yaml\n" + FOLDER.replace("  root: images\n", ""))
    config = load_config(path)
    assert config.data.root == str(tmp_path / "images")
    assert config.data.cache_dir == str(tmp_path / "deep" / "cache")


@pytest.mark.parametrize(
    "change",
    ["data.root=pictures", "data={source: folder, root: pictures, classes: [a, b]}"],
)
def test_a_path_after_set_is_relative_to_the_working_directory(
    write, tmp_path, monkeypatch, change
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = load_config(write(FOLDER), [change])
    assert config.data.root == str(tmp_path / "elsewhere" / "pictures")


def test_extends_and_paths_follow_a_link_to_the_file_that_they_stand_in(write, tmp_path):
    write(SYNTHETIC, "all/base.yaml")
    path = write(
        "extends: base.yaml\ndata: {cache_dir: cache}\n",
        "all/c.yaml",
    )
    (tmp_path / "link.yaml").symlink_to(path)
    config = load_config(tmp_path / "link.yaml")
    assert config == load_config(path)
    assert config.data.cache_dir == str(tmp_path / "all" / "cache")


@pytest.mark.parametrize(
    "text",
    [
        'extends: "a\\0b"\n' + FOLDER,
        FOLDER.replace("root: images", 'root: "a\\0b"'),
        FOLDER.replace("root: images", 'root: images\n  cache_dir: "a\\0b"'),
    ],
)
def test_a_path_with_a_character_that_no_path_can_hold_is_a_problem(write, text):
    path = write(text)
    [problem] = refuse(path)
    assert problem.startswith(f"{path}:")


@pytest.mark.parametrize(
    "weights",
    [
        f"source: file, path: pytorch_model.bin, sha256: '{DIGEST}'",
        "source: hub, repo: a/b, file: pytorch_model.bin",
    ],
)
def test_weights_that_are_not_safetensors_by_name_are_refused(write, weights):
    [problem] = refuse(write(SYNTHETIC.replace("name: mlp", f"name: mlp, weights: {{{weights}}}")))
    assert r"\.safetensors$" in problem


def test_weights_of_another_source_replace_those_of_the_base(write):
    file = f"{{source: file, path: w.safetensors, sha256: '{DIGEST}'}}"
    write(SYNTHETIC.replace("name: mlp", f"name: mlp, weights: {file}"), "base.yaml")
    path = write("extends: base.yaml\nmodel: {weights: {source: hub, repo: a/b}}\n")
    assert load_config(path).model.weights == HubWeights(source="hub", repo="a/b")


def test_weights_of_the_same_source_are_merged_with_those_of_the_base(write):
    hub = "{source: hub, repo: a/b, sha256: null}"
    write(SYNTHETIC.replace("name: mlp", f"name: mlp, weights: {hub}"), "base.yaml")
    path = write(f"extends: base.yaml\nmodel: {{weights: {{revision: {'a' * 40}}}}}\n")
    assert load_config(path).model.weights == HubWeights(
        source="hub", repo="a/b", revision="a" * 40
    )


def test_the_path_of_weights_follows_the_same_rule(write, tmp_path):
    weights = f"weights: {{source: file, path: w/model.safetensors, sha256: '{DIGEST}'}}"
    path = write(SYNTHETIC.replace("name: mlp", f"name: mlp, {weights}"), "inner/c.yaml")
    assert load_config(path).model.weights.path == str(tmp_path / "inner/w/model.safetensors")


def test_absolute_paths_and_the_home_directory_are_kept(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = write(FOLDER)
    assert load_config(path, [f"data.root={tmp_path}/a"]).data.root == str(tmp_path / "a")
    assert load_config(path, ["data.root=~/a"]).data.root == str(tmp_path / "home" / "a")


def test_the_home_of_nobody_is_a_problem_of_the_config(write):
    path = write(FOLDER.replace("root: images", "root: ~nobody-of-this-name/images"))
    [problem] = refuse(path)
    assert problem.startswith(f"{path}:5: data.root: ")


def test_every_path_field_is_a_field():
    assert {".".join(path) for path in PATH_FIELDS} <= set(list_fields())


def test_every_field_that_names_a_path_is_a_path_field():
    named = {
        field
        for field in list_fields()
        if field.rpartition(".")[2] in ("root", "path", "file", "lock", "pseudonym_key")
        or field.endswith("_dir")
    }
    # A column of the table, and the name of a file within a repository.
    named -= {"data.csv.path", "model.weights.file"}
    assert named == {".".join(path) for path in PATH_FIELDS}


# dump_config


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["data.cache_dir=/somewhere/else", "train.class_weights=[1, 2]", "train.lr=1e-05"],
        ["determinism=warn", "data.validation_fraction=0.1", "data.group_pattern='^(a|b): #'"],
        ['data.classes=["yes", "null", "1.5", "a: b", "ü"]', "name=a.b-c"],
        [f"model.weights={{source: file, path: w.safetensors, sha256: '{DIGEST}'}}"],
        ["model.weights={source: hub, repo: a/b, revision: null}"],
    ],
)
def test_a_dumped_config_loads_as_the_same_config(write, tmp_path, overrides):
    config = load_config(write(FOLDER), overrides)
    run = tmp_path / "runs" / "one"
    again = write(dump_config(config, run), "runs/one/config.yaml")
    assert load_config(again) == config


@pytest.mark.parametrize(
    "text", ["08", "1e5", "1e-3", "0o7", "1_0", "12e03", "0x1F", "1:30", "089.5"]
)
def test_text_that_looks_like_a_number_stays_text_when_dumped(write, text):
    config = load_config(write(FOLDER), [f'data.classes=["{text}", "other"]'])
    assert load_config(write(dump_config(config, write("").parent), "again.yaml")) == config


def test_a_dumped_config_holds_every_field_and_no_absolute_path(write, tmp_path):
    text = dump_config(load_config(write(FOLDER)), tmp_path / "runs" / "one")
    tree = yaml.safe_load(text)
    assert text.startswith("# The resolved config of a run")
    assert tree["data"]["root"] == "../../images"
    assert tree["train"]["augment"]["flip"] is False
    assert str(tmp_path) not in text


def test_a_dumped_config_loads_from_a_directory_behind_a_link(write, tmp_path):
    config = load_config(write(FOLDER))
    (tmp_path / "large" / "disk").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "large" / "disk", target_is_directory=True)
    again = write(dump_config(config, tmp_path / "link" / "run"), "link/run/config.yaml")
    assert load_config(again) == config


def test_a_config_moves_with_its_directory(write, tmp_path):
    config = load_config(write(FOLDER, "all/c.yaml"))
    run = tmp_path / "all" / "runs" / "one"
    write(dump_config(config, run), "all/runs/one/config.yaml")
    moved = (tmp_path / "all").rename(tmp_path / "moved")
    assert load_config(moved / "runs" / "one" / "config.yaml").data.root == str(moved / "images")


def test_every_config_of_the_project_loads():
    directory = Path(__file__).parents[3] / "configs"
    whole = [path for path in sorted(directory.glob("*.yaml")) if not path.stem.endswith("base")]
    assert whole
    for path in whole:
        config = load_config(path)
        json.loads(config.model_dump_json())


def test_a_place_in_somebodys_home_is_dumped_without_whose_it_is(write, tmp_path, monkeypatch):
    home = tmp_path / "home" / "alice"
    monkeypatch.setenv("HOME", str(home))
    config = load_config(write(FOLDER), [f"data.root={home}/chest/x-rays"])
    outside = dump_config(config, tmp_path / "runs" / "one")
    assert "root: ~/chest/x-rays" in outside
    assert "alice" not in outside
    assert load_config(write(outside, "runs/one/config.yaml")) == config
    inside = dump_config(config, home / "runs" / "one")
    assert "root: ../../chest/x-rays" in inside
    assert load_config(write(inside, "home/alice/runs/one/config.yaml")) == config
