from __future__ import annotations

import math

import pytest
import torch

from cxr.config.schema import TrainConfig
from cxr.training.loss import derive_share, prepare_targets


def configure(**train):
    return TrainConfig(epochs=1, batch_size=6, loss="bce", **train)


@pytest.fixture
def batch():
    """Logits, targets and what is known of six images with three labels."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, generator=generator) * 3
    labels = (torch.rand(6, 3, generator=generator) < 0.5).float()
    known = torch.rand(6, 3, generator=generator) < 0.7
    labels[~known] = 0
    return logits, labels, known


def compute(logits, labels, known, config, *, weights=None, shards=1):
    """Return the batch's loss and the gradient of its logits."""
    logits = logits.clone().requires_grad_()
    targets = prepare_targets(labels, known, weights)
    size = len(logits) // shards
    shares = []
    for start in range(0, len(logits), size):
        share = derive_share(logits[start : start + size], targets, start, config)
        share.backward()
        shares.append(share.detach())
    return sum(shares), logits.grad


def compute_by_hand(logits, labels, known, *, weights=(1, 1, 1), smoothing=0.0):
    """Return the mean over what is known, by the definition, in float64."""
    terms = []
    for row in range(len(logits)):
        for column, weight in enumerate(weights):
            if known[row, column]:
                share = 1 / (1 + math.exp(-float(logits[row, column])))
                wanted = float(labels[row, column]) * (1 - smoothing) + smoothing / 2
                terms.append(-weight * wanted * math.log(share))
                terms.append(-(1 - wanted) * math.log(1 - share))
    return math.fsum(terms) / int(known.sum())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_mean_over_the_labels_that_are_known(batch, smoothing):
    config = configure(label_smoothing=smoothing)
    weights = torch.tensor([0.5, 1.0, 3.0])
    loss, _ = compute(*batch, config, weights=weights)
    wanted = compute_by_hand(*batch, weights=(0.5, 1, 3), smoothing=smoothing)
    assert float(loss) == pytest.approx(wanted, rel=1e-5)
    assert float(compute(*batch, configure())[0]) == pytest.approx(
        compute_by_hand(*batch), rel=1e-5
    )


def test_what_is_not_known_has_no_gradient_and_no_effect(batch):
    logits, labels, known = batch
    loss, gradient = compute(logits, labels, known, configure())
    assert (gradient[~known] == 0).all()
    assert (gradient[known] != 0).all()
    logits[~known] += 5
    labels[~known] = 1
    again, same = compute(logits, labels, known, configure())
    assert torch.equal(loss, again)
    assert torch.equal(gradient, same)


@pytest.mark.parametrize("shards", [2, 3, 6])
def test_shards_add_up_to_the_batch_however_unevenly_labels_are_known(batch, shards):
    logits, labels, known = batch
    known[:3] = False
    whole, gradient = compute(logits, labels, known, configure())
    loss, parts = compute(logits, labels, known, configure(), shards=shards)
    assert float(loss) == pytest.approx(float(whole), rel=1e-6)
    # Each label's share is divided by the same number, whatever else is in its shard.
    assert torch.equal(parts, gradient)


def test_a_batch_of_which_nothing_is_known_has_no_loss_and_no_gradient(batch):
    logits, labels, known = batch
    loss, gradient = compute(logits, labels, known & False, configure(), shards=2)
    assert float(loss) == 0.0
    assert (gradient == 0).all()
