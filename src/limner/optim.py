"""First-order update rules: one implementation, in place, and the course's interface.

`update` changes the parameters and the rule's state in place, over flat arrays. It processes blocks
that fit into the cache; settings are arrays without axes, which NumPy handles twice as fast as
Python's floats.

The course's interface is `(w, dw, config) -> (next_w, config)`: `config` is a dict of settings and
state; None starts with the defaults, and missing settings are added. `next_w` is a new array. Each
function takes parameters w, their gradient dw of the same shape, and config, and returns next_w and
the updated config.

Shapes: P parameters, S of them in a block.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from limner.typing import Array, Float

CourseConfig = dict[str, Any]
Settings = dict[str, Array]
Memory = dict[str, Array]

BLOCK = 32768
"""Numbers in a block: 128 KiB of each float32 array."""


def _sgd(w: Array, dw: Array, memory: Memory, scratch: Array, c: Settings) -> None:
    np.multiply(dw, c["learning_rate"], out=scratch)
    w -= scratch


def _sgd_momentum(w: Array, dw: Array, memory: Memory, scratch: Array, c: Settings) -> None:
    velocity = memory["velocity"]
    velocity *= c["momentum"]
    np.multiply(dw, c["learning_rate"], out=scratch)
    velocity -= scratch
    w += velocity


def _rmsprop(w: Array, dw: Array, memory: Memory, scratch: Array, c: Settings) -> None:
    cache = memory["cache"]
    np.square(dw, out=scratch)
    scratch *= c["1 - decay_rate"]
    cache *= c["decay_rate"]
    cache += scratch

    np.sqrt(cache, out=scratch)
    scratch += c["epsilon"]
    np.divide(dw, scratch, out=scratch)
    scratch *= c["learning_rate"]
    w -= scratch


def _adam(w: Array, dw: Array, memory: Memory, scratch: Array, c: Settings) -> None:
    m, v = memory["m"], memory["v"]
    np.multiply(dw, c["1 - beta1"], out=scratch)
    m *= c["beta1"]
    m += scratch

    np.square(dw, out=scratch)
    scratch *= c["1 - beta2"]
    v *= c["beta2"]
    v += scratch

    np.sqrt(v, out=scratch)
    scratch += c["epsilon"]
    np.divide(m, scratch, out=scratch)
    scratch *= c["step"]
    w -= scratch


def _adamw(w: Array, dw: Array, memory: Memory, scratch: Array, c: Settings) -> None:
    w *= c["kept"]
    _adam(w, dw, memory, scratch, c)


class Rule(NamedTuple):
    """An update rule.

    Attributes:
        update: one step over a block: `(w, dw, memory, scratch, constants)`, in place.
        defaults: of its settings.
        memory: names of its state arrays, which start at zero.
    """

    update: Callable[[Array, Array, Memory, Array, Settings], None]
    defaults: dict[str, float]
    memory: tuple[str, ...] = ()


ADAM = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

RULES = {
    "sgd": Rule(_sgd, {"learning_rate": 1e-2}),
    "sgd_momentum": Rule(_sgd_momentum, {"learning_rate": 1e-2, "momentum": 0.9}, ("velocity",)),
    "rmsprop": Rule(
        _rmsprop, {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8}, ("cache",)
    ),
    "adam": Rule(_adam, ADAM, ("m", "v")),
    "adamw": Rule(_adamw, {**ADAM, "weight_decay": 1e-2}, ("m", "v")),
}


def checked_settings(
    update_rule: str, optim_config: Mapping[str, float] | None = None
) -> dict[str, float]:
    """The settings of a rule, with defaults for missing ones.

    Args:
        update_rule: a key of `RULES`.
        optim_config: settings that differ from the defaults.

    Raises:
        ValueError: for an unknown rule, or a setting that the rule does not have.

    >>> checked_settings("sgd_momentum", {"learning_rate": 0.1})
    {'learning_rate': 0.1, 'momentum': 0.9}
    """
    if update_rule not in RULES:
        raise ValueError(f"update_rule {update_rule!r}: expected one of {', '.join(RULES)}")
    defaults = RULES[update_rule].defaults
    for name in optim_config or {}:
        if name not in defaults:
            raise ValueError(f"optim_config: {update_rule} has no setting {name!r}")
    return defaults | {name: float(value) for name, value in (optim_config or {}).items()}


def update(
    update_rule: str,
    w: Float[Array, " P"],
    dw: Float[Array, " P"],
    memory: Memory,
    settings: dict[str, float],
    t: int,
) -> None:
    """One step of a rule over flat arrays; w and the memory change in place.

    Args:
        update_rule: a key of `RULES`.
        w: parameters.
        dw: their gradient.
        memory: arrays as long as w, by the names in `RULES`.
        settings: of `checked_settings`.
        t: which step this is, from 1.

    >>> w = np.array([1.0, 2.0])
    >>> update("sgd", w, np.array([10.0, 0.0]), {}, {"learning_rate": 0.01}, t=1)
    >>> w
    array([0.9, 2. ])
    """
    rule = RULES[update_rule].update
    constants = {name: np.array(value, w.dtype) for name, value in _constants(settings, t).items()}
    scratch = np.empty(min(BLOCK, w.size), w.dtype)
    for start in range(0, w.size, BLOCK):
        block = slice(start, start + BLOCK)
        remembered = {name: array[block] for name, array in memory.items()}
        rule(w[block], dw[block], remembered, scratch[: len(w[block])], constants)


def _constants(settings: dict[str, float], t: int) -> dict[str, float]:
    """The settings, one minus each, and Adam's step with both bias corrections."""
    constants = settings | {f"1 - {name}": 1 - value for name, value in settings.items()}
    if "beta1" in settings:
        correction = math.sqrt(1 - settings["beta2"] ** t) / (1 - settings["beta1"] ** t)
        constants["step"] = settings["learning_rate"] * correction
    if "weight_decay" in settings:
        constants["kept"] = 1 - settings["learning_rate"] * settings["weight_decay"]
    return constants


