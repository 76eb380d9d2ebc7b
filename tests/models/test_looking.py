import numpy as np

from limner.layers import attention_forward
from limner.models.looking import SharedPlaces


def test_rows_look_at_their_pictures(rng):
    seen, keys = rng.standard_normal((3, 4, 6)), rng.standard_normal((3, 4, 2))
    places, w = SharedPlaces(seen, keys, np.arange(3)), rng.standard_normal(2)
    for rows in ([0, 0, 2], [2, 1, 1, 2, 0]):
        some = places[np.array(rows)]
        query = rng.standard_normal((len(rows), 2))
        expected, _, _ = attention_forward(seen[rows], keys[rows], query, w)
        np.testing.assert_allclose(some.look(query, w), expected)
    assert some.seen is seen
    assert places[:0].look(query[:0], w).shape == (0, 6)
