from __future__ import annotations

import csv

import pytest
from PIL import Image

from cxr.config.data_section import CsvConfig, DataConfig
from cxr.data.checks.target import derive_rules
from cxr.data.decoding.decode import DecodePlan
from cxr.data.sources import csv_rows
from cxr.data.sources.csv_table import CsvSource
from cxr.errors import DataError

HEAD = ["path", "finding", "patient", "split"]
ROWS = [
    ["b/1.png", "NORMAL", "p1", "train"],
    ["b/2.png", "PNEUMONIA", "p2", "valid"],
    ["a/3.png", "NORMAL", "p3", "test"],
    ["a/0.png", "PNEUMONIA", "p1", "train"],
]


@pytest.fixture
def root(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(4):
            Image.new("L", (8, 8), 40 * number).save(tmp_path / folder / f"{number}.png")
    return tmp_path


def write(root, head=HEAD, rows=ROWS, name="table.csv"):
    with (root / name).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([head, *rows])
    return root / name


def build(place, classes=("NORMAL", "PNEUMONIA"), columns=None, **data):
    columns = {"label": "finding", "group": "patient", "split": "split", **(columns or {})}
    section = CsvConfig(file=str(place / "table.csv"), **columns)
    return DataConfig(source="csv", classes=classes, csv=section, **data)


def find(place, /, **changes):
    return [
        (one.split, one.path, one.label, one.group)
        for one in CsvSource(build(place, **changes)).find()
    ]


def refuse(place, /, **changes):
    with pytest.raises(DataError) as caught:
        find(place, **changes)
    return caught.value


def test_rows_are_samples_sorted_by_split_then_file_name_then_path(root):
    write(root, rows=[*ROWS, ["b/0.png", "NORMAL", "p4", "train"]])
    assert find(root) == [
        ("test", "a/3.png", "NORMAL", "p3"),
        ("train", "a/0.png", "PNEUMONIA", "p1"),
        ("train", "b/0.png", "NORMAL", "p4"),
        ("train", "b/1.png", "NORMAL", "p1"),
        ("val", "b/2.png", "PNEUMONIA", "p2"),
    ]


def test_images_are_read_and_decoded_as_those_of_folders_are(root):
    write(root)
    source = CsvSource(build(root))
    image = source.find()[0]
    content = source.read(image)
    assert content == (root / "a/3.png").read_bytes()
    plan = DecodePlan(size_px=8, channels=1, resample="bilinear")
    assert (source.decode(image, content, plan) == 120).all()
    (look,) = source.inspect([(image, content)])
    assert look.num_bytes == len(content)


def test_paths_are_below_the_root_whatever_the_table_s_own_place(root):
    images = root / "images"
    images.mkdir()
    (root / "a").rename(images / "a")
    write(root, rows=[["./a//1.png", "NORMAL", "p", "train"]])
    assert find(root, root=str(images)) == [("train", "a/1.png", "NORMAL", "p")]
    write(root, rows=[[str(images / "a" / "1.png"), "NORMAL", "p", "train"]])
    assert find(root, root=str(images)) == [("train", "a/1.png", "NORMAL", "p")]


@pytest.mark.parametrize("root_text", [".", "{links}", "{links}/a/.."])
@pytest.mark.parametrize("slashes", ["/", "//"])
def test_absolute_paths_are_below_the_root_however_either_is_spelt(
    root, tmp_path_factory, monkeypatch, root_text, slashes
):
    links = tmp_path_factory.mktemp("other") / "links"
    links.symlink_to(root)
    monkeypatch.chdir(root)
    write(root, rows=[[slashes + str(root / "a/1.png")[1:], "NORMAL", "p", "train"]])
    found = find(root, root=root_text.format(links=links))
    assert found == [("train", "a/1.png", "NORMAL", "p")]
    (root / "b" / "link.png").symlink_to("../a/1.png")
    write(root, rows=[[str(links / "b/link.png"), "NORMAL", "p", "train"]])
    assert find(root, root=".") == [("train", "b/link.png", "NORMAL", "p")]


@pytest.mark.parametrize("path", ["/", "{root}", "{root}x/1.png", "/etc/hosts"])
def test_an_absolute_path_that_is_not_below_the_root_is_refused(root, path):
    write(root, rows=[[path.format(root=root), "NORMAL", "p", "train"]])
    assert f"is not below data.root ({root})" in refuse(root).where


def test_a_root_that_is_not_there_is_named_rather_than_each_row(root):
    write(root)
    error = refuse(root, root=str(root / "unmounted"))
    assert (error.problem, error.where) == ("no such data set", str(root / "unmounted"))
    assert error.hint == "set data.root to the directory that the table's paths are below"
    assert refuse(root, root=str(root / "table.csv")).problem == "data.root is not a directory"


@pytest.mark.parametrize(
    ("text", "there", "said"),
    [
        ("a/e\u0301.png", "a/\u00e9.png", "Unicode form"),
        ("a/\u00e9.png", "a/e\u0301.png", "Unicode form"),
        ("a\\1.png", "a/1.png", "its slashes"),
        (" a/1.png ", "a/1.png", "spaces"),
    ],
)
def test_a_file_whose_name_differs_in_what_one_hardly_sees_is_named(root, text, there, said):
    (root / there).touch()
    write(root, rows=[[text, "NORMAL", "p", "train"]])
    assert f"no such file: {text!r}, but {there!r}, which differs in {said}" in refuse(root).where


def test_a_byte_order_mark_crlf_and_quoted_line_ends_are_read(root):
    head, row = (
        "finding,note,path,split,patient\r\n",
        'NORMAL,"two\r\nlines, ""so""",a/1.png,test,p\r\n',
    )
    (root / "table.csv").write_bytes(
        b"\xef\xbb\xbf" + (head + row + "\r\n" + "PNEUMONIA,,a/2.png,test,q\r\n").encode()
    )
    assert [one[1] for one in find(root)] == ["a/1.png", "a/2.png"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["../a/1.png", "NORMAL", "p", "train"], "holds '..'"),
        (["/etc/hosts", "NORMAL", "p", "train"], "'/etc/hosts' is not below data.root"),
        (["a/9.png", "NORMAL", "p", "train"], "no such file: 'a/9.png'"),
        (["a/" + "n" * 300, "NORMAL", "p", "train"], "no such file"),
        (["", "NORMAL", "p", "train"], "it names no file"),
        (["a/\x001.png", "NORMAL", "p", "train"], "holds control characters"),
        (["./b/1.png", "NORMAL", "p", "train"], "'b/1.png' stands on line 2 already"),
        (["a/1.png", "normal", "p", "train"], "'normal' is none of data.classes"),
        (["a/1.png", "NORMAL", " ", "train"], "the column 'patient' is empty"),
        (["a/1.png", "NORMAL", "p", "dev"], "'dev' is no split: none of train, val"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_its_line(root, row, said):
    write(root, rows=[*ROWS, row])
    error = refuse(root)
    assert error.problem == "a row of the table cannot be used"
    assert error.where.startswith(f"{root / 'table.csv'}:6: ")
    assert said in error.where


def test_many_rows_are_named_at_once_and_the_rest_counted(root):
    write(root, rows=[[f"a/{number}.png", "?", "p", "train"] for number in range(4)] * 2)
    error = refuse(root)
    assert error.problem == "8 rows of the table cannot be used"
    assert len(error.where.splitlines()) == 6
    assert error.where.endswith("and 3 more")


def test_columns_that_are_missing_are_named_with_what_is_near(root):
    write(root, head=["Path", "finding", "patient", "split"])
    error = refuse(root, columns={"split": "spilt"})
    assert error.problem == "the table has no column 'path', 'spilt'"
    assert "data.csv.path: 'path' (did you mean 'Path'?)" in error.where
    assert "data.csv.split: 'spilt' (did you mean 'split'?)" in error.where


def test_a_table_with_another_delimiter_is_told_what_tells_columns_apart(root):
    (root / "table.csv").write_text("path;finding;patient;split\n", encoding="utf-8")
    assert refuse(root).hint.endswith("columns are told apart by commas")


def test_given_names_of_splits_replace_the_usual_ones(root):
    write(root, rows=[["a/1.png", "NORMAL", "p", "0"], ["a/2.png", "NORMAL", "p", "1"]])
    columns = {"split_names": {"0": "train", "1": "test"}}
    assert [one[0] for one in find(root, columns=columns)] == ["test", "train"]
    write(root)
    assert "'train' is no split: none of 0, 1" in refuse(root, columns=columns).where


def test_without_a_patient_column_the_pattern_is_searched_for_in_the_path(root):
    write(root)
    found = find(root, columns={"group": None}, group_pattern=r"^(\w)/")
    assert [one[3] for one in found] == ["a", "a", "b", "b"]
    assert find(root, columns={"group": None})[0][3] == "a/3.png"
    error = refuse(root, columns={"group": None}, group_pattern="z")
    assert "its patient is unknown: 'b/1.png'" in error.where


def test_without_a_split_column_patients_are_split_whole(root):
    rows = [[f"{f}/{n}.png", "NORMAL", f"p{n}", ""] for f in ("a", "b") for n in range(4)]
    write(root, rows=rows)
    fractions = {"test_fraction": 0.4, "validation_fraction": 0.3, "split_seed": 3}
    found = find(root, columns={"split": None}, **fractions)
    by_group = {}
    for split, _, _, group in found:
        by_group.setdefault(group, set()).add(split)
    assert all(len(splits) == 1 for splits in by_group.values())
    assert len({split for split, *_ in found}) > 1


LABELS = ("Edema", "Fracture")


def answer(root, *cells, **policies):
    write(root, head=["path", *LABELS], rows=[["a/1.png", *cells]])
    columns = {"label": None, "group": None, "split": None, **policies}
    ((_, _, label, _),) = find(root, classes=LABELS, columns=columns)
    return label


@pytest.mark.parametrize(
    ("cells", "policies", "label"),
    [
        (("1", "0"), {}, "Edema"),
        (("1.0", "1.0"), {}, "Edema|Fracture"),
        (("0.0", " 0 "), {}, "-"),
        (("-1", "1"), {}, "Edema?|Fracture"),
        (("-1.0", "1"), {"uncertain": "ones"}, "Edema|Fracture"),
        (("-1", "1"), {"uncertain": "zeros"}, "Fracture"),
        (("", "1"), {}, "Fracture"),
        (("", "1"), {"blank": "ignore"}, "Edema?|Fracture"),
        (("", "-1"), {"blank": "ones", "uncertain": "zeros"}, "Edema"),
    ],
)
def test_every_label_s_column_says_yes_no_or_uncertain(root, cells, policies, label):
    assert answer(root, *cells, **policies) == label


def test_a_label_s_column_says_nothing_else(root):
    with pytest.raises(DataError) as caught:
        answer(root, "yes", "0")
    assert "'yes' in the column 'Edema' is none of 1, 0, -1" in caught.value.where


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the table is empty"),
        (b"path,finding,patient,split\n", "the table has no rows"),
        (b"path,path\n", "the table names a column twice: 'path'"),
        (
            b"path,finding,patient,split\na/1.png,NORMAL\n",
            "a row of the table has 2 cells, its head",
        ),
        (b"path,finding,patient,split\n\xff\xfe,a,b,c\n", "the table is not UTF-8"),
        (b'path,finding,patient,split\n"a/1.png,NORMAL,p,train\n', "unexpected end of data"),
        (b"path,finding,patient,split\n" + b"x" * 200_000 + b",a,b,c\n", "field larger than"),
    ],
)
def test_what_is_no_table_is_refused(root, content, problem):
    (root / "table.csv").write_bytes(content)
    error = refuse(root)
    assert problem in error.problem
    assert error.where.startswith(str(root / "table.csv"))


