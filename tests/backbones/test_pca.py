"""Principal components, beside those of a singular value decomposition in float64."""

import numpy as np
import pytest

from limner.backbones.pca import Projection, fit
from limner.data.blocks import blocks
from limner.errors import InputError


@pytest.fixture
def features(rng):
    """300 rows of 24 numbers, of falling variance and far from the origin."""
    scale = 2.0 ** -np.arange(24)
    mixed = (rng.standard_normal((300, 24)) * scale) @ np.linalg.qr(rng.standard_normal((24, 24)))[
        0
    ]
    return (mixed + 50).astype(np.float32)


def by_svd(features, dim):
    """(mean, components, explained) of the centred rows, one SVD of all of them."""
    rows = features.astype(np.float64)
    _, values, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    return rows.mean(axis=0), directions[:dim].T, (values**2 / (values**2).sum())[:dim]


@pytest.mark.parametrize("size", [1, 7, 300, 1000])
def test_components_are_the_singular_vectors(features, size):
    """Whatever the size of the blocks."""
    parts = [features[i : i + size] for i in range(0, 300, size)]
    found = fit(lambda: parts, dim=5)
    mean, components, explained = by_svd(features, 5)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(found.explained, explained, rtol=1e-4)
    np.testing.assert_allclose(np.abs(found.components.T @ components), np.eye(5), atol=1e-4)
    assert (
        np.take_along_axis(found.components, np.abs(found.components).argmax(axis=0)[None], axis=0)
        > 0
    ).all()


def test_projected_rows_are_centred_uncorrelated_and_keep_the_variance(features):
    found = fit(lambda: blocks(features), dim=6)
    projected = found.project(features).astype(np.float64)
    assert projected.shape == (300, 6)
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-4)
    covariance = projected.T @ projected
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-2)
    kept = np.diag(covariance) / (features - features.mean(axis=0, dtype=np.float64)).var(0).sum()
    np.testing.assert_allclose(kept / 300, found.explained, rtol=1e-3)
    assert 0.99 < found.explained.sum() <= 1


def test_a_large_mean_costs_no_precision(rng):
    """Sums of squares with the mean taken off afterwards would be noise here."""
    rows = (1e4 + rng.standard_normal((500, 6)) * [8, 4, 2, 1, 0.5, 0.25]).astype(np.float32)
    _, _, explained = by_svd(rows, 6)
    found = fit(lambda: blocks(rows), dim=6)
    np.testing.assert_allclose(found.explained, explained, rtol=1e-2)


def test_every_place_of_a_grid_is_a_row(rng):
    grid = rng.standard_normal((20, 9, 8)).astype(np.float16)
    found = fit(lambda: blocks(grid), dim=3)
    _, _, explained = by_svd(grid.reshape(-1, 8), 3)
    np.testing.assert_allclose(found.explained, explained, rtol=1e-3)
    assert found.project(grid).shape == (20, 9, 3)


def test_kept_and_read_again(features, tmp_path):
    found = fit(lambda: blocks(features), dim=4)
    found.save(tmp_path / "pca.safetensors")
    again = Projection.load(tmp_path / "pca.safetensors")
    np.testing.assert_array_equal(again.project(features), found.project(features))
    assert again.describe() == found.describe()
    assert again.describe().dim == 4
    assert fit(lambda: blocks(features), dim=3).sha256 != found.sha256


def test_more_components_than_numbers(features):
    with pytest.raises(InputError, match="`pca` 25: features of 24 numbers have no more"):
        fit(lambda: blocks(features), dim=25)


def test_a_damaged_file(tmp_path):
    file = tmp_path / "pca.safetensors"
    for content in (b"", b"{}", b"\0" * 100):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"pca\.safetensors: no principal components"):
            Projection.load(file)
