from __future__ import annotations

import math

import pytest
import yaml

from cxr.config.strict_yaml import MAX_BYTES, MAX_DEPTH, Problem, load_document, read_scalar


@pytest.fixture
def load(tmp_path):
    """Load a text or bytes as a config file called ``c.yaml``."""

    def load(content):
        path = tmp_path / "c.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_document(path)

    return load


def describe(document):
    """Return line, key and message of every problem."""
    return [(problem.line, problem.key, problem.message) for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-2.5e+3", -2500.0),
        ("010", 10),
        ("08", 8),
        ("-7", -7),
        ("+7", 7),
        ("18446744073709551615", 2**64 - 1),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("off", "off"),
        ("0x10", "0x10"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2024-01-01", "2024-01-01"),
        ("'1e-3'", "1e-3"),
        ('"010"', "010"),
        ("<<", "<<"),
        ("=", "="),
        ("e5", "e5"),
    ],
)
def test_a_plain_value_is_read_as_yaml_1_2_has_it(load, text, value):
    for found in (load(f"key: {text}\n").data["key"], read_scalar(text)):
        assert found == value
        assert type(found) is type(value)


def test_infinities_and_nan_are_floats(load):
    found = load("a: .inf\nb: -.INF\nc: .NaN\n").data
    assert found["a"] == math.inf
    assert found["b"] == -math.inf
    assert math.isnan(found["c"])


def test_values_know_the_line_they_stand_on(load, tmp_path):
    document = load("a: 1\nb:\n  c: [5,\n    6]\n")
    assert document.data == {"a": 1, "b": {"c": [5, 6]}}
    source = str(tmp_path / "c.yaml")
    assert document.places == {
        (): (source, 1),
        ("a",): (source, 1),
        ("b",): (source, 2),
        ("b", "c"): (source, 3),
        ("b", "c", 0): (source, 3),
        ("b", "c", 1): (source, 4),
    }
    assert document.problems == []


def test_every_duplicate_key_is_named_with_both_lines(load):
    document = load("a: 1\nb: {x: 1, x: 2}\na: 3\n")
    assert describe(document) == [
        (2, "b.x", "the key stands twice, first on line 2"),
        (3, "a", "the key stands twice, first on line 1"),
    ]


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system [true]", "!!str 5", "!own 5", "! 5", "!!set {a}"]
)
def test_tags_are_refused_with_their_line(load, tag):
    [(line, _, message)] = describe(load(f"a: 1\nb: {tag}\n"))
    assert line == 2
    assert message.startswith("the tag ")
    assert message.endswith("is refused: only plain values")


@pytest.mark.parametrize("text", ["a: &x 1\nb: 2\n", "a: &x [1]\nb: *x\n", "a: 1\n<<: *x\n"])
def test_anchors_and_aliases_are_refused(load, text):
    [(_, _, message)] = describe(load(text))
    assert message == "anchors and aliases (& and *) are refused"


def test_a_bomb_of_aliases_is_refused_before_it_grows(load):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    document = load("\n".join(lines))
    assert document.data == {}
    assert describe(document) == [(1, "", "anchors and aliases (& and *) are refused")]


def nest(depth):
    return "a: " + "[" * (depth - 1) + "]" * (depth - 1)


def test_nesting_is_allowed_up_to_its_limit_and_refused_above(load):
    assert describe(load(nest(MAX_DEPTH))) == []
    for depth in (MAX_DEPTH + 1, 5000):
        [(line, _, message)] = describe(load(nest(depth)))
        assert (line, message) == (1, f"nested more than {MAX_DEPTH} deep")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty, not a mapping of keys"),
        ("# only a comment\n", "the file is empty, not a mapping of keys"),
        ("- a\n- b\n", "the top level is a list, not a mapping of keys"),
        ("text\n", "the top level is a single value, not a mapping of keys"),
    ],
)
def test_a_top_level_that_is_no_mapping_is_refused(load, text, message):
    document = load(text)
    assert document.data == {}
    assert describe(document) == [(1, "", message)]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"a: [1\nb: 2\n", 2, "not YAML: expected ',' or ']'"),
        (b"a: 1\n  b: 2\n", 2, "not YAML: mapping values are not allowed here"),
        (b"a: 1\n---\nb: 2\n", 2, "not YAML: but found another document"),
        (b"a: \x00\n", 0, "not YAML: unacceptable character"),
        (b"a: \xff\n", 0, "not UTF-8 text: byte 3 is not valid"),
        ("a: ü".encode("utf-16"), 0, "not UTF-8 text: byte 0 is not valid"),
    ],
)
def test_what_is_not_yaml_is_a_problem_with_its_line(load, content, line, message):
    [found] = describe(load(content))
    assert found[0] == line
    assert found[2].startswith(message)


def test_a_file_that_is_too_large_is_not_read(load):
    document = load("a: " + "x" * MAX_BYTES)
    assert document.data == {}
    assert describe(document) == [(0, "", "larger than 1,000,000 bytes")]


def test_a_key_that_is_no_text_is_refused(load):
    document = load("? [a, b]\n: 1\nc: 2\n")
    assert describe(document) == [(1, "", "a key must be text")]
    assert document.data == {"c": 2}


def test_marks_of_byte_order_and_line_ends_of_windows_are_read(load):
    assert load("\ufeffa: 1\r\nb: 2\r\n".encode()).data == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "text",
    [
        "!!binary aGk=",
        "!!timestamp 2001-01-01",
        "!!bool maybe",
        "!!python/object:os.system x",
        "!!int '5'",
        "[&x 1, *x]",
        "[" * 5000,
        "[1, 2",
        "{a: 1, a: 2}",
        "a\x00b",
    ],
)
def test_a_value_given_on_the_command_line_must_be_plain_too(text):
    with pytest.raises(yaml.YAMLError):
        read_scalar(text)


def test_a_problem_reads_as_file_line_key_message_hint():
    whole = Problem("unknown key", "c.yaml", 3, "train.x", "did you mean train.lr?")
    assert str(whole) == "c.yaml:3: train.x: unknown key (did you mean train.lr?)"
    assert str(Problem("larger", "c.yaml")) == "c.yaml: larger"
