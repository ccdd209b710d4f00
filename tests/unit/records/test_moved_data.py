from __future__ import annotations

import pytest

from cxr.config.data_section import CsvConfig, DataConfig
from cxr.records.run_config import derive_moved_fields, describe_overrides


@pytest.mark.parametrize(
    ("root", "file", "moved"),
    [
        ("/old", "/old/tables/t.csv", {"data.csv.file": "tables/t.csv"}),
        (None, "/old/t.csv", {"data.csv.file": "t.csv"}),
        ("/old", "/elsewhere/t.csv", {}),
    ],
)
def test_a_table_moves_with_its_images_where_it_lay_with_them(tmp_path, root, file, moved):
    data = DataConfig(source="csv", root=root, csv=CsvConfig(file=file))
    wanted = {name: str(tmp_path / path) for name, path in moved.items()}
    assert derive_moved_fields(data, tmp_path) == {"data.root": str(tmp_path), **wanted}


def test_a_table_may_be_named_itself(tmp_path):
    (tmp_path / "t.csv").touch()
    data = DataConfig(source="csv", root="/old", csv=CsvConfig(file="/x/table.csv"))
    assert derive_moved_fields(data, tmp_path / "t.csv") == {
        "data.root": str(tmp_path),
        "data.csv.file": str(tmp_path / "t.csv"),
    }


@pytest.mark.parametrize("source", ["folder", "npz"])
def test_other_sources_have_a_root_alone(tmp_path, source):
    data = DataConfig(source=source, root="/old")
    assert derive_moved_fields(data, tmp_path) == {"data.root": str(tmp_path)}


def test_a_path_is_quoted_so_that_yaml_reads_it_as_text():
    assert describe_overrides({"data.root": '/a: "b"'}) == ['data.root="/a: \\"b\\""']
