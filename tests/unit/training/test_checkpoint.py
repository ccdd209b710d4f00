"""A checkpoint is restored whole or not at all, and damaged ones are passed over."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import safetensors.torch
import torch

from cxr.determinism.levels import Level
from cxr.determinism.seeding import seed_global_generators
from cxr.digests.canonical import digest_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.models.mlp import Mlp
from cxr.models.weights import copy_weights
from cxr.records.ledger import LedgerWriter
from cxr.records.manifest import digest_files
from cxr.records.run_directory import LEDGER
from cxr.training.checkpoint import (
    Checkpoint,
    list_checkpoints,
    restore_checkpoint,
    write_checkpoint,
)
from cxr.training.optimizer import build_optimizer
from cxr.training.resume import find_passed_over, find_place
from cxr.training.selection import Selection
from cxr.training.step import Learner
from cxr.training.tally import Tally
from cxr.training.trace import trace_buffers, trace_optimizer, trace_parameters
from support.recipes import load_recipe, vectors

STEPS = 3
KINDS = ("json", "safetensors")
PAGE = Path(__file__).parents[3] / "docs" / "formats" / "run-directory.md"


def make_learner(**changes):
    """A small learner that has taken no step."""
    config = load_recipe(vectors(**changes))
    seed_global_generators(5)
    network = Mlp(num_features=6, hidden=[4], num_classes=3, drop_rate=0.0)
    return Learner(
        config=config,
        network=network,
        optimizer=build_optimizer(network, config.train, level=Level.STRICT),
        class_weights=None,
        steps_per_epoch=STEPS,
    )


def take_step(learner):
    learner.optimizer.zero_grad()
    learner.network(torch.ones(2, 6)).square().sum().backward()
    learner.optimizer.step()


def keep(run, learner, epoch, head="0" * 64):
    """Write the checkpoint of the epochs before ``epoch``."""
    best = copy_weights(learner.network)
    write_checkpoint(
        run,
        learner,
        Checkpoint(
            next_epoch=epoch,
            next_step=epoch * STEPS,
            ledger_head=head,
            selection=Selection(epoch - 1, 0.5, 0),
            tally=Tally().to_json(),
            best_weights=best if learner.config.train.keep_weights == "best" else None,
        ),
    )


def copy_state(learner):
    """Everything of a learner that a checkpoint holds, copied."""
    state = {name: value.clone() for name, value in learner.network.state_dict().items()}
    for index, parameter in enumerate(learner.network.parameters()):
        for name, value in learner.optimizer.state.get(parameter, {}).items():
            state[f"{index}.{name}"] = value.clone()
    return state


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def run(tmp_path):
    """A run directory with checkpoints after two epochs."""
    learner = make_learner()
    with LedgerWriter(tmp_path) as ledger:
        for step in range(2 * STEPS):
            take_step(learner)
            ledger.append(step, step // STEPS, {"samples": {}, **trace(learner)})
            if (step + 1) % STEPS == 0:
                keep(tmp_path, learner, step // STEPS + 1, ledger.head)
    return tmp_path


def trace(learner):
    """What a ledger line says of the state after a step."""
    return {
        "buffers": trace_buffers(learner.network),
        "optimizer": trace_optimizer(learner.optimizer, learner.network),
        "parameters": trace_parameters(learner.network),
    }


def find(run, learner, notes, **manifest):
    return find_place(run, manifest, learner, notes)


def rewrite(path, edit):
    """Edit a checkpoint's tensors and let its JSON have their digest, so that only they misfit."""
    tensors_path = path.with_suffix(".safetensors")
    tensors = safetensors.torch.load_file(tensors_path)
    edit(tensors)
    safetensors.torch.save_file(tensors, tensors_path)
    edit_json(path, "tensors", digest_file(tensors_path))


def resize_last(tensors):
    # The last that is copied: those before it would be in the network already.
    tensors["model/classifier.bias"] = torch.zeros(4)


def change_dtype(tensors):
    tensors["model/classifier.bias"] = tensors["model/classifier.bias"].double()


def remove_tensor(tensors):
    del tensors["model/classifier.bias"]


