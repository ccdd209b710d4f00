"""What a run reads, found and checked; without torch, which takes seconds to load."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cxr.config.control_plan import derive_control_plan
from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset, load_dataset
from cxr.data.subgroup_values import SubgroupValues, read_subgroup_values
from cxr.determinism.controls import set_early_variables
from cxr.progress import Progress
from cxr.training.requirements import require_enough_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The data of a run.

    Attributes:
        dataset: All splits, looked at and sound.
        subgroups: In which subgroups each image of the evaluated split is.
    """

    dataset: Dataset
    subgroups: SubgroupValues


def find_inputs(config: RunConfig, progress: Progress, *, recorded: Collection[str] = ()) -> Inputs:
    """Find and check the data that a recipe names.

    Args:
        config: The recipe.
        progress: Told how far it is.
        recorded: Digests of data that may have errors: that of a recorded run, where one is gone
            on with or run again.

    Raises:
        CxrError: Something is missing or wrong; nothing was written but the decode cache.
    """
    set_early_variables(derive_control_plan(config))
    dataset = load_dataset(config.data, recorded=recorded, progress=progress)
    require_enough_samples(config, dataset)
    return Inputs(dataset=dataset, subgroups=read_subgroup_values(config, dataset.lock))
