import numpy as np
import pytest

from limner.engine.numpy import fast_decoder
from limner.engine.numpy.cells import FAST_CELLS
from limner.engine.numpy.recurrent_decoder import RecurrentDecoder
from limner.models import CaptioningRNN

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3} | {f"w{i}": i for i in range(4, 40)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("num_rows", [1, 100])
@pytest.mark.parametrize("cell_type", FAST_CELLS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 3, "tied": True}], ids=["plain", "deep"])
def test_as_the_models_own_step(options, cell_type, num_rows, dtype, rng):
    model = CaptioningRNN(WORDS, 5, 7, 7, cell_type, dtype, rng=rng, **options)
    for name in ("b", "b_vocab"):
        model.params[name] = rng.standard_normal(model.params[name].shape).astype(dtype)
    fast = fast_decoder(model)
    assert isinstance(fast, RecurrentDecoder)
    plain_state = fast_state = model.start(rng.standard_normal((num_rows, 5)))
    tolerance = {np.float32: 1e-5, np.float64: 1e-12}[dtype]
    for _ in range(4):
        words = rng.integers(40, size=num_rows)
        scores, plain_state = model.step(words, plain_state)
        fast_scores, fast_state = fast.step(words, fast_state)
        assert fast_scores.dtype == dtype
        np.testing.assert_allclose(fast_scores, scores, rtol=tolerance, atol=tolerance)
        for mine, its in zip(fast_state, plain_state, strict=True):
            np.testing.assert_allclose(mine, its, rtol=tolerance, atol=tolerance)