def _course_step(
    update_rule: str, w: Array, dw: Array, config: CourseConfig | None
) -> tuple[Array, CourseConfig]:
    """A step in the course's form: what `update` changes in place is copied first."""
    config = {} if config is None else config
    rule = RULES[update_rule]
    for name, default in rule.defaults.items():
        config.setdefault(name, default)
    settings = {name: float(config[name]) for name in rule.defaults}
    memory = {n: np.array(config.get(n, np.zeros_like(w)), w.dtype).ravel() for n in rule.memory}
    t = int(config.get("t", 0)) + 1
    next_w = np.array(w).ravel()
    update(update_rule, next_w, np.asarray(dw, w.dtype).ravel(), memory, settings, t)
    if "beta1" in settings:
        config["t"] = t
    config.update({name: array.reshape(w.shape) for name, array in memory.items()})
    return next_w.reshape(w.shape), config


def sgd(
    w: Float[Array, "*S"], dw: Float[Array, "*S"], config: CourseConfig | None = None
) -> tuple[Float[Array, "*S"], CourseConfig]:
    """Stochastic gradient descent: `next_w = w - learning_rate * dw`.

    Args:
        w, dw: parameters and their gradient.
        config: settings and state.

    Config:
        learning_rate: default 1e-2.

    >>> import numpy as np
    >>> sgd(np.array([1.0]), np.array([10.0]))[0]
    array([0.9])
    """
    return _course_step("sgd", w, dw, config)


def sgd_momentum(
    w: Float[Array, "*S"], dw: Float[Array, "*S"], config: CourseConfig | None = None
) -> tuple[Float[Array, "*S"], CourseConfig]:
    """SGD with momentum: `v = momentum * v - learning_rate * dw;  next_w = w + v`.

    Args:
        w, dw: parameters and their gradient.
        config: settings and state.

    Config:
        learning_rate: default 1e-2.
        momentum: from 0 (plain SGD) to 1, default 0.9.
        velocity: v, shaped like w; starts at zero.

    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods" (1964).
    """
    return _course_step("sgd_momentum", w, dw, config)


def rmsprop(
    w: Float[Array, "*S"], dw: Float[Array, "*S"], config: CourseConfig | None = None
) -> tuple[Float[Array, "*S"], CourseConfig]:
    """Steps divided by a moving root mean square of the gradients.

        cache = decay_rate * cache + (1 - decay_rate) * dw^2
        next_w = w - learning_rate * dw / (sqrt(cache) + epsilon)

    Args:
        w, dw: parameters and their gradient.
        config: settings and state.

    Config:
        learning_rate: default 1e-2.
        decay_rate: default 0.99.
        epsilon: default 1e-8.
        cache: shaped like w; starts at zero.

    Source: T. Tieleman and G. Hinton, Lecture 6.5, COURSERA: Neural Networks for ML (2012).
    """
    return _course_step("rmsprop", w, dw, config)


def adam(
    w: Float[Array, "*S"], dw: Float[Array, "*S"], config: CourseConfig | None = None
) -> tuple[Float[Array, "*S"], CourseConfig]:
    """Adam: steps by moving averages of the gradient and of its square, bias corrected.

        t = t + 1
        m = beta1 * m + (1 - beta1) * dw
        v = beta2 * v + (1 - beta2) * dw^2
        next_w = w - learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)

    Args:
        w, dw: parameters and their gradient.
        config: settings and state.

    Config:
        learning_rate: default 1e-3.
        beta1, beta2: default 0.9 and 0.999.
        epsilon: default 1e-8.
        m, v: shaped like w; start at zero.
        t: steps taken, starts at 0.

    Source: D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015; the
    efficient form at the end of section 2, which takes epsilon before the bias correction.
    """
    return _course_step("adam", w, dw, config)


def adamw(
    w: Float[Array, "*S"], dw: Float[Array, "*S"], config: CourseConfig | None = None
) -> tuple[Float[Array, "*S"], CourseConfig]:
    """Adam, and apart from it the weights shrink: `w = w - learning_rate * weight_decay * w` first.

    Args:
        w, dw: parameters and their gradient.
        config: settings and state.

    Config:
        weight_decay: default 1e-2; the rest as for `adam`.

    Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """
    return _course_step("adamw", w, dw, config)
