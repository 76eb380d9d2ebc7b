"""First-order update rules: `(w, dw, config) -> (next_w, config)`.

`config` holds a rule's settings and what it remembers of earlier steps; None starts it with the
defaults. Settings that are missing are filled in, and the same dict comes back. Arrays are never
changed in place: `next_w` is new.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from limner.arrays import Array, Float

Config = dict[str, Any]
UpdateRule = Callable[[Array, Array, Config | None], tuple[Array, Config]]


def _number(config: Config, name: str, default: float) -> float:
    """A setting as Python's float: a np.float64 would turn float32 weights into float64."""
    return float(config.setdefault(name, default))


def sgd(
    w: Float[Array, "*S"], dw: Float[Array, "*S"], config: Config | None = None
) -> tuple[Float[Array, "*S"], Config]:
    """Stochastic gradient descent: `next_w = w - learning_rate * dw`.

    Config:
        learning_rate: default 1e-2.

    >>> import numpy as np
    >>> sgd(np.array([1.0]), np.array([10.0]))[0]
    array([0.9])
    """
    config = {} if config is None else config
    learning_rate = _number(config, "learning_rate", 1e-2)
    return w - learning_rate * dw, config


def sgd_momentum(
    w: Float[Array, "*S"], dw: Float[Array, "*S"], config: Config | None = None
) -> tuple[Float[Array, "*S"], Config]:
    """SGD with momentum: `v = momentum * v - learning_rate * dw;  next_w = w + v`.

    Config:
        learning_rate: default 1e-2.
        momentum: from 0 (plain SGD) to 1, default 0.9.
        velocity: v, shaped like w; starts at zero.

    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods" (1964).
    """
    config = {} if config is None else config
    learning_rate = _number(config, "learning_rate", 1e-2)
    momentum = _number(config, "momentum", 0.9)
    velocity = config.get("velocity", np.zeros_like(w))

    config["velocity"] = momentum * velocity - learning_rate * dw
    return w + config["velocity"], config


def rmsprop(
    w: Float[Array, "*S"], dw: Float[Array, "*S"], config: Config | None = None
) -> tuple[Float[Array, "*S"], Config]:
    """Steps divided by a moving root mean square of the gradients.

        cache = decay_rate * cache + (1 - decay_rate) * dw^2
        next_w = w - learning_rate * dw / (sqrt(cache) + epsilon)

    Config:
        learning_rate: default 1e-2.
        decay_rate: default 0.99.
        epsilon: default 1e-8.
        cache: shaped like w; starts at zero.

    Source: T. Tieleman and G. Hinton, Lecture 6.5, COURSERA: Neural Networks for ML (2012).
    """
    config = {} if config is None else config
    learning_rate = _number(config, "learning_rate", 1e-2)
    decay_rate = _number(config, "decay_rate", 0.99)
    epsilon = _number(config, "epsilon", 1e-8)
    cache = config.get("cache", np.zeros_like(w))

    config["cache"] = decay_rate * cache + (1 - decay_rate) * dw**2
    return w - learning_rate * dw / (np.sqrt(config["cache"]) + epsilon), config


def adam(
    w: Float[Array, "*S"], dw: Float[Array, "*S"], config: Config | None = None
) -> tuple[Float[Array, "*S"], Config]:
    """Adam: steps by moving averages of the gradient and of its square, bias corrected.

        t = t + 1
        m = beta1 * m + (1 - beta1) * dw
        v = beta2 * v + (1 - beta2) * dw^2
        next_w = w - learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)

    Config:
        learning_rate: default 1e-3.
        beta1, beta2: default 0.9 and 0.999.
        epsilon: default 1e-8.
        m, v: shaped like w; start at zero.
        t: steps taken, starts at 0.

    Source: D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015; the
    efficient form at the end of section 2, which takes epsilon before the bias correction.
    """
    config = {} if config is None else config
    learning_rate = _number(config, "learning_rate", 1e-3)
    beta1 = _number(config, "beta1", 0.9)
    beta2 = _number(config, "beta2", 0.999)
    epsilon = _number(config, "epsilon", 1e-8)

    t = config["t"] = config.get("t", 0) + 1
    m = config["m"] = beta1 * config.get("m", np.zeros_like(w)) + (1 - beta1) * dw
    v = config["v"] = beta2 * config.get("v", np.zeros_like(w)) + (1 - beta2) * dw**2
    step = learning_rate * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    return w - step * m / (np.sqrt(v) + epsilon), config


def adamw(
    w: Float[Array, "*S"], dw: Float[Array, "*S"], config: Config | None = None
) -> tuple[Float[Array, "*S"], Config]:
    """Adam, and apart from it the weights shrink: `w = w - learning_rate * weight_decay * w` first.

    Config:
        weight_decay: default 1e-2; the rest as for `adam`.

    Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """
    config = {} if config is None else config
    learning_rate = _number(config, "learning_rate", 1e-3)
    weight_decay = _number(config, "weight_decay", 1e-2)
    return adam(w - learning_rate * weight_decay * w, dw, config)


UPDATE_RULES: dict[str, UpdateRule] = {
    "sgd": sgd,
    "sgd_momentum": sgd_momentum,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
}


def checked_settings(update_rule: str, optim_config: Config | None = None) -> dict[str, float]:
    """A rule's settings, those that are not given with their defaults.

    Raises:
        ValueError: for an unknown rule, or a setting that the rule does not have.

    >>> checked_settings("sgd_momentum", {"learning_rate": 0.1})
    {'learning_rate': 0.1, 'momentum': 0.9}
    """
    if update_rule not in UPDATE_RULES:
        raise ValueError(f"update_rule {update_rule!r}: expected one of {', '.join(UPDATE_RULES)}")
    _, known = UPDATE_RULES[update_rule](np.zeros(1), np.zeros(1), {})
    defaults = {name: value for name, value in known.items() if isinstance(value, float)}
    for name in optim_config or {}:
        if name not in defaults:
            raise ValueError(f"optim_config: {update_rule} has no setting {name!r}")
    return defaults | {name: float(value) for name, value in (optim_config or {}).items()}
