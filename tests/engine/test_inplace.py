import numpy as np
import pytest

from limner.engine.inplace import BLOCK, RULES, update
from limner.optim import UPDATE_RULES, checked_settings


def test_the_same_rules_as_optim():
    assert set(RULES) == set(UPDATE_RULES)


@pytest.mark.parametrize("size", [1, BLOCK, BLOCK + 3])
@pytest.mark.parametrize("rule", RULES)
def test_as_optim(rule, size, rng):
    w = rng.standard_normal(size)
    expected, config = w.copy(), None
    memory = {name: np.zeros(size) for name in RULES[rule][1]}
    for t in range(1, 4):
        dw = rng.standard_normal(size)
        expected, config = UPDATE_RULES[rule](expected, dw, config)
        update(rule, w, dw, memory, checked_settings(rule), t)
        np.testing.assert_allclose(w, expected, rtol=1e-12, atol=1e-14)
    for name, array in memory.items():
        np.testing.assert_allclose(array, config[name], rtol=1e-12)


def test_the_gradient_stays(rng):
    dw = rng.standard_normal(5)
    before = dw.copy()
    memory = {name: np.zeros(5) for name in RULES["adam"][1]}
    update("adam", np.ones(5), dw, memory, checked_settings("adam"), 1)
    np.testing.assert_array_equal(dw, before)
