import numpy as np
import pytest

from limner.optim import (
    BLOCK,
    RULES,
    adam,
    adamw,
    checked_settings,
    rmsprop,
    sgd,
    sgd_momentum,
    update,
)

COURSE = {
    "sgd": sgd,
    "sgd_momentum": sgd_momentum,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
}

TORCH_TWINS = {
    "sgd": ("SGD", {}),
    "sgd_momentum": ("SGD", {"momentum": 0.9}),
    "rmsprop": ("RMSprop", {"alpha": 0.99, "eps": 1e-8}),
}


def test_the_courses_momentum_step():
    w = np.linspace(-0.4, 0.6, num=20).reshape(4, 5)
    dw = np.linspace(-0.6, 0.4, num=20).reshape(4, 5)
    v = np.linspace(0.6, 0.9, num=20).reshape(4, 5)
    next_w, config = sgd_momentum(w, dw, {"learning_rate": 1e-3, "velocity": v})
    assert next_w[0].round(8).tolist() == [0.1406, 0.20738947, 0.27417895, 0.34096842, 0.40775789]
    assert config["velocity"][0, :2].round(8).tolist() == [0.5406, 0.55475789]


def test_the_courses_rmsprop_step():
    w = np.linspace(-0.4, 0.6, num=20).reshape(4, 5)
    dw = np.linspace(-0.6, 0.4, num=20).reshape(4, 5)
    cache = np.linspace(0.6, 0.9, num=20).reshape(4, 5)
    next_w, config = rmsprop(w, dw, {"learning_rate": 1e-2, "cache": cache})
    assert next_w[0, :2].round(8).tolist() == [-0.39223849, -0.34037513]
    assert config["cache"][0, :2].round(8).tolist() == [0.5976, 0.6126277]


def test_the_courses_adam_step():
    w = np.linspace(-0.4, 0.6, num=20).reshape(4, 5)
    dw = np.linspace(-0.6, 0.4, num=20).reshape(4, 5)
    m = np.linspace(0.6, 0.9, num=20).reshape(4, 5)
    v = np.linspace(0.7, 0.5, num=20).reshape(4, 5)
    next_w, config = adam(w, dw, {"learning_rate": 1e-2, "m": m, "v": v, "t": 5})
    # The course corrects the bias before epsilon, this form after it: they differ by 1e-8.
    np.testing.assert_allclose(next_w[0, :3], [-0.40094747, -0.34836187, -0.29577703], atol=1e-7)
    assert config["t"] == 6
    assert config["m"][0, 0] == pytest.approx(0.48)
    assert config["v"][0, 0] == pytest.approx(0.69966)


def test_adams_formula_with_a_large_epsilon():
    w, g = np.array([1.0]), np.array([0.3])
    settings = {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.9, "epsilon": 0.5}
    next_w, config = adam(w, g, settings)
    next_w, config = adam(next_w, g, config)
    m, v = 0.3 * (1 - 0.8**2), 0.09 * (1 - 0.9**2)
    first = 0.1 * np.sqrt(0.1) / 0.2 * 0.06 / (np.sqrt(0.009) + 0.5)
    second = 0.1 * np.sqrt(1 - 0.81) / (1 - 0.64) * m / (np.sqrt(v) + 0.5)
    assert next_w[0] == pytest.approx(1.0 - first - second, rel=1e-12)


