"""Of what a DICOM file says of a patient, nothing is printed and nothing is written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydicom.datadict import DicomDictionary

from support.dicoms import draw_values, make_dicom, write_dicom
from support.program import read_answer, read_error, run_cxr
from support.recipes import images, write_recipe

NAME, BIRTH, NUMBER = "PLANTNAME^JANE", "19560704", "PLANTID77"
PLANTED = (NAME, "PLANTNAME", BIRTH, NUMBER)
SECRET = hashlib.sha256(b"a secret of this test").hexdigest()

_TEXTS = {"PN": NAME, "DA": BIRTH, "DT": BIRTH, "LO": NUMBER, "SH": NUMBER, "UI": "1.2.19560704"}
_TEXTS |= dict.fromkeys(("ST", "LT", "UT", "UC"), f"{NAME} {BIRTH} {NUMBER}")
_SYNTAX = b"1.2.840.10008.1.2.1\0"


def make_patient(shift: int, **elements):
    """Return a radiograph of somebody, who is named in every element that holds a text."""
    values = (draw_values(low=0, high=4095) + 37 * shift) % 4096
    made = make_dicom(values, **{"WindowCenter": "2048", "WindowWidth": "4096", **elements})
    made.SpecificCharacterSet = "ISO_IR 192"
    for tag, (vr, *_) in DicomDictionary.items():
        if 0x0008_0000 < tag < 0x0050_0000 and vr in _TEXTS and tag not in made:
            made.add_new(tag, vr, _TEXTS[vr])
    assert (made.PatientName, made.PatientID, made.PatientBirthDate) == (NAME, NUMBER, BIRTH)
    return made


def break_files() -> dict[str, bytes]:
    """Return files that cannot be read, each with a text of the patient where it goes wrong."""
    whole = write_dicom(make_patient(0))
    name = whole.index(NAME.encode())
    broken = {
        "syntax": whole.replace(_SYNTAX, NUMBER.encode() + b"\0" * (len(_SYNTAX) - len(NUMBER))),
        "cut-name": whole[: name + 4],
        "cut-pixels": whole[:-500],
        "length": whole[: name - 2] + b"\xf0\xff" + whole[name:],
        "type": whole[: name - 4] + b"SQ\0\0" + whole[name:],
        "no-prefix": whole[132:],
        "character-set": whole.replace(b"ISO_IR 192", b"PLANTNAME "),
        "text": f"{NAME} {BIRTH} {NUMBER}".encode() * 20,
    }
    for keyword, value in (
        ("PhotometricInterpretation", "PLANTNAME"),
        ("VOILUTFunction", "PLANTNAME"),
        ("BurnedInAnnotation", "PLANTNAME"),
    ):
        made = make_patient(1)
        setattr(made, keyword, value)
        broken[keyword] = write_dicom(made)
    for keyword in ("WindowCenter", "RescaleSlope", "NumberOfFrames"):
        broken[f"numeric-{keyword}"] = write_dicom(make_patient(1, **{keyword: int(BIRTH)}))
        broken[keyword] = write_dicom(make_patient(1, **{keyword: 11_111_111})).replace(
            b"11111111", BIRTH.encode()[:7] + b"x"
        )
        assert BIRTH[:7].encode() + b"x" in broken[keyword]
    return broken


def assert_silent(what: bytes, where: object) -> None:
    for text in PLANTED:
        for encoding in ("ascii", "utf-16-le", "utf-16-be"):
            assert text.encode(encoding) not in what, (text, where)
            assert text.lower().encode(encoding) not in what, (text, where)
    assert BIRTH[:7].encode() + b"x" not in what, where


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text(SECRET, encoding="ascii")
    file.chmod(0o600)
    return file


def test_training_on_dicom_and_exporting_leave_nothing_of_the_patients(
    tmp_path: Path, secret: Path
):
    root = tmp_path / "set"
    for index, split in enumerate(["train"] * 4 + ["val"] * 2 + ["test"] * 2):
        for label in ("A", "B"):
            place = root / split / label / f"{NUMBER}_PLANTNAME-{index}.dcm"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(write_dicom(make_patient(2 * index + (label == "B"))))
    recipe = images(
        root,
        data__classes=["A", "B"],
        data__window={"kind": "file"},
        data__group_pattern="^([A-Z0-9]+_[A-Z]+-[0-9]+)",
        data__pseudonym_key=str(secret),
        data__cache_dir=str(tmp_path / "cache"),
        train={"epochs": 1, "batch_size": 4},
    )
    said = []
    for seed in ("1", "2"):
        config = write_recipe(tmp_path / "recipe.yaml", {**recipe, "seed": int(seed)})
        said.append(run_cxr("train", "--config", config, "--out", tmp_path / "runs" / seed))
    said.append(run_cxr("diff", tmp_path / "runs" / "1", tmp_path / "runs" / "2"))
    said.append(run_cxr("export", tmp_path / "runs" / "1", tmp_path / "export"))
    said.append(run_cxr("verify", tmp_path / "export"))
    assert [finished.returncode for finished in said] == [0, 0, 1, 0, 0], said[3].stderr
    for finished in said:
        assert_silent((finished.stdout + finished.stderr).encode(), finished.args)
    written = [
        file
        for place in ("runs", "cache", "export")
        for file in (tmp_path / place).rglob("*")
        if file.is_file()
    ]
    assert {"data.lock.json", "predictions.csv", "pixels.u8"} <= {file.name for file in written}
    for file in written:
        assert_silent(file.read_bytes(), file)
        assert_silent(str(file.relative_to(tmp_path)).encode(), file)
        assert SECRET.encode() not in file.read_bytes()


def test_what_is_wrong_with_a_file_is_said_without_quoting_it(tmp_path: Path):
    root = tmp_path / "set"
    files = break_files()
    for split in ("train", "test"):
        for label in ("A", "B"):
            (root / split / label).mkdir(parents=True)
    for name, content in files.items():
        (root / "train" / "A" / f"{name}.dcm").write_bytes(content)
    (root / "train" / "B" / "whole.dcm").write_bytes(write_dicom(make_patient(3)))
    finished = run_cxr("data", "verify", root, "--json")
    answer = read_answer(finished)
    assert_silent((finished.stdout + finished.stderr).encode(), "verify")
    # What is odd about two of them does not touch pixels; all are deeper than is read here.
    refused = {Path(path).stem for problem in answer["problems"] for path in problem["paths"]}
    assert refused >= files.keys()
    config = write_recipe(
        tmp_path / "recipe.yaml",
        images(root, data__classes=["A", "B"], data__cache_dir=str(tmp_path / "cache")),
    )
    finished = run_cxr("train", "--config", config, "--out", tmp_path / "run")
    read_error(finished, code=3)
    assert_silent((finished.stdout + finished.stderr).encode(), "train")


def test_without_pydicom_verify_says_what_to_install(tmp_path: Path):
    place = tmp_path / "train" / "A" / "a.dcm"
    place.parent.mkdir(parents=True)
    place.write_bytes(write_dicom(make_dicom(draw_values(low=0, high=255), bits=8)))
    finished = run_cxr("data", "verify", tmp_path, "--json", blocked=("pydicom", "torch"))
    [problem] = read_answer(finished)["problems"]
    assert finished.returncode == 1
    assert problem["paths"] == ["train/A/a.dcm"]
    assert "needs pydicom" in problem["detail"]