def add_tensor(tensors):
    tensors["model/another"] = torch.zeros(1)


def resize_moment(tensors):
    tensors["optimizer/classifier.weight.exp_avg"] = torch.zeros(1)


def remove_moment(tensors):
    del tensors["optimizer/classifier.weight.exp_avg_sq"]


def rename_moment(tensors):
    name = "optimizer/classifier.weight."
    tensors[f"{name}momentum_buffer"] = tensors.pop(f"{name}exp_avg")


def remove_best(tensors):
    for name in [name for name in tensors if name.startswith("best/")]:
        del tensors[name]


def resize_best(tensors):
    tensors["best/classifier.bias"] = torch.zeros(4)


@pytest.mark.parametrize(
    "edit",
    [
        resize_last,
        change_dtype,
        remove_tensor,
        add_tensor,
        resize_moment,
        remove_moment,
        rename_moment,
        remove_best,
        resize_best,
    ],
)
def test_a_checkpoint_that_does_not_fit_leaves_the_learner_as_it_was(run, edit):
    newest = list_checkpoints(run)[-1]
    rewrite(newest, edit)
    learner = make_learner()
    before = copy_state(learner)
    with pytest.raises(RecordError, match="damaged or is not of this recipe") as caught:
        restore_checkpoint(newest, learner)
    assert caught.value.where == str(newest)
    assert equal(copy_state(learner), before)


def flip_byte(path):
    content = bytearray(path.with_suffix(".safetensors").read_bytes())
    content[-1] ^= 1
    path.with_suffix(".safetensors").write_bytes(content)


def cut_tensors(path):
    content = path.with_suffix(".safetensors").read_bytes()
    path.with_suffix(".safetensors").write_bytes(content[:100])


def remove_tensors(path):
    path.with_suffix(".safetensors").unlink()


def cut_json(path):
    path.write_bytes(path.read_bytes()[:50])


def empty_json(path):
    path.write_bytes(b"")


def replace_tensors(path):
    path.with_suffix(".safetensors").write_bytes(b"no tensors")
    digest = digest_file(path.with_suffix(".safetensors"))
    edit_json(path, "tensors", digest)


def edit_json(path, name, value):
    """Edit a checkpoint's JSON and give it the digest of what it now holds."""
    content = {**json.loads(path.read_bytes()), name: value}
    del content["digest"]
    path.write_text(json.dumps({**content, "digest": digest_json(content)}))


def edit_json_alone(path, name, value):
    path.write_text(json.dumps({**json.loads(path.read_bytes()), name: value}))


def edit_parameter(tensors):
    tensors["model/classifier.bias"][0] += 1


def edit_moment(tensors):
    tensors["optimizer/classifier.weight.exp_avg_sq"][0] += 1


def edit_count(tensors):
    tensors["optimizer/classifier.weight.step"] += 1


def edit_best(tensors):
    tensors["best/classifier.bias"][0] += 1


@pytest.mark.parametrize(
    "damage",
    [
        flip_byte,
        cut_tensors,
        remove_tensors,
        cut_json,
        empty_json,
        replace_tensors,
        lambda path: edit_json(path, "schema", "cxr.checkpoint/2"),
        lambda path: edit_json(path, "next_epoch", "2"),
        lambda path: edit_json(path, "next_step", 7),
        lambda path: edit_json(path, "selection", {"best": 1}),
        lambda path: edit_json(path, "selection", {"epoch": 1, "figure": "x", "epochs_since": 0}),
        lambda path: edit_json(path, "tally", {}),
        lambda path: edit_json(path, "note", "planted"),
        lambda path: edit_json(path, "ledger_head", "0" * 64),
        lambda path: edit_json_alone(
            path, "selection", {"epoch": 0, "figure": 1.0, "epochs_since": 0}
        ),
        lambda path: edit_json_alone(path, "digest", "sha256:" + "0" * 64),
        lambda path: rewrite(path, edit_parameter),
        lambda path: rewrite(path, edit_moment),
        lambda path: rewrite(path, edit_count),
        lambda path: rewrite(path, edit_best),
    ],
)
def test_a_damaged_one_is_named_and_the_one_before_it_is_taken(run, damage):
    sound, newest = list_checkpoints(run)
    wanted = make_learner()
    restore_checkpoint(sound, wanted)
    damage(newest)
    learner, notes = make_learner(), Notes()
    place = find(run, learner, notes)
    assert (place.next_epoch, place.next_step) == (1, STEPS)
    assert equal(copy_state(learner), copy_state(wanted))
    assert newest.name in notes[0]
    assert notes[1:] == [f"going on after step {STEPS - 1}"]