def test_a_row_that_was_cut_short_is_to_be_completed_and_a_long_one_quoted(root):
    (root / "table.csv").write_bytes(b"path,finding,patient,split\na/1.png\n")
    assert refuse(root).hint == "it was cut short, or lacks commas: complete it"
    (root / "table.csv").write_bytes(b"path,finding,patient,split\na/1.png,a,b,c,d\n")
    assert refuse(root).hint == "put quotes around a cell that holds a comma"


def test_a_line_without_end_is_not_read_to_its_end(root, monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_LINE", 100)
    (root / "table.csv").write_bytes(b"p" * 1000)
    assert "a line of the table has 100 characters or more" in refuse(root).problem


def test_a_table_that_is_no_file_is_refused(root):
    assert "No such file" in refuse(root).problem
    (root / "table.csv").mkdir()
    assert refuse(root).problem == "the table is no regular file"
    assert refuse(root).where == str(root / "table.csv")


JOINED = {"label": "Finding Labels", "label_separator": "|", "group": "Patient ID", "split": None}
NIH_HEAD = ["Image Index", "Finding Labels", "Follow-up #", "Patient ID"]


def read_joined(root, *texts, **changes):
    rows = [[f"a/{number}.png", text, "0", "7"] for number, text in enumerate(texts)]
    write(root, head=NIH_HEAD, rows=rows)
    columns = {"path": "Image Index", "ignored_labels": ("No Finding",), **JOINED, **changes}
    return [label for _, _, label, _ in find(root, classes=LABELS, columns=columns)]


def test_one_column_may_name_several_labels(root):
    texts = ["No Finding", LABELS[1], f"{LABELS[1]}|{LABELS[0]}", f"{LABELS[0]} | No Finding"]
    found = read_joined(root, *texts)
    assert found == ["-", LABELS[1], f"{LABELS[0]}|{LABELS[1]}", LABELS[0]]
    again = read_joined(root, *(text.replace("|", ";") for text in texts), label_separator=";")
    assert again == found


@pytest.mark.parametrize("text", ["", "Hernia", f"{LABELS[0]}|Hernia", f"{LABELS[0]}||{LABELS[1]}"])
def test_a_label_that_is_neither_a_class_nor_ignored_is_refused(root, text):
    rows = [["a/1.png", text, "0", "7"]]
    write(root, head=NIH_HEAD, rows=rows)
    columns = {"path": "Image Index", "ignored_labels": ("No Finding",), **JOINED}
    error = refuse(root, classes=LABELS, columns=columns)
    wrong = "Hernia" if "Hernia" in text else ""
    assert f"table.csv:2: {wrong!r} is none of data.classes, nor of data.csv.ign" in error.where


def test_labels_that_are_joined_unsaid_are_refused_with_the_field_to_set(root):
    write(root, rows=[["a/1.png", "NORMAL|PNEUMONIA", "p", "train"]])
    error = refuse(root)
    said = "'NORMAL|PNEUMONIA' is none of data.classes; several need data.csv.label_separator"
    assert said in error.where


def test_paths_may_lack_their_suffix(root):
    write(root, rows=[["a/1", "NORMAL", "p", "train"]])
    assert find(root, columns={"suffix": ".png"}) == [("train", "a/1.png", "NORMAL", "p")]
    assert "no such file: 'a/1'" in refuse(root).where


def test_what_completes_a_path_is_as_plain_as_the_path(root):
    write(root, rows=[["a/1", "NORMAL", "p", "train"]])
    (root / "a" / "1\n.png").touch()
    assert "holds control characters" in refuse(root, columns={"suffix": "\n.png"}).where


def test_the_order_of_ignored_labels_and_repeats_say_nothing():
    one, other = (CsvConfig(ignored_labels=labels) for labels in (("b", "a"), ("a", "b", "a")))
    assert one == other


def test_rows_that_say_the_same_of_an_image_count_once_where_that_is_said(root):
    # RSNA's table has a row for each box.
    boxes = [["path", "finding", "patient", "split", "x"], *([*row, "3"] for row in ROWS)]
    write(root, head=boxes[0], rows=[*boxes[1:], [*ROWS[1], "7"], ["./b/1.png", *ROWS[0][1:], ""]])
    found = find(root, columns={"repeats": "same"})
    assert "several rows an image need data.csv.repeats" in refuse(root).where
    write(root)
    assert found == find(root)


@pytest.mark.parametrize("repeats", ["same", "any"])
@pytest.mark.parametrize(
    ("other", "said"),
    [
        (["b/1.png", "NORMAL", "secret", "train"], "'b/1.png' has another patient than on line 2"),
        (["b/1.png", "NORMAL", "p1", "test"], "'b/1.png' has another split than on line 2"),
    ],
)
def test_rows_of_one_image_have_one_patient_and_one_split(root, repeats, other, said):
    write(root, rows=[*ROWS, other])
    error = refuse(root, columns={"repeats": repeats, "label_separator": ";"})
    assert said in error.where
    assert "secret" not in str(error)


def test_rows_that_must_say_the_same_and_do_not_are_refused(root):
    write(root, rows=[*ROWS, ["b/1.png", "PNEUMONIA", "p1", "train"]])
    said = "table.csv:6: 'b/1.png' is 'PNEUMONIA', and from line 2 on 'NORMAL'"
    assert said in refuse(root, columns={"repeats": "same"}).where


@pytest.mark.parametrize("backwards", [False, True])
def test_an_image_has_what_any_of_its_rows_says(root, backwards):
    # VinDr's table has a row for each reader's finding.
    read = [("1", LABELS[0]), ("1", "No Finding"), ("2", LABELS[1]), ("1", LABELS[1])]
    rows = [[f"a/{image}.png", text, "0", "7"] for image, text in [*read, ("3", "No Finding")]]
    write(root, head=NIH_HEAD, rows=rows[::-1] if backwards else rows)
    columns = {"path": "Image Index", "ignored_labels": ("No Finding",), **JOINED, "repeats": "any"}
    found = [label for _, _, label, _ in find(root, classes=LABELS, columns=columns)]
    assert found == [f"{LABELS[0]}|{LABELS[1]}", LABELS[1], "-"]


@pytest.mark.parametrize(
    ("answers", "label"),
    [("10", LABELS[0]), ("00", "-"), ("0?", LABELS[0] + "?"), ("?1", LABELS[0])],
)
def test_what_no_row_says_and_one_does_not_know_is_unknown(root, answers, label):
    cells = [{"?": "-1"}.get(answer, answer) for answer in answers]
    write(root, head=["path", *LABELS], rows=[["a/1.png", cell, "0"] for cell in cells])
    columns = {"label": None, "group": None, "split": None, "repeats": "any"}
    ((_, _, found, _),) = find(root, classes=LABELS, columns=columns)
    assert found == label


def test_a_column_of_subgroups_says_one_thing_of_an_image(root):
    rows = [["a/1.png", "NORMAL", "p", "train", sex] for sex in ("F", "F")]
    write(root, head=[*HEAD, "sex"], rows=rows)
    source = CsvSource(build(root, columns={"repeats": "same"}))
    assert source.read_cells({"evaluate.subgroups": "sex"}) == {"a/1.png": {"sex": "F"}}
    rows[1][-1] = "M"
    write(root, head=[*HEAD, "sex"], rows=rows)
    with pytest.raises(DataError, match="rows of one image differ in the column 'sex'") as caught:
        source.read_cells({"evaluate.subgroups": "sex"})
    assert caught.value.where == f"{root / 'table.csv'}:3"


def test_a_lock_holds_the_newer_rules_only_where_they_say_something(root):
    # Locks from before there were such fields are of no other rules.
    newer = {"suffix", "label_separator", "ignored_labels", "repeats"}
    assert not newer & derive_rules(build(root))["csv"].keys()
    said = {"ignored_labels": ("none",), "suffix": ".png", "repeats": "any"}
    several = build(root, columns={**JOINED, **said})
    assert newer <= derive_rules(several)["csv"].keys()
