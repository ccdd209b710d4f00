"""The config's fields: types, ranges, defaults, and at which levels each of them affects bits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from cxr.config.data_section import DataConfig
from cxr.config.record_name import NAME_PATTERN
from cxr.config.section import NATIVE, NEVER, PORTABLE, Fraction, Section, Sha256
from cxr.determinism.levels import Level
from cxr.determinism.streams import MAX_SEED

SubgroupRule = Annotated[dict[Literal["column", "pattern"], str], Field(min_length=1, max_length=1)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
StreamName = Literal["init", "order", "augment", "step"]
"""Streams that may have a root of their own."""
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
SafetensorsPath = Annotated[str, StringConstraints(pattern=r"\.safetensors$")]


class FileWeights(Section):
    """Initial weights from a local safetensors file; their content counts, as ``weights_in``."""

    source: Literal["file"] = Field(json_schema_extra=NEVER)
    path: SafetensorsPath = Field(json_schema_extra=NEVER, description="the safetensors file")
    sha256: Sha256 = Field(
        json_schema_extra=NEVER, description="SHA-256 that the file must have, as sha256:<hex>"
    )


class HubWeights(Section):
    """Initial weights from a model hub, at one revision; their content counts likewise."""

    source: Literal["hub"] = Field(json_schema_extra=NEVER)
    repo: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")] = Field(
        json_schema_extra=NEVER, description="owner/name"
    )
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None = Field(
        None,
        json_schema_extra=NEVER,
        description="full commit; a branch or tag may move, so neither will do",
    )
    file: SafetensorsPath = Field(
        "model.safetensors", json_schema_extra=NEVER, description="file in the repository"
    )
    sha256: Sha256 | None = Field(
        None, json_schema_extra=NEVER, description="SHA-256 that the file must have"
    )


class ModelConfig(Section):
    """Which network, and what it starts from."""

    name: str = Field(description="a timm model, or mlp")
    weights: Annotated[FileWeights | HubWeights, Field(discriminator="source")] | None = Field(
        None,
        json_schema_extra=NEVER,
        description="what it starts from; null: drawn from the seed. Their content counts, "
        "as `recipe.weights_in` of the manifest",
    )
    freeze: Literal["none", "backbone"] = Field("none", description="backbone: a linear probe")
    hidden: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = Field(
        (128,), description="widths of the mlp's hidden layers"
    )
    drop_rate: Fraction = Field(0.0, description="dropout before the classifier")
    drop_path_rate: Fraction = Field(0.0, description="stochastic depth, where the model has it")


class AugmentConfig(Section):
    """Changes made to a training image; every one is an exact integer operation."""

    flip: bool = Field(default=False, description="mirror left and right, every other time")
    pad: int = Field(0, ge=0, le=256, description="px added on each side, then cropped at random")
    zoom: float = Field(
        0.0, ge=0, lt=0.9, description="largest share of the side cropped away, then enlarged"
    )
    brightness: float = Field(0.0, ge=0, le=1, description="largest shift, as a share of 255")
    contrast: float = Field(0.0, ge=0, lt=1, description="largest change of the slope")


class TrainConfig(Section):
    """How weights are found."""

    epochs: int = Field(ge=1, le=100_000, description="passes over the training samples")
    batch_size: int = Field(
        ge=1, le=65_536, description="samples a step; an incomplete batch sits out"
    )
    shards: int = Field(1, ge=1, le=4096, description="logical parts of a batch, in order")
    optimizer: Literal["sgd", "adamw"] = Field("adamw", description="how weights are moved")
    lr: float = Field(1e-3, gt=0, le=100, description="learning rate, at its highest")
    min_lr: float = Field(0.0, ge=0, le=100, description="where cosine and one_cycle end")
    weight_decay: float = Field(0.01, ge=0, le=10, description="of matrices, not of vectors")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    nesterov: bool = Field(default=False, description="of sgd")
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = Field(
        (0.9, 0.999), description="of adamw"
    )
    eps: float = Field(1e-8, gt=0, le=1, description="of adamw")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        "constant", description="course of the learning rate after the warm-up"
    )
    warmup_epochs: float = Field(0.0, ge=0, description="epochs of linear rise from 0")
    class_weights: Literal["none", "balanced"] | tuple[Annotated[float, Field(gt=0)], ...] = Field(
        "none", description="weights in the loss, in class order"
    )
    loss: Literal["cross_entropy", "bce"] = Field(
        "cross_entropy",
        description="bce: binary cross-entropy of each label, for images with any number of them",
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of each label spread over all classes"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="bfloat16: autocast; weights stay float32"
    )
    augment: AugmentConfig = AugmentConfig()
    monitor: Literal["loss", "accuracy", "balanced_accuracy", "macro_f1", "auroc"] = Field(
        "auroc", description="validation figure that chooses weights and stops early"
    )
    keep_weights: Literal["best", "last"] = Field(
        "best", description="whose weights the run ends with"
    )
    patience: int | None = Field(
        None, ge=1, description="epochs without a better figure before stopping"
    )
    double_every: int = Field(
        100,
        ge=0,
        json_schema_extra=NEVER,
        description="steps from one that is run twice and compared to the next; 0: none",
    )
    tensor_digests_every: int = Field(
        1,
        ge=0,
        json_schema_extra=NEVER,
        description="steps from one whose tensors' digests are kept to the next; 0: none",
    )
    checkpoint_every: int = Field(
        1, ge=1, json_schema_extra=NEVER, description="epochs between checkpoints"
    )
    keep_checkpoints: int = Field(
        2, ge=1, json_schema_extra=NEVER, description="newest checkpoints that are kept"
    )

    @property
    def asks_each_label(self) -> bool:
        """Whether every label is asked for by itself, so that an image may have any number."""
        return self.loss == "bce"


class EvaluateConfig(Section):
    """What is predicted at the end."""

    split: Literal["train", "val", "test"] = Field("test", description="the split")
    batch_size: int = Field(
        64, ge=1, le=65_536, json_schema_extra=NATIVE, description="images a forward pass"
    )
    subgroups: dict[Name, SubgroupRule] = Field(
        {},
        json_schema_extra=NEVER,
        description="figures by value of a table's column, as `{sex: {column: Sex}}`, or of a "
        "regular expression over the path, as `{kind: {pattern: _(bacteria|virus)_}}`",
    )


class StreamsConfig(Section):
    """Roots of single streams, where one is to move and the others are to stay."""

    init: Seed | None = Field(None, description="root of the initial weights; null: `seed`")
    order: Seed | None = Field(None, description="root of the samples' order; null: `seed`")
    augment: Seed | None = Field(None, description="root of the augmentation; null: `seed`")
    step: Seed | None = Field(
        None, description="root of what a step draws, as dropout and drop path; null: `seed`"
    )


class PortableConfig(Section):
    """How the level ``portable`` computes."""

    slices: Literal[1, 2] = Field(
        1,
        json_schema_extra=PORTABLE,
        description="20-bit slices of each operand of a product; 2: nearly float64, and slower",
    )


class RunConfig(Section):
    """A whole recipe."""

    name: Name = Field("run", json_schema_extra=NEVER, description="first part of a run's name")
    seed: int = Field(ge=0, le=MAX_SEED, description="root of every random stream")
    streams: StreamsConfig = StreamsConfig()
    determinism: Level = Field(Level.STRICT, description="the promise asked for")
    threads: int = Field(
        ge=1, le=1024, json_schema_extra=NATIVE, description="threads inside one op"
    )
    workers: int = Field(
        0, ge=0, le=256, json_schema_extra=NEVER, description="threads that prepare batches"
    )
    device: Literal["cpu", "cuda"] = Field(
        "cpu", json_schema_extra=NATIVE, description="what computes; never chosen for you"
    )
    fill_memory: bool = Field(
        default=False,
        json_schema_extra=NATIVE,
        description="fill fresh memory, so that a kernel that reads it repeats",
    )
    portable: PortableConfig = PortableConfig()
    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    evaluate: EvaluateConfig = EvaluateConfig()

    def find_root(self, stream: StreamName) -> int:
        """Return the root of a stream: its own, or the seed."""
        own: int | None = getattr(self.streams, stream)
        return self.seed if own is None else own

    def list_own_roots(self) -> dict[str, int]:
        """Return the roots that are given for single streams, by stream."""
        return self.streams.model_dump(exclude_none=True)