def test_where_all_are_damaged_the_steps_are_run_from_the_first(run):
    for path in list_checkpoints(run):
        flip_byte(path)
    learner, notes = make_learner(), Notes()
    before = copy_state(learner)
    assert find(run, learner, notes) is None
    assert equal(copy_state(learner), before)
    assert [note for note in notes if "from the first" in note] == notes[2:]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"train__optimizer": "sgd"},
        {"train__optimizer": "sgd", "train__momentum": 0.0},
        {"train__keep_weights": "last"},
    ],
)
def test_what_is_restored_is_what_was_kept(tmp_path, changes):
    learner = make_learner(**changes)
    take_step(learner)
    keep(tmp_path, learner, 1)
    again = make_learner(**changes)
    [path] = list_checkpoints(tmp_path)
    place = restore_checkpoint(path, again)
    kept = {name: value for name, value in copy_state(learner).items() if value is not None}
    assert equal(copy_state(again), kept)
    assert (place.next_epoch, place.selection) == (1, Selection(0, 0.5, 0))
    assert (place.best_weights is None) is (changes == {"train__keep_weights": "last"})
    # Both go on alike.
    for one in (learner, again):
        take_step(one)
    assert equal(copy_state(learner), copy_state(again))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_newest_are_kept(tmp_path, number):
    learner = make_learner(train__keep_checkpoints=number)
    take_step(learner)
    for epoch in range(1, 5):
        keep(tmp_path, learner, epoch)
    stems = [f"step-{epoch * STEPS:09d}" for epoch in range(1, 5)][-number:]
    assert names(tmp_path) == sorted(f"{stem}.{kind}" for stem in stems for kind in KINDS)


def test_those_behind_the_place_that_the_run_goes_on_from_are_passed_over(run):
    first, second = list_checkpoints(run)
    assert find_passed_over(run, restore_checkpoint(second, make_learner())) == []
    assert find_passed_over(run, restore_checkpoint(first, make_learner())) == [second]
    assert find_passed_over(run, None) == [first, second]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", ["edited", "not named"])
def test_one_that_is_not_as_the_manifest_names_it_is_passed_over(run, kind, change):
    files = digest_files(run)
    assert find(run, make_learner(), Notes(), files=files).next_epoch == 2
    newest = list_checkpoints(run)[-1]
    name = f"checkpoints/{newest.with_suffix(f'.{kind}').name}"
    if change == "edited":
        files[name] = "sha256:" + "0" * 64
    else:
        del files[name]
    notes = Notes()
    assert find(run, make_learner(), notes, files=files).next_epoch == 1
    assert notes[0].startswith(f"a checkpoint was changed since the run stopped: {newest.name}")


def test_without_the_ledger_no_checkpoint_is_relied_on(run):
    (run / LEDGER).unlink()
    assert find(run, make_learner(), Notes()) is None


def test_the_documented_example_is_sealed_and_has_the_keys_that_are_written(run):
    text = PAGE.read_text(encoding="utf-8")
    [example] = re.findall(r"^{.*\"schema\":\"cxr.checkpoint/1\".*}$", text, flags=re.MULTILINE)
    documented, written = (
        json.loads(content) for content in (example, list_checkpoints(run)[-1].read_bytes())
    )
    assert list(documented) == list(written)
    for name in ("selection", "tally"):
        assert list(documented[name]) == list(written[name])
    digest = documented.pop("digest")
    assert digest == digest_json(documented)


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


class Notes(list):
    """Progress that keeps what it is told."""

    def note(self, text):
        self.append(text)
