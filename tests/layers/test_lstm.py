"""The values that the course's notebook publishes; what every cell must do is in test_cells.py."""

import numpy as np

from limner.layers import lstm_step_forward


def test_the_courses_step():
    N, D, H = 3, 4, 5
    next_h, next_c, _ = lstm_step_forward(
        np.linspace(-0.4, 1.2, num=N * D).reshape(N, D),
        np.linspace(-0.3, 0.7, num=N * H).reshape(N, H),
        np.linspace(-0.4, 0.9, num=N * H).reshape(N, H),
        np.linspace(-2.1, 1.3, num=4 * D * H).reshape(D, 4 * H),
        np.linspace(-0.7, 2.2, num=4 * H * H).reshape(H, 4 * H),
        np.linspace(0.3, 0.7, num=4 * H),
    )
    expected_next_h = [
        [0.24635157, 0.28610883, 0.32240467, 0.35525807, 0.38474904],
        [0.49223563, 0.55611431, 0.61507696, 0.66844003, 0.7159181],
        [0.56735664, 0.66310127, 0.74419266, 0.80889665, 0.858299],
    ]
    expected_next_c = [
        [0.32986176, 0.39145139, 0.451556, 0.51014116, 0.56717407],
        [0.66382255, 0.76674007, 0.87195994, 0.97902709, 1.08751345],
        [0.74192008, 0.90592151, 1.07717006, 1.25120233, 1.42395676],
    ]
    np.testing.assert_allclose(next_h, expected_next_h, atol=1e-8)
    np.testing.assert_allclose(next_c, expected_next_c, atol=1e-8)
