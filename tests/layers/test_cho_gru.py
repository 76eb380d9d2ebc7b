"""What is Cho's own: the reset gate before the product. The rest is in test_cells.py."""

import numpy as np

from limner.layers import gru_step_forward
from limner.layers.cho_gru import cho_gru_step_forward


def test_the_papers_formulas_number_by_number(rng):
    N, D, H = 3, 2, 4
    x, h = rng.standard_normal((N, D)), rng.standard_normal((N, H))
    Wx, Wh, b = (rng.standard_normal(s) for s in ((D, 3 * H), (H, 3 * H), 3 * H))
    found, _ = cho_gru_step_forward(x, h, Wx, Wh, b)
    logistic = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    for n in range(N):
        a = [x[n] @ Wx[:, g * H : (g + 1) * H] + b[g * H : (g + 1) * H] for g in range(3)]
        U = [Wh[:, g * H : (g + 1) * H] for g in range(3)]
        r, z = logistic(a[0] + h[n] @ U[0]), logistic(a[1] + h[n] @ U[1])
        new = np.tanh(a[2] + (r * h[n]) @ U[2])
        np.testing.assert_allclose(found[n], z * h[n] + (1 - z) * new, rtol=1e-12)
    assert np.abs(found - gru_step_forward(x, h, Wx, Wh, b)[0]).max() > 0.01
