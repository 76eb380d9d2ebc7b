import numpy as np

from limner.engine.numpy.attention_decoder import attend
from limner.layers import attention_forward
from limner.models.attention import Regions


def test_attend_takes_each_rows_own_image(rng):
    values, keys = rng.standard_normal((3, 4, 6)), rng.standard_normal((3, 4, 2))
    regions, w = Regions(values, keys, np.arange(3)), rng.standard_normal(2)
    for rows in ([0, 0, 2], [2, 1, 1, 2, 0]):
        some = regions[np.array(rows)]
        query = rng.standard_normal((len(rows), 2))
        expected, _, _ = attention_forward(values[rows], keys[rows], query, w)
        np.testing.assert_allclose(attend(some, query, w), expected)
    assert some.values is values
    assert attend(regions[np.arange(0)], query[:0], w).shape == (0, 6)
