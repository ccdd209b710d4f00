from __future__ import annotations

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler

from cxr.integrations.drawn_samples import DrawnSamples, name_sampler


class Numbers(Dataset):
    def __len__(self):
        return 7

    def __getitem__(self, index):
        return index


class Stream(IterableDataset):
    def __iter__(self):
        yield from range(4)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_samples_of_each_batch_are_those_that_were_drawn(workers):
    generator = torch.Generator().manual_seed(3)
    loader = DataLoader(
        Numbers(), batch_size=3, shuffle=True, num_workers=workers, generator=generator
    )
    drawn = DrawnSamples(loader)
    for _ in range(2):
        for batch in loader:
            assert drawn.take_batch() == batch.tolist()


def test_an_epoch_that_was_left_early_does_not_shift_the_next():
    loader = DataLoader(Numbers(), batch_size=2, shuffle=True, num_workers=1)
    drawn = DrawnSamples(loader)
    next(iter(loader))
    drawn.take_batch()
    for batch in loader:
        assert drawn.take_batch() == batch.tolist()


def test_watching_a_loader_twice_is_watching_it_once():
    loader = DataLoader(Numbers(), batch_size=2)
    DrawnSamples(loader)
    drawn = DrawnSamples(loader)
    assert [drawn.take_batch() for _ in loader] == [[0, 1], [2, 3], [4, 5], [6]]


def test_watching_changes_no_order_and_hides_nothing_of_the_sampler():
    sampler = RandomSampler(Numbers(), generator=torch.Generator().manual_seed(5))
    plain = DataLoader(Numbers(), batch_size=2, sampler=sampler)
    order = [batch.tolist() for batch in plain]
    sampler.generator.manual_seed(5)
    DrawnSamples(plain)
    assert [batch.tolist() for batch in plain] == order
    assert plain.batch_sampler.sampler.num_samples == 7
    assert (len(plain), name_sampler(plain)) == (4, "RandomSampler")


def test_of_other_loaders_nothing_is_known_and_it_is_said():
    class Own(BatchSampler):
        pass

    own = DataLoader(Numbers(), batch_sampler=Own(range(7), 2, drop_last=False))
    stream = DataLoader(Stream(), batch_size=2)
    for loader, why in ((stream, "stream"), (own, "no batch sampler"), ([1, 2], "no batch")):
        drawn = DrawnSamples(loader)
        assert drawn.take_batch() is None
        assert why in drawn.reason
