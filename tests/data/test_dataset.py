"""A dataset's splits: minibatches, views, and which one to validate on."""

import numpy as np
import pytest

from limner.data.dataset import Split
from limner.data.opening import open_dataset
from limner.errors import InputError


def test_minibatch():
    split = Split(
        np.array([[1, 4, 2], [1, 5, 2], [1, 6, 2]]),
        np.array([1, 0, 1]),
        np.array([[0.5, 1], [2, 3]], np.float32),
        ("a", "b"),
    )
    features, captions, image_idxs = split.minibatch(np.array([2, 1]))
    assert image_idxs.tolist() == [0, 1]
    assert captions.tolist() == [[1, 6, 2], [1, 5, 2]]
    assert features.tolist() == [[2, 3], [0.5, 1]]


def test_features_are_sampled_from_image_and_views():
    captions = np.array([[1, 4, 2]] * 600)
    features = np.arange(300, dtype=np.float32)[:, None]
    views = (features + 1000, features + 2000)
    split = Split(captions, np.repeat(np.arange(300), 2), features, (), views)
    rows, rng = np.arange(2, 600), np.random.default_rng(0)
    shared, _, whose = split.by_image(rows, rng)
    assert shared.shape == (299, 1)
    np.testing.assert_array_equal(shared[whose, 0] % 1000, split.image_idxs[rows])
    assert (np.bincount(shared[:, 0].astype(int) // 1000) > 70).all()
    each, _, _ = split.minibatch(rows, rng)
    assert (np.bincount(each[:, 0].astype(int) // 1000) > 150).all()
    np.random.seed(0)
    first, again = split.minibatch(rows)[0], split.minibatch(rows)[0]
    np.random.seed(0)  # None is the global state
    np.testing.assert_array_equal(split.minibatch(rows)[0], first)
    assert (first != again).any()
    assert (features < 1000).all()


def test_the_split_to_validate_on(tiny_dataset):
    dataset = open_dataset(tiny_dataset)
    dev, test = dataset.splits["dev"], dataset.splits["test"]
    assert dataset.split() == ("dev", dev)
    assert dataset.split("test") == ("test", test)
    del dataset.splits["dev"]
    assert dataset.split() == ("test", test)
    dataset.splits["val"] = dev
    assert dataset.split() == ("val", dev)
    with pytest.raises(InputError, match=r"no split dev; it has train, test, val"):
        dataset.split("dev")