@pytest.mark.parametrize("name", COURSE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_contract(name, dtype):
    """Every rule: config starts as None, types stay, arrays stay, a quadratic goes down."""
    rule, config = COURSE[name], None
    w = np.array([3.0, -2.0], dtype=dtype)
    start = w.copy()
    for _ in range(300):
        before, gradient = w, 2 * w
        kept = before.copy(), gradient.copy()
        w, config = rule(w, gradient, config)
        np.testing.assert_array_equal(before, kept[0])
        np.testing.assert_array_equal(gradient, kept[1])
        config["learning_rate"] = np.float64(0.02)  # as from np.logspace: must not upcast
    assert w.dtype == dtype
    assert np.abs(w).max() < 0.1 * np.abs(start).max()


def test_sgd():
    next_w, config = sgd(np.array([1.0]), np.array([2.0]), {"learning_rate": 0.25})
    assert next_w.tolist() == [0.5]
    assert config == {"learning_rate": 0.25}


@pytest.mark.torch
@pytest.mark.parametrize("name", TORCH_TWINS)
def test_equals_pytorch(name, rng):
    torch = pytest.importorskip("torch")
    twin, settings = TORCH_TWINS[name]
    w, config = rng.standard_normal(5), {"learning_rate": 0.01}
    theirs = torch.tensor(w.copy(), requires_grad=True)
    optimizer = getattr(torch.optim, twin)([theirs], lr=0.01, **settings)
    for _ in range(10):
        w, config = COURSE[name](w, np.sin(w), config)
        optimizer.zero_grad()
        theirs.grad = torch.sin(theirs.detach())
        optimizer.step()
    np.testing.assert_allclose(w, theirs.detach().numpy(), rtol=1e-9)


@pytest.mark.torch
def test_adam_equals_pytorch_where_epsilon_is_nothing(rng):
    torch = pytest.importorskip("torch")
    w, config = rng.standard_normal(5), {"learning_rate": 0.01, "epsilon": 1e-16}
    theirs = torch.tensor(w.copy(), requires_grad=True)
    optimizer = torch.optim.Adam([theirs], lr=0.01, eps=1e-16)
    for _ in range(10):
        w, config = adam(w, np.sin(w), config)
        theirs.grad = torch.sin(theirs.detach())
        optimizer.step()
    np.testing.assert_allclose(w, theirs.detach().numpy(), rtol=1e-9)


def test_every_rule_has_the_courses_form():
    assert COURSE.keys() == RULES.keys()


def formula(rule, w, dw, memory, t):
    """The textbook's formulas, out of place."""
    c = checked_settings(rule)
    rate = c["learning_rate"]
    if rule == "sgd":
        return w - rate * dw, {}
    if rule == "sgd_momentum":
        velocity = c["momentum"] * memory["velocity"] - rate * dw
        return w + velocity, {"velocity": velocity}
    if rule == "rmsprop":
        cache = c["decay_rate"] * memory["cache"] + (1 - c["decay_rate"]) * dw**2
        return w - rate * dw / (np.sqrt(cache) + c["epsilon"]), {"cache": cache}
    m = c["beta1"] * memory["m"] + (1 - c["beta1"]) * dw
    v = c["beta2"] * memory["v"] + (1 - c["beta2"]) * dw**2
    step = rate * np.sqrt(1 - c["beta2"] ** t) / (1 - c["beta1"] ** t)
    w = w - rate * c.get("weight_decay", 0.0) * w
    return w - step * m / (np.sqrt(v) + c["epsilon"]), {"m": m, "v": v}


@pytest.mark.parametrize("size", [1, BLOCK, BLOCK + 3])
@pytest.mark.parametrize("rule", RULES)
def test_update_in_place_is_the_formula(rule, size, rng):
    w = rng.standard_normal(size)
    memory = {name: np.zeros(size) for name in RULES[rule].memory}
    expected, remembered = w.copy(), {name: a.copy() for name, a in memory.items()}
    for t in range(1, 4):
        dw = rng.standard_normal(size)
        before = dw.copy()
        expected, remembered = formula(rule, expected, dw, remembered, t)
        update(rule, w, dw, memory, checked_settings(rule), t)
        np.testing.assert_array_equal(dw, before)
        np.testing.assert_allclose(w, expected, rtol=1e-12, atol=1e-14)
    for name, array in memory.items():
        np.testing.assert_allclose(array, remembered[name], rtol=1e-12)
