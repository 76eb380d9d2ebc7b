"""Minibatches: the same whatever gathers them."""

import multiprocessing
import pickle

import numpy as np
import pytest

from limner.data.loading import Minibatches
from limner.data.opening import open_dataset
from limner.errors import InputError, LimnerError


@pytest.fixture(scope="module")
def in_one_process(tiny_dataset):
    batches = Minibatches(tiny_dataset, batch_size=16, seed=5)
    return {epoch: all_of(batches, epoch) for epoch in (0, 1)}


def all_of(batches, epoch):
    batches.epoch = epoch
    return list(batches)


def test_every_caption_once_with_its_features(tiny_dataset, in_one_process):
    train = open_dataset(tiny_dataset).splits["train"]
    captions = np.concatenate([captions for captions, _ in in_one_process[0]])
    features = np.concatenate([features for _, features in in_one_process[0]])
    assert [len(captions) for captions, _ in in_one_process[0]] == [16] * 6 + [4]
    found = {(row.tobytes(), own.tobytes()) for row, own in zip(captions, features, strict=True)}
    own = zip(train.captions, train.features[train.image_idxs], strict=True)
    assert found == {(row.tobytes(), features.tobytes()) for row, features in own}


def test_another_epoch_or_seed_is_another_order(tiny_dataset, in_one_process):
    first = in_one_process[0][0][0]
    assert (first != in_one_process[1][0][0]).any()
    assert (first != next(iter(Minibatches(tiny_dataset, batch_size=16, seed=6)))[0]).any()


@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_with_workers(tiny_dataset, in_one_process, workers):
    """Processes that are spawned, and know nothing but the path."""
    batches = Minibatches(tiny_dataset, batch_size=16, seed=5, workers=workers)
    for epoch in (0, 1):
        found = all_of(batches, epoch)
        assert len(found) == len(batches) == 7
        for ours, theirs in zip(found, in_one_process[epoch], strict=True):
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])


def test_handed_over_it_is_small(tiny_dataset, in_one_process):
    content = pickle.dumps(Minibatches(tiny_dataset, batch_size=16, seed=5))
    assert len(content) < 1000
    again = pickle.loads(content)
    np.testing.assert_array_equal(all_of(again, 1)[3][1], in_one_process[1][3][1])


def test_views_depend_on_the_seed(tiny_dataset, in_one_process, monkeypatch):
    batches = Minibatches(tiny_dataset, batch_size=100, seed=5)
    split = batches._split
    object.__setattr__(split, "views", (split.features + 1000,))
    (first,) = [features for _, features in batches]
    (second,) = [features for _, features in batches]
    np.testing.assert_array_equal(first, second)
    assert 20 < (first > 500).all(axis=1).sum() < 80


def test_no_such_split(tiny_dataset):
    with pytest.raises(InputError, match="no split winter; it has train, dev, test"):
        Minibatches(tiny_dataset, "winter")


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"workers": -1}, {"seed": -1}])
def test_numbers_that_make_no_sense(tiny_dataset, wrong):
    with pytest.raises(ValueError, match="expected a batch of at least 1"):
        Minibatches(tiny_dataset, **wrong)


def test_no_grid(tiny_dataset):
    with pytest.raises(InputError, match="has no region features; prepare it with `features` grid"):
        Minibatches(tiny_dataset, grid=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_is_killed(tiny_dataset, in_one_process, workers):
    batches = Minibatches(tiny_dataset, batch_size=16, seed=5, workers=workers)
    first = iter(batches)
    next(first)
    multiprocessing.active_children()[-1].kill()
    with pytest.raises(LimnerError, match="a worker has ended"):
        list(first)
    assert len(all_of(batches, 0)) == 7  # begins anew


def test_an_epoch_that_is_left_half_way(tiny_dataset, in_one_process):
    batches = Minibatches(tiny_dataset, batch_size=16, seed=5, workers=2)
    for captions, _ in batches:
        np.testing.assert_array_equal(captions, in_one_process[0][0][0])
        break
    for ours, theirs in zip(all_of(batches, 1), in_one_process[1], strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])


def test_worker_errors_are_raised_in_the_main_process(tiny_dataset):
    batches = Minibatches(tiny_dataset, batch_size=16, workers=1)
    batches.epoch = -1  # no seed
    with pytest.raises(ValueError, match="expected non-negative integer"):
        list(batches)
