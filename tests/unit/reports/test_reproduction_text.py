from __future__ import annotations

from cxr.determinism.levels import Level
from cxr.reports import reproduction_text
from cxr.reproduce.plan import Item, Plan, order_items
from cxr.reproduce.sources import Sources


def item(field, *, part="environment", expected="a", found="b", affects="yes", **more):
    return Item(
        part=part,
        field=field,
        expected=expected,
        found=found,
        affects_bits=affects,
        do=f"mend {field}",
        **more,
    )


def plan(*items: Item) -> Plan:
    sources = Sources(package=None, origin="those that run now", are_own=True)
    return Plan(items=order_items(list(items)), sources=sources, level=Level.STRICT)


def test_nothing_in_the_way_is_said_first():
    found = plan(item("os.release", affects="no"), item("variables.X", remedy="set"))
    assert reproduction_text.describe_plan(found) == (
        "possible: nothing that affects bits at the level strict is in the way"
    )
    assert [(row[0], row[3]) for row in reproduction_text.list_rows(found)] == [
        ("variables.X", "put right"),
        ("os.release", "no matter"),
    ]
    assert reproduction_text.list_advice(found) == []
    assert reproduction_text.describe_command(found) is None


def test_what_is_in_the_way_comes_first_with_what_to_do():
    found = plan(
        item("os.release", affects="no"),
        item("code_digest", part="code", affects="unknown"),
        item("code", part="code", affects="unknown", remedy="checkout"),
    )
    assert reproduction_text.describe_plan(found).startswith("not yet: 1 thing is in the way")
    assert [row[0] for row in reproduction_text.list_rows(found)] == [
        "code_digest",
        "code",
        "os.release",
    ]
    assert reproduction_text.list_advice(found) == ["code_digest: mend code_digest"]


def test_a_field_of_the_data_is_told_by_its_name():
    found = plan(*(item(name, part="data") for name in ("data.root", "data.pseudonym_key")))
    assert [one.partition(":")[0] for one in reproduction_text.list_advice(found)] == [
        "data.root",
        "data.pseudonym_key",
    ]


def test_many_images_are_one_advice_and_are_counted():
    found = plan(*(item(f"train/{n}.png", part="data", expected=None) for n in range(1000)))
    rows = reproduction_text.list_rows(found)
    assert (len(rows), rows[0][1]) == (30, "-")
    assert reproduction_text.describe_rest(found) == "and 970 more; --json has all"
    assert len(reproduction_text.list_advice(found)) <= 30


def test_packages_are_brought_back_by_commands_that_can_be_typed():
    found = plan(
        item("packages.torch", expected="2.7.1"),
        item("packages.numpy", expected="2.0; rm -rf x"),
        item("packages.new", expected=None),
        item("packages.rich", expected="1", affects="no"),
        item("python.version", expected="3.11.7"),
    )
    assert reproduction_text.describe_command(found) == (
        "uv venv --python 3.11.7 && uv pip install torch==2.7.1 'numpy==2.0; rm -rf x'"
    )
