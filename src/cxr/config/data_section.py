"""The config's data section: which images, which labels, which split, and how they are decoded."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from cxr.config.section import NEVER, Fraction, Section
from cxr.determinism.streams import MAX_SEED

SplitName = Literal["train", "val", "test"]
Uncertain = Literal["ignore", "zeros", "ones"]


class SyntheticConfig(Section):
    """Vectors of 784 features in 10 classes, made from a seed."""

    seed: int = Field(0, ge=0, le=MAX_SEED, description="root of the vectors' streams")
    train: int = Field(1000, ge=1, le=1_000_000, description="training vectors")
    val: int = Field(200, ge=0, le=1_000_000, description="validation vectors")
    test: int = Field(200, ge=0, le=1_000_000, description="test vectors")
    noise: int = Field(96, ge=0, le=255, description="largest noise added to a class's pattern")


class CsvConfig(Section):
    """A table with an image a row: which column says what."""

    file: str | None = Field(
        None, json_schema_extra=NEVER, description="the table, with a head line"
    )
    path: str = Field("path", description="column of the image's path below data.root")
    suffix: str | None = Field(None, description="what is put behind each path, such as .dicom")
    label: str | None = Field(
        None, description="column of the class; null: each of data.classes is a column of its own"
    )
    label_separator: str | None = Field(
        None,
        min_length=1,
        description="what stands between several classes in the label column; null: it names one",
    )
    ignored_labels: tuple[str, ...] | None = Field(
        None, description="labels of such a column that are none of data.classes: No Finding"
    )
    group: str | None = Field(
        None, description="column of the patient; null: data.group_pattern, over the path"
    )
    split: str | None = Field(None, description="column of the split; null: split by group")
    split_names: dict[str, SplitName] | None = Field(
        None, description="what the split column's values stand for; null: train, val, test"
    )
    uncertain: Uncertain = Field("ignore", description="what -1 in a label column counts as")
    blank: Uncertain = Field("zeros", description="what an empty label column counts as")

    repeats: Literal["same", "any"] | None = Field(
        None,
        description="several rows of an image: same: they must say the same; any: it has every "
        "label that one of them names; null: refused",
    )

    @field_validator("ignored_labels")
    @classmethod
    def _sort(cls, labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Return labels in one order, each once: neither says anything."""
        return labels if labels is None else tuple(sorted(set(labels)))

    @property
    def tells_several(self) -> bool:
        """Whether an image may have any number of the classes."""
        return self.label is None or self.label_separator is not None


class WindowConfig(Section):
    """How values of more than 8 bits become 0 to 255."""

    kind: Literal["none", "file", "range", "percentile"] = Field(
        "none",
        description="none: such images are refused; file: the window that a DICOM file names; "
        "range: the same for all images; percentile: of each image's own pixels",
    )
    low: float | None = Field(
        None, description="value, or percentile, that becomes 0; of DICOM after the rescale slope"
    )
    high: float | None = Field(None, description="value, or percentile, that becomes 255")


class ExpectConfig(Section):
    """What the set must be like; ``cxr data verify`` and training hold it against this."""

    min_samples: int | None = Field(
        None, ge=1, json_schema_extra=NEVER, description="least number of samples"
    )
    counts: dict[SplitName, dict[str, int]] | None = Field(
        None, json_schema_extra=NEVER, description="samples of each class in each split"
    )
    size: tuple[int, int] | None = Field(
        None, json_schema_extra=NEVER, description="width and height of every image in px"
    )
    features: int | None = Field(
        None, ge=1, json_schema_extra=NEVER, description="values of every image: height x width"
    )


class DataConfig(Section):
    """Which images, which labels, which split, and how they are decoded."""

    source: Literal["folder", "npz", "csv", "synthetic"] = Field(
        description="where samples come from"
    )
    root: str | None = Field(
        None,
        json_schema_extra=NEVER,
        description="directory of the images; of an npz source, the file",
    )
    lock: str | None = Field(
        None,
        json_schema_extra=NEVER,
        description="lock that the set must be equal to, and that holds its splits",
    )
    layout: Literal["splits", "classes"] = Field(
        "splits", description="folders: train, val and test with classes in each, or classes alone"
    )
    cache_dir: str | None = Field(
        None, json_schema_extra=NEVER, description="decoded images; default: the user's cache"
    )
    classes: tuple[str, ...] = Field(
        (), max_length=1000, description="class names in label order; at least two"
    )
    class_globs: dict[str, str] | None = Field(
        None, description="glob over <folder>/<file> for each class; default: <class>/*"
    )
    group_pattern: str | None = Field(
        None, description="regular expression over the file name; its groups name the patient"
    )
    validation_fraction: float = Field(
        0.0, ge=0, le=0.5, description="share of groups held out of training; 0: the val directory"
    )
    test_fraction: float = Field(
        0.0, ge=0, le=0.5, description="share of groups for testing, of a set without splits"
    )
    split_seed: int = Field(0, ge=0, le=MAX_SEED, description="root of the split's streams")
    image_size: int = Field(64, ge=8, le=1024, description="height and width in px")
    window: WindowConfig = WindowConfig()
    channels: Literal[1, 3] = Field(1, description="1 for grey, 3 for RGB")
    resample: Literal["bilinear", "bicubic"] = Field("bilinear", description="resize filter")
    mean: Fraction = Field(0.5, description="mean of pixel/255, subtracted")
    std: float = Field(0.25, gt=0, le=1, description="deviation of pixel/255, divided by")
    pseudonym_key: str | None = Field(
        None,
        json_schema_extra=NEVER,
        description="file with a secret; records then name images by keyed digests of their paths",
    )
    accept: tuple[str, ...] = Field(
        (), json_schema_extra=NEVER, description="kinds of error that this set is known to have"
    )
    expect: ExpectConfig = ExpectConfig()
    csv: CsvConfig = CsvConfig()
    synthetic: SyntheticConfig = SyntheticConfig()
